"""A goal's history: what changed, when, and by which actor; and the turns that were accounted."""

import re
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, TypeVar, overload

from telic.domain.budget import TURN_COUNTERS, TurnUsage, UsageKind
from telic.domain.clock import Instant, to_datetime
from telic.domain.errors import InvalidCursor
from telic.domain.goal import Actor, Goal
from telic.domain.ids import digest, to_data

T = TypeVar("T")

ACTED_BY: Final = "acted_by"
"""The key in an event's data under which the name of the actor and the door are."""


class EventKind(StrEnum):
    """The kind of change that an event reports."""

    CREATED = "created"
    EDITED = "edited"
    BUDGET_SET = "budget_set"
    PAUSED = "paused"
    RESUMED = "resumed"
    COMPLETED = "completed"
    CLEARED = "cleared"
    KEPT_ASLEEP = "kept_asleep"
    CHECKED = "checked"
    APPROVED = "approved"
    REJECTED = "rejected"
    USAGE_CLIPPED = "usage_clipped"


# The chain: each line of a history is hashed with the hash before it, over a canonical text that both databases build
# alike. Fields of arbitrary characters come last (`data` is self-delimiting JSON), so no two histories share a text.
def event_hash(
    previous: str,
    goal_id: str,
    number: int,
    revision: int,
    kind: EventKind,
    actor: Actor,
    at: int,
    data: str,
    key: str | None,
) -> str:
    """Return the hash of an event after the one whose hash is `previous`."""
    return digest(f"{previous}|{goal_id}|{number}|{revision}|{kind.value}|{actor.value}|{at}|{data}|{key or ''}")


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a goal's append-only history.

    `number` counts a goal's events from 1; `revision` is the goal's after the event. `data` holds what
    changed, by name. `hash` chains the event to the one before it.
    """

    goal_id: str
    number: int
    revision: int
    kind: EventKind
    actor: Actor
    at: Instant
    key: str | None
    data: Mapping[str, Any]
    hash: str

    @property
    def time(self) -> datetime:
        """When it was recorded, in UTC."""
        return to_datetime(self.at)

    def hash_after(self, previous: str) -> str:
        """Return the hash that this event has after the one whose hash is `previous`."""
        place = (self.goal_id, self.number, self.revision)
        return event_hash(previous, *place, self.kind, self.actor, self.at, to_data(self.data), self.key)

    @property
    def acted_by(self) -> Mapping[str, str]:
        """Return the `name` of who acted and the `door` by which they did, as far as they are known."""
        acted_by: Mapping[str, str] = self.data.get(ACTED_BY, {})
        return acted_by

    @property
    def changed(self) -> Mapping[str, Any]:
        """Return the data without who acted."""
        return {name: value for name, value in self.data.items() if name != ACTED_BY}


@dataclass(frozen=True, slots=True)
class Turn:
    """One line of the ledger. `number` counts a goal's lines from 1; `hash` chains them.

    A line of kind `work` is a turn of the agent; others were consumed on its behalf. `model` may name the model.
    An estimate is what may have been consumed where nobody knows. A line that takes an estimate back, which is that
    line's number, has the same amounts below zero: the sum of all lines is what counts.
    """

    goal_id: str
    number: int
    key: str
    at: Instant
    usage: TurnUsage
    hash: str
    kind: UsageKind = UsageKind.WORK
    model: str | None = None
    is_estimate: bool = False
    takes_back: int | None = None

    @property
    def time(self) -> datetime:
        """When it was recorded, in UTC."""
        return to_datetime(self.at)

    def hash_after(self, previous: str) -> str:
        """Return the hash that this line has after the one whose hash is `previous`."""
        counts = "|".join(str(getattr(self.usage, name)) for name in TURN_COUNTERS)
        label = turn_label(self.kind, self.model, is_estimate=self.is_estimate, takes_back=self.takes_back)
        return digest(f"{previous}|{self.goal_id}|{self.number}|{self.at}|{label}{counts}|{self.key}")


@dataclass(frozen=True, slots=True)
class TurnResult:
    """The turn as it stands in the ledger, and the goal after it."""

    goal: Goal
    turn: Turn


def turn_label(kind: UsageKind, model: str | None, *, is_estimate: bool, takes_back: int | None) -> str:
    """Return the label before a line's counts in its canonical text; empty for work by no named model.

    The counts begin with a digit or a minus and a label does not, and the name's length says where it ends. Only
    estimates, and lines that take one back, say so: the hashes of all others are as they always were.
    """
    estimate = ("estimate|" if is_estimate else "") + ("" if takes_back is None else f"takes_back|{takes_back}|")
    if kind is UsageKind.WORK and model is None:
        return estimate
    return f"{estimate}{kind.value}|{len(model or '')}|{model or ''}|"


_POSITION = r"([0-9:,+]{0,100000})(?:@([0-9a-f]{16}))?"
_CURSOR = re.compile(rf"([0-9a-f]{{32}})/{_POSITION}/{_POSITION}/([0-9]{{1,18}})")
_SNAPSHOT = re.compile(r"([0-9]{1,18}):([0-9]{1,18}):((?:[0-9]{1,18},)*[0-9]{1,18})?\+[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Position:
    """A snapshot of the database, and the mark of the last event that it sees; None where there is none."""

    snapshot: str = ""
    mark: str | None = None

    @property
    def sequence(self) -> int:
        """The highest sequence number that the snapshot sees."""
        return int(self.snapshot.partition("+")[2] or 0)

    def __str__(self) -> str:
        return self.snapshot if self.mark is None else f"{self.snapshot}@{self.mark}"


@dataclass(frozen=True, slots=True)
class Cursor:
    """A position in the feed. All events that `before` could see were delivered.

    Of those that `until` can see, the ones numbered up to `after` were delivered too; an empty `until` means that
    the next page begins a new snapshot.
    """

    store_id: str
    before: Position = Position()
    until: Position = Position()
    after: int = 0

    def __str__(self) -> str:
        return f"{self.store_id}/{self.before}/{self.until}/{self.after}"


def parse_cursor(text: object) -> Cursor:
    """Return the cursor that was written as this text; raise InvalidCursor if no feed made it."""
    found = _CURSOR.fullmatch(text) if isinstance(text, str) else None
    if found is None or not (_is_snapshot(found[2]) and _is_snapshot(found[4])):
        raise InvalidCursor("the cursor was not made by a feed of events")
    before, until = Position(found[2], found[3]), Position(found[4], found[5])
    return Cursor(found[1], before, until, int(found[6]))


# Return whether the text is empty, or a snapshot that PostgreSQL's `pg_snapshot` takes, and a number.
def _is_snapshot(text: str) -> bool:
    found = _SNAPSHOT.fullmatch(text)
    if not text or found is None:
        return not text
    under_way = [int(number) for number in found[3].split(",")] if found[3] else []
    bounds = [int(found[1]), *under_way, int(found[2])]
    return bounds[0] > 0 and bounds == sorted(bounds) and len({*under_way, bounds[-1]}) == len(under_way) + 1


@dataclass(frozen=True, slots=True)
class FeedEvent:
    """An event in the feed, its goal's scope, and the cursor that continues after it."""

    event: Event
    scope: str
    cursor: str


class Page(Sequence[T]):
    """One page of results: a sequence of them."""

    __slots__ = ()

    @property
    @abstractmethod
    def _items(self) -> tuple[T, ...]: ...

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[T]:
        return iter(self._items)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[T, ...]: ...
    def __getitem__(self, index: int | slice) -> T | tuple[T, ...]:
        return self._items[index]


@dataclass(frozen=True, slots=True)
class EventPage(Page[FeedEvent]):
    """Some events of the feed in order; `cursor` continues after them, whether or not there are any."""

    events: tuple[FeedEvent, ...]
    cursor: str

    @property
    def _items(self) -> tuple[FeedEvent, ...]:
        return self.events
