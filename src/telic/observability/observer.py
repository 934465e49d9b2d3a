"""Observers, what they observe (a store's calls, an agent's turns, verifications), and the facts that they learn."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, Self

from telic.domain.budget import ModelUsage
from telic.domain.events import EventKind, Turn
from telic.domain.goal import Goal, GoalStatus, Reason
from telic.domain.lease import Hold
from telic.domain.lifecycle import STATUS_OF
from telic.domain.verification import Verification

_LOG: Final = logging.getLogger("telic.observe")
# What a library logs is nobody's business unless its host says so.
logging.getLogger("telic").addHandler(logging.NullHandler())


class _SuppressErrors:
    """A block whose errors are only logged: an observer must not change the result of a call."""

    __slots__ = ()

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> bool:
        if not isinstance(error, Exception):
            return False
        _LOG.warning("what observes has failed: %s", type(error).__name__)
        return True


_SUPPRESS_ERRORS: Final = _SuppressErrors()


@dataclass(frozen=True, slots=True)
class StatusSet:
    """The goal has the status that an event of this kind gives."""

    goal: Goal
    kind: EventKind

    @property
    def status(self) -> GoalStatus:
        """The status since then."""
        return STATUS_OF[self.kind]

    @property
    def reason(self) -> Reason | None:
        """Why it has that status; an active goal needs no reason."""
        return None if self.status is GoalStatus.ACTIVE else self.goal.reason


@dataclass(frozen=True, slots=True)
class TurnCounted:
    """A line was added to the ledger; it has settled its hold, if it names one."""

    goal: Goal
    turn: Turn
    has_settled: bool


@dataclass(frozen=True, slots=True)
class HoldMoved:
    """The hold was placed, or released: its state says which."""

    hold: Hold


@dataclass(frozen=True, slots=True)
class EventsReceived:
    """A watcher was given events, of which the oldest was recorded so long ago by the store's clock, at least 0."""

    count: int
    lag_microseconds: int


@dataclass(frozen=True, slots=True)
class LeaseRanOut:
    """A worker stopped working on the goal, as it could not renew its lease in time."""

    goal: Goal


Fact = StatusSet | TurnCounted | HoldMoved | EventsReceived | LeaseRanOut


class Work:
    """A piece of work from its beginning to its end, in one thread or task."""

    __slots__ = ("_observer", "error", "facts", "goal_id", "memory", "started")

    def __init__(self, observer: "Observer", goal_id: str | None = None) -> None:
        self._observer = observer
        self.goal_id = goal_id
        self.error: BaseException | None = None
        self.facts: Sequence[Fact] = ()
        # What the observer keeps from the beginning to the end.
        self.memory: object = None
        self.started = 0.0

    def __enter__(self) -> Self:
        self.started = time.perf_counter()
        with _SUPPRESS_ERRORS:
            self._observer.begin(self)
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        with _SUPPRESS_ERRORS:
            if error is not None:
                self.error = error
            self.complete()
        with _SUPPRESS_ERRORS:
            self._observer.end(self)

    def complete(self) -> None:
        """Facts that are known at the end only are there."""

    @property
    def seconds(self) -> float:
        """For how long it has gone on."""
        return time.perf_counter() - self.started

    @property
    def error_code(self) -> str | None:
        """The error's stable code, else the name of its class; None where it went well."""
        error = self.error
        if error is None:
            return None
        code = getattr(error, "code", None)
        return code if isinstance(code, str) else type(error).__name__


class StoreCall(Work):
    """A call of the store; `system` is its database, in OpenTelemetry's words."""

    __slots__ = ("name", "system")

    def __init__(self, observer: "Observer", name: str, system: str) -> None:
        super().__init__(observer)
        self.name = name
        self.system = system


class AgentTurn(Work):
    """One turn of a loop: from holding its budget to recording what it consumed."""

    __slots__ = ("goal", "model", "number", "outcome", "step", "usage")

    def __init__(self, observer: "Observer", goal: Goal, number: int, step: str) -> None:
        super().__init__(observer, goal.id)
        self.goal = goal
        self.number = number
        self.step = step
        self.outcome = "not_begun"
        self.usage: ModelUsage | None = None
        self.model: str | None = None

    def ended(self, outcome: str, usage: ModelUsage | None, model: str | None, error: Exception | None = None) -> None:
        """The agent's turn has ended with this result."""
        self.outcome = outcome
        self.usage = usage
        self.model = model
        self.error = error


class VerificationRun(Work):
    """One verification of a goal's criteria."""

    __slots__ = ("found", "goal")

    def __init__(self, observer: "Observer", goal: Goal) -> None:
        super().__init__(observer, goal.id)
        self.goal = goal
        self.found: Verification | None = None


class GoalCounter(Protocol):
    """Counts one store's goals when it is asked, in whatever thread asks."""

    def counts(self) -> Mapping[GoalStatus, int]:
        """Return how many goals have each status; nothing where the store was closed.

        Raises:
            StoreError: the store does not answer.
        """
        ...

    @property
    def store_id(self) -> str:
        """Which database it is; empty before the first count."""
        ...


class Observer:
    """The base of observers, which observes nothing; a store without an observer has it.

    `begin` and `end` are called in the thread or task of the work. Errors that they raise never reach the work.
    """

    def begin(self, work: Work) -> None:
        """The work begins."""

    def end(self, work: Work) -> None:
        """The work has ended; `work.error` tells how, and `work.facts` what it has committed."""

    def on_fact(self, fact: Fact) -> None:
        """A fact has happened that is no part of any work."""

    def add_counter(self, counter: GoalCounter) -> None:
        """A store is open, whose goals the counter counts."""

    def remove_counter(self, counter: GoalCounter) -> None:
        """That store is closed."""

    def turn(self, goal: Goal, number: int, step: str) -> AgentTurn:
        """An agent's turn, to be entered."""
        return AgentTurn(self, goal, number, step)

    def check(self, goal: Goal) -> VerificationRun:
        """A verification, to be entered."""
        return VerificationRun(self, goal)

    def report(self, fact: Fact) -> None:
        """Pass the fact to `on_fact`; an error there is logged."""
        with _SUPPRESS_ERRORS:
            self.on_fact(fact)


UNOBSERVED: Final = Observer()
