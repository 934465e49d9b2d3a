"""The end of every check of a goal, made by a loop, an adapter of a framework, or a hook of a coding host.

The verdicts are recorded, then the judges are billed, then the goal waits for a person where only an answer is
missing. That is one transaction, so a crash leaves all of it or nothing, and its key makes it repeatable.
"""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, overload

from telic.domain.budget import TurnUsage, UsageKind
from telic.domain.goal import Actor, Goal
from telic.domain.lease import Lease
from telic.domain.loop_state import LoopState
from telic.domain.verdict import AttemptResult, Verdict
from telic.domain.verification import Verification
from telic.storage.operations import loop
from telic.storage.operations.ledger import NewTurn
from telic.storage.operations.loop import KeyedTurn
from telic.storage.transaction import Mode

if TYPE_CHECKING:
    # A hook loads neither the async store nor asyncio.
    from telic.store.async_store import AsyncGoalStore
    from telic.store.goal_store import GoalStore

# What comes of a judge only after its model was asked, or may have been.
_ASKED: Final = frozenset(
    {AttemptResult.ANSWERED, AttemptResult.UNDECIDED, AttemptResult.BAD_OUTPUT, AttemptResult.TIMED_OUT}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GoalCheck:
    """Which check of which goal is written. Its `key` makes writing repeatable: a second time changes nothing.

    A worker writes under its `lease`; a loop also stores the `state` at which it stands afterwards.
    """

    goal_id: str
    key: str
    lease: Lease | None = None
    state: LoopState | None = None


@overload
def settle(store: "GoalStore", check: GoalCheck, found: Verification) -> Goal: ...
@overload
def settle(store: "AsyncGoalStore", check: GoalCheck, found: Verification) -> Awaitable[Goal]: ...
def settle(store: "GoalStore | AsyncGoalStore", check: GoalCheck, found: Verification) -> Goal | Awaitable[Goal]:
    """The verdicts are recorded and the judges billed, all or nothing; return the goal after it.

    A goal whose criteria all passed is completed, also where the bill reaches its budget. One that lacks nothing but
    a person's answer is paused until it comes.

    Raises:
        StaleUpdate: the goal is no longer at the revision that was checked; see `bill_void_check`.
        LeaseLost: another worker has the goal.
        NotAllowed: the goal is finished.
        GoalNotFound, InvalidInput, KeyConflict, TurnConflict: nothing changed.
    """
    # In this order: a bill that reaches the budget pauses the goal, and would make the verdicts stale.
    call = store.new_call(Actor.VERIFIER, check.key, found.revision, check.lease)
    judged = judged_lines(check.key, found.verdicts)
    operation = partial(
        loop.settle, call=call, goal_id=check.goal_id, verification=found, judged=judged, state=check.state
    )
    return store.run("settle", operation, Mode.ATOMIC, check.key)


@overload
def bill_void_check(store: "GoalStore", check: GoalCheck, verdicts: Sequence[Verdict]) -> Goal: ...
@overload
def bill_void_check(store: "AsyncGoalStore", check: GoalCheck, verdicts: Sequence[Verdict]) -> Awaitable[Goal]: ...
def bill_void_check(
    store: "GoalStore | AsyncGoalStore", check: GoalCheck, verdicts: Sequence[Verdict]
) -> Goal | Awaitable[Goal]:
    """The judges are billed though their verdicts are void: what they consumed was spent all the same.

    Raises:
        LeaseLost: another worker has the goal.
        GoalNotFound, TurnConflict: nothing changed.
    """
    call = store.new_call(Actor.SYSTEM, check.key, lease=check.lease)
    judged = judged_lines(check.key, verdicts)
    operation = partial(loop.bill_judges, call=call, goal_id=check.goal_id, judged=judged, state=check.state)
    return store.run("bill_judges", operation, Mode.ATOMIC, check.key)


def judged_lines(key: str, verdicts: Sequence[Verdict]) -> list[KeyedTurn]:
    """Return the ledger's lines for what the judges consumed; each line's key begins with this one.

    One that was asked and did not say what it used has an estimate, of nothing, since nothing was held for it. One
    whose cost is unknown has an estimate of its tokens alone.
    """
    return [
        KeyedTurn(
            NewTurn(
                attempt.usage or TurnUsage(),
                UsageKind.JUDGE,
                attempt.model or None,
                is_estimate=attempt.usage is None or not attempt.cost_is_known,
            ),
            f"{key}/{verdict.index}/{number}",
        )
        for verdict in verdicts
        for number, attempt in enumerate(verdict.attempts)
        if attempt.usage is not None or attempt.result in _ASKED
    ]
