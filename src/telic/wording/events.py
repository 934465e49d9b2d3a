"""What events, turns and holds are in words, and as the rows of tables: read by every surface that shows a history."""

from collections.abc import Callable, Mapping
from typing import Any, Final, Generic, TypeVar

from telic.domain.clock import Instant
from telic.domain.events import Event, EventKind, Turn
from telic.domain.hold import Hold, Reservation
from telic.wording.amounts import LIMIT_NAMES, show_amount, show_amounts
from telic.wording.words import first_words, show_time, spoken

T = TypeVar("T")

_FOR_PROGRAMS: Final = frozenset({"criterion_hash"})
_TIMES: Final = frozenset({"wake_at"})
_REASON: Final = "reason"


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
    return [(spoken(name), _value(name, value)) for name, value in said.items() if name not in _FOR_PROGRAMS]


def _value(name: str, value: Any) -> str:
    if name == "budget" and isinstance(value, Mapping):
        return show_amounts({limit: amount for limit, amount in value.items() if amount is not None}) or "none"
    if name in _TIMES and type(value) is int:
        return show_time(Instant(value))
    return str(len(value)) if name == "criteria" else spoken(value) if name == _REASON else str(value)


def describe_event(event: Event, max_chars: int | None = None) -> str:
    """Return what the event changed and who acted, as `name: value` with commas; in few words for a length."""
    named = [("acted by", " · ".join(_name_and_door(event)))] if event.acted_by else []
    said = ", ".join(f"{name}: {value}" for name, value in [*change_parts(event), *named])
    return said if max_chars is None else first_words(said, max_chars)


class Table(Generic[T]):
    """The columns of a table: for each its title, and the text that stands in it. Amounts are set flush right."""

    def __init__(self, columns: Mapping[str, Callable[[T], str]], numbers: tuple[str, ...]) -> None:
        self.titles = tuple(columns)
        self.numbers = numbers
        self._values = tuple(columns.values())

    def row(self, shown: T) -> list[str]:
        """Return the texts of one row."""
        return [value(shown) for value in self._values]


def _reserves(name: str) -> Callable[[Hold], str]:
    return lambda hold: show_amount(name, hold.reserved.as_dict()[name])


def _used(name: str) -> Callable[[Turn], str]:
    return lambda turn: show_amount(name, getattr(turn.usage, name))


def _kind(turn: Turn) -> str:
    """Return the line's kind, with what tells a line that is no known usage from the others."""
    taken_back = "" if turn.takes_back is None else f" (takes back {turn.takes_back})"
    return spoken(turn.kind) + (taken_back or (" (estimate)" if turn.is_estimate else ""))


_RESERVABLE: Final = {LIMIT_NAMES[name]: _reserves(name) for name in Reservation().as_dict()}

HOLDS: Final = Table[Hold](
    {
        "state": lambda hold: spoken(hold.state),
        **_RESERVABLE,
        "placed": lambda hold: show_time(hold.placed_at),
        "until": lambda hold: "" if hold.expires_at is None else show_time(hold.expires_at),
        "turn key": lambda hold: hold.turn_key or "",
        "key": lambda hold: hold.key,
    },
    tuple(_RESERVABLE),
)

EVENTS: Final = Table[Event](
    {
        "number": lambda event: str(event.number),
        "at": lambda event: show_time(event.at),
        "event": lambda event: event.kind,
        "actor": lambda event: event.actor,
        "data": describe_event,
    },
    ("number",),
)

TURNS: Final = Table[Turn](
    {
        "number": lambda turn: str(turn.number),
        "at": lambda turn: show_time(turn.at),
        "kind": _kind,
        "model": lambda turn: turn.model or "",
        "tokens": _used("tokens"),
        "time": _used("active_microseconds"),
        "cost": _used("cost_microunits"),
        "key": lambda turn: turn.key,
    },
    ("number", "tokens", "time", "cost"),
)
