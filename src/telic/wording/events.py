"""What an event changed, in words: read by every surface that shows a history."""

from collections.abc import Mapping
from typing import Any, Final

from telic.domain.clock import Instant
from telic.domain.events import Event, EventKind
from telic.wording.amounts import show_amounts
from telic.wording.words import show_time

_FOR_PROGRAMS: Final = frozenset({"criterion_hash"})
_TIMES: Final = frozenset({"wake_at"})


def event_parts(event: Event) -> list[tuple[str, str]]:
    """Each thing that the event changed: its name and what it is now. A verification tells of each criterion."""
    if event.kind is EventKind.CHECKED:
        return [(f"criterion {each['index'] + 1}", str(each["outcome"])) for each in event.data.get("verdicts", ())]
    said = {name: value for name, value in event.data.items() if value not in (None, [], {}, "")}
    return [(name.replace("_", " "), _value(name, value)) for name, value in said.items() if name not in _FOR_PROGRAMS]


def _value(name: str, value: Any) -> str:
    if name == "budget" and isinstance(value, Mapping):
        return show_amounts({limit: amount for limit, amount in value.items() if amount is not None}) or "none"
    if name in _TIMES and type(value) is int:
        return show_time(Instant(value))
    return str(len(value)) if name == "criteria" else str(value)


def describe_event(event: Event) -> str:
    """What the event changed, as `name: value` with commas between."""
    return ", ".join(f"{name}: {value}" for name, value in event_parts(event))
