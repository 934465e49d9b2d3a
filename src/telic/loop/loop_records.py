"""What an autonomous loop reads and writes of its goal, through the async store that it was given."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from telic.domain.budget import TurnUsage
from telic.domain.events import TurnResult
from telic.domain.goal import (
    Actor,
    Goal,
    Reason,
    Wake,
)
from telic.domain.lease import Hold, Lease
from telic.domain.loop_state import LoopState
from telic.domain.verdict import Verdict
from telic.domain.verification import Verification
from telic.services.settlement import GoalCheck, bill_void_check, settle
from telic.storage.operations import holds, loop
from telic.storage.operations.ledger import NewTurn
from telic.storage.operations.loop import KeyedTurn, TurnHold
from telic.storage.transaction import Mode

if TYPE_CHECKING:
    from telic.store.async_store import AsyncGoalStore

__all__ = ["KeyedTurn", "LoopRecords", "NewTurn", "TurnHold"]


class LoopRecords:
    """One goal's loop, as its rows tell of it; everything is written under the lease that is passed."""

    def __init__(self, store: "AsyncGoalStore", goal_id: str) -> None:
        self._store = store
        self._goal_id = goal_id

    async def load(self) -> tuple[Goal, LoopState]:
        """The goal as it stands, and where its loop stands. Raises as `AsyncGoalStore.get`."""
        return await self._store.run("load_loop", partial(loop.load, goal_id=self._goal_id), Mode.READ)

    async def save(self, lease: Lease | None, state: LoopState) -> None:
        """Where the loop stands is stored.

        Raises:
            LeaseLost: another worker has the goal.
        """
        call = self._store.new_call(Actor.SYSTEM, None, lease=lease)
        operation = partial(loop.save, call=call, goal_id=self._goal_id, state=state)
        await self._store.run("save_loop", operation, Mode.ATOMIC, call.key)

    async def begin_turn(self, lease: Lease, asked: TurnHold) -> Hold:
        """Budget for the turn is held, as far as it is free up to what is asked. Raises as `AsyncGoalStore.hold`.

        What a former worker had held for the same turn is an estimate in the ledger, also where nothing is held then.
        """
        call = self._store.new_call(Actor.SYSTEM, asked.key, lease=lease)
        former = partial(loop.take_over, call=call, goal_id=self._goal_id, asked=asked)
        await self._store.run("take_over", former, Mode.ATOMIC, asked.key)
        operation = partial(loop.begin_turn, call=call, goal_id=self._goal_id, asked=asked)
        return await self._store.run("begin_turn", operation, Mode.ATOMIC, asked.key)

    async def raise_hold(self, lease: Lease, hold: Hold, used: TurnUsage) -> None:
        """The turn's hold reserves at least what it has used, and tells of it should the loop die."""
        call = self._store.new_call(Actor.SYSTEM, None, lease=lease)
        operation = partial(holds.raise_to, call=call, goal_id=self._goal_id, hold=hold.key, used=used)
        await self._store.run("raise_hold", operation, Mode.SINGLE, call.key)

    async def finish_turn(self, lease: Lease | None, turn: KeyedTurn, state: LoopState) -> TurnResult:
        """The turn is recorded and the state stored: both, or neither. Raises as `AsyncGoalStore.record_turn`."""
        call = self._store.new_call(Actor.SYSTEM, turn.key, lease=lease)
        operation = partial(loop.finish_turn, call=call, goal_id=self._goal_id, turn=turn, state=state)
        return await self._store.run("finish_turn", operation, Mode.ATOMIC, turn.key)

    async def pause(
        self,
        lease: Lease,
        reason: Reason,
        state: LoopState,
        *,
        note: str | None = None,
        wake: Wake | None = None,
        expected_revision: int | None = None,
    ) -> Goal:
        """The goal is paused and the state stored: both, or neither. Raises as `AsyncGoalStore.pause`."""
        call = self._store.new_call(Actor.SYSTEM, None, expected_revision, lease)
        operation = partial(
            loop.pause, call=call, goal_id=self._goal_id, reason=reason, note=note, wake=wake, state=state
        )
        return await self._store.run("pause", operation, Mode.ATOMIC, call.key)

    async def settle(self, lease: Lease | None, key: str, state: LoopState, found: Verification) -> Goal:
        """The verdicts are recorded, the judges billed, the state stored: all, or nothing. Raises as `settle`."""
        check = GoalCheck(goal_id=self._goal_id, key=key, lease=lease, state=state)
        return await settle(self._store, check, found)

    async def bill_void_check(
        self, lease: Lease | None, key: str, state: LoopState, verdicts: Sequence[Verdict]
    ) -> Goal:
        """The judges are billed and the state stored: both, or neither. Raises as `bill_void_check`."""
        check = GoalCheck(goal_id=self._goal_id, key=key, lease=lease, state=state)
        return await bill_void_check(self._store, check, verdicts)
