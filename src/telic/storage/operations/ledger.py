"""The usage ledger and the history: recording turns, reading both back."""

from dataclasses import dataclass, replace
from typing import Final

from telic.domain.budget import (
    TURN_COUNTERS,
    BillingPolicy,
    ModelUsage,
    TurnUsage,
    UsageKind,
    UsageTakenBack,
    estimates_of,
    turns_of,
)
from telic.domain.errors import GoalError, HoldLost, InvalidInput, TurnConflict
from telic.domain.events import Event, Turn, TurnResult, turn_label
from telic.domain.goal import Goal, Reason
from telic.domain.ids import check_id, digest, to_data
from telic.domain.lease import HoldState
from telic.domain.lifecycle import Action
from telic.domain.limits import MAX_COUNTER, check_counter, check_name, check_page_size
from telic.storage.operations.call import Call, get, require_lease
from telic.storage.records import event_from_row, goal_and_turn_from_row, hold_from_row, turn_from_row
from telic.storage.transaction import LimitViolated, Raced, Row, Transaction, Value

_SHOWN_CHARS: Final = 100
_EXHAUSTED_DATA: Final = to_data({"reason": Reason.BUDGET.value})


@dataclass(frozen=True, slots=True)
class NewTurn:
    """A line to be added to the ledger: the usage, its kind and model, and the hold that it settles.

    A `TurnUsage` says how many tokens are billed; of a `ModelUsage` the goal's policy does. `takes_back` is the number
    of the line whose amounts the usage takes back.
    """

    usage: TurnUsage | ModelUsage
    kind: UsageKind = UsageKind.WORK
    model: str | None = None
    hold: str | None = None
    is_estimate: bool = False
    takes_back: int | None = None

    def checked(self) -> "NewTurn":
        """Return the same, or raise InvalidInput if a part of it cannot be."""
        is_taken_back = isinstance(self.usage, UsageTakenBack)
        if not isinstance(self.usage, TurnUsage | ModelUsage) or is_taken_back is (self.takes_back is None):
            raise InvalidInput("the usage must be a TurnUsage or a ModelUsage")
        if not isinstance(self.is_estimate, bool):
            raise InvalidInput("is_estimate must be True or False")
        for name, value in (("model", self.model), ("hold", self.hold)):
            if value is not None:
                check_name(name, value)
        return self

    def billed(self, policy: BillingPolicy) -> TurnUsage:
        """Return the usage as the ledger keeps it for a goal of this policy."""
        return self.usage if isinstance(self.usage, TurnUsage) else self.usage.billed(policy)

    @property
    def is_beyond_counters(self) -> bool:
        """Whether an amount that was told is more than any goal's counter can take."""
        usage = self.usage
        if isinstance(usage, TurnUsage):
            return False
        return max(usage.input_tokens + usage.output_tokens, *usage.as_dict().values()) > MAX_COUNTER

    def told(self, policy: BillingPolicy) -> dict[str, int]:
        """Return the counts by name for a goal of this policy, as large as they were told."""
        return self.usage.as_dict() if isinstance(self.usage, TurnUsage) else self.usage.told(policy)

    def fitting(self, goal: Goal) -> "NewTurn":
        """Return the line with as much of each count as the goal's counter can still take."""
        fits = {name: min(n, MAX_COUNTER - getattr(goal.usage, name)) for name, n in self.told(goal.billing).items()}
        return replace(self, usage=TurnUsage(**fits) if self.takes_back is None else self.usage)

    def columns(self) -> dict[str, Value]:
        """Return the parameters of `turns.record` for the line; the goal's policy chooses among the tokens there."""
        usage = self.usage
        both, without_cached, of_output = self._tokens()
        return {
            **{name: getattr(usage, name) for name in TURN_COUNTERS if name != "tokens"},
            "tokens_of_both": both,
            "tokens_without_cached": without_cached,
            "tokens_of_output": of_output,
            "turns": turns_of(self.kind, self.usage),
            "estimates": estimates_of(is_estimate=self.is_estimate, takes_back=self.takes_back),
            "kind": self.kind.value,
            "model": self.model,
            "hold": self.hold,
            "label": turn_label(self.kind, self.model, is_estimate=self.is_estimate, takes_back=self.takes_back),
            "is_estimate": int(self.is_estimate),
            "takes_back": self.takes_back,
        }

    def _tokens(self) -> tuple[int, int, int]:
        """Return the billed tokens under each policy, in the order of `BillingPolicy`."""
        if isinstance(self.usage, TurnUsage):
            return self.usage.tokens, self.usage.tokens, self.usage.tokens
        # All three are sent: only the statement sees the goal's policy, and it is to stay one round trip (ADR 2).
        both, without_cached, of_output = (self.usage.billed(policy).tokens for policy in BillingPolicy)
        return both, without_cached, of_output


@dataclass(frozen=True, slots=True)
class Recorded:
    """A recorded turn, and whether the goal has expired holds that `estimates.count_expired` should count."""

    result: TurnResult
    has_overdue_holds: bool

    @property
    def goal(self) -> Goal:
        """The goal after the turn."""
        return self.result.goal


class HoldEstimated(HoldLost):
    """The hold's estimate is in the ledger: `estimates.record_turn` puts the turn in its place."""


async def record_turn(tx: Transaction, call: Call, goal_id: str, new: NewTurn) -> Recorded:
    """The turn is in the ledger exactly once, whatever the goal's status; a reached budget has paused the goal.

    Raise HoldEstimated if an estimate stands for the hold, whose place `estimates.record_turn` gives to the turn, and
    LimitViolated if a counter cannot take it all, which `clipping.record_turn` clips.
    """
    call.authorize(Action.RECORD_TURN)
    parameters: dict[str, Value] = {"id": check_id(goal_id), "at": call.at, "key": call.key}
    parameters["exhausted_data"] = _EXHAUSTED_DATA
    if new.checked().is_beyond_counters:
        raise LimitViolated("the turn alone is more than a counter holds")
    row = await tx.one_or_none("turns.record", parameters | new.columns() | call.lease_columns)
    if row is None:
        raise await _why_not_recorded(tx, call, goal_id, new)
    goal, turn = goal_and_turn_from_row(row, new.billed)
    if (turn.usage, turn.kind, turn.model, turn.is_estimate) != (
        new.billed(goal.billing),
        new.kind,
        new.model,
        new.is_estimate,
    ):
        await require_same(tx, goal, turn, new)
    return Recorded(TurnResult(goal, turn), has_overdue_holds=bool(row[-1]))


async def require_same(tx: Transaction, goal: Goal, turn: Turn, new: NewTurn) -> None:
    """Raise TurnConflict if the goal's line is not this one, of which it may have only what fitted."""
    counted, told = turn.usage.as_dict(), new.told(goal.billing)
    if counted != told:
        row = await tx.one_or_none("events.with_key", {"id": goal.id, "key": clipped_key(goal.id, turn.key)})
        reported = {} if row is None else event_from_row(row).data["reported"]
        counted |= {name: int(count) for name, count in reported.items()}
    if (counted, turn.kind, turn.model, turn.is_estimate) != (told, new.kind, new.model, new.is_estimate):
        raise TurnConflict(turn.key)


def clipped_key(goal_id: str, turn_key: str) -> str:
    """Return the key of the event that tells what was reported with a line that has less."""
    return own_key("clipped", goal_id, turn_key)


def own_key(prefix: str, goal_id: str, of: str) -> str:
    """Return the key of a line that Telic writes by itself; no caller's is the same by chance."""
    return f"{prefix}/{of[:_SHOWN_CHARS]}/{digest(f'{goal_id}|{of}')[:16]}"


async def _why_not_recorded(tx: Transaction, call: Call, goal_id: str, new: NewTurn) -> GoalError:
    goal = await get(tx, goal_id)
    if await tx.one_or_none("turns.with_key", {"id": goal_id, "key": call.key}) is not None:
        raise Raced("the same turn was recorded while this one was being refused")
    await require_lease(tx, call, goal)
    row = await tx.one_or_none("holds.get", {"id": goal_id, "key": new.hold})
    if row is not None and hold_from_row(row).state is HoldState.ESTIMATED:
        return HoldEstimated("an estimate of the hold is in the ledger")
    return HoldLost("the hold expired, or was settled or released before")


async def events(tx: Transaction, goal_id: str, *, after: int, limit: int) -> list[Event]:
    """Return the goal's events whose number is above `after`, in order."""
    return [event_from_row(row) for row in await _page(tx, "events.page", goal_id, after, limit)]


async def turns(tx: Transaction, goal_id: str, *, after: int, limit: int) -> list[Turn]:
    """Return the goal's turns whose number is above `after`, in order."""
    return [turn_from_row(row) for row in await _page(tx, "turns.page", goal_id, after, limit)]


async def _page(tx: Transaction, statement: str, goal_id: str, after: int, limit: int) -> list[Row]:
    check_counter("after", after)
    check_page_size(limit)
    rows = await tx.all(statement, {"id": check_id(goal_id), "after": after, "limit": limit})
    if not rows:
        await get(tx, goal_id)
    return rows
