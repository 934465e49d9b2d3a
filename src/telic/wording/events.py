"""What an event changed, in words: read by every surface that shows a history."""

from collections.abc import Mapping
from typing import Any, Final

from telic.domain.amounts import show_amounts
from telic.domain.clock import Instant
from telic.domain.events import Event, EventKind
from telic.wording.words import show_time

_FOR_PROGRAMS: Final = frozenset({"criterion_hash"})
_TIMES: Final = frozenset({"wake_at"})


def who_acted(event: Event) -> str:
    """Return the kind of actor, with the name and the door where they are known."""
    return " · ".join([str(event.actor), *_name_and_door(event)])


def _name_and_door(event: Event) -> list[str]:
    # By name: what is read from a store comes in the order of its keys.
    return [event.acted_by[part] for part in ("name", "door") if part in event.acted_by]


def change_parts(event: Event) -> list[tuple[str, str]]:
    """Return each thing that the event changed: its name and what it is now. A verification names each criterion."""
    if event.kind is EventKind.CHECKED:
        return [(f"criterion {each['index'] + 1}", str(each["outcome"])) for each in event.data.get("verdicts", ())]
    said = {name: value for name, value in event.changed.items() if value not in (None, [], {}, "")}
    return [(name.replace("_", " "), _value(name, value)) for name, value in said.items() if name not in _FOR_PROGRAMS]


def _value(name: str, value: Any) -> str:
    if name == "budget" and isinstance(value, Mapping):
        return show_amounts({limit: amount for limit, amount in value.items() if amount is not None}) or "none"
    if name in _TIMES and type(value) is int:
        return show_time(Instant(value))
    return str(len(value)) if name == "criteria" else str(value)


def describe_event(event: Event) -> str:
    """Return what the event changed and who acted, as `name: value` with commas between."""
    named = [("acted by", " · ".join(_name_and_door(event)))] if event.acted_by else []
    return ", ".join(f"{name}: {value}" for name, value in [*change_parts(event), *named])
