"""Accounting turns against budgets, and reserving budget beforehand."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial

from telic.domain.budget import ModelUsage, TurnUsage, UsageKind
from telic.domain.errors import BudgetExceeded, StoreError
from telic.domain.events import Turn, TurnResult
from telic.domain.goal import Actor, Goal
from telic.domain.hold import Hold, Reservation
from telic.domain.lease import Lease
from telic.storage.operations import estimates, holds, ledger
from telic.storage.operations.call import Call
from telic.storage.transaction import Mode
from telic.store.asynchronous.ended import EndedCalls


class LedgerCalls(EndedCalls):
    """Accounting turns against budgets, and reserving budget beforehand."""

    async def record_turn(
        self,
        goal_id: str,
        *,
        tokens: int | None = None,
        usage: TurnUsage | ModelUsage | None = None,
        kind: UsageKind = UsageKind.WORK,
        model: str | None = None,
        hold: str | None = None,
        is_estimate: bool = False,
        lease: Lease | None = None,
        actor: Actor = Actor.HOST,
        key: str | None = None,
    ) -> TurnResult:
        """The turn is counted exactly once, whatever the goal's status; a reached budget pauses the goal.

        Give `tokens`, or a whole `usage`: a `TurnUsage` says what is billed, of a `ModelUsage` the goal's policy
        bills its part. Kinds other than work are no turns. The same key with the same usage gives the same turn
        and counts nothing; the goal's revision does not rise unless its budget is reached. `hold` names the hold
        that the turn settles, in the same transaction. With `lease`, the lease is checked in the same statement.

        With `is_estimate`, the line says that the usage is not known, but estimated. Where an estimate stands for the
        hold, be it such a line or what was held when it expired, the turn takes its place: another line takes the
        estimate back, so that the goal's usage is the turn's.

        Raises:
            TurnConflict: the key was recorded with other usage.
            HoldLost: the hold was settled or released, or its expiry freed it; record the turn without it.
            LeaseLost: the lease expired, was released, or is another worker's.
            GoalNotFound, InvalidNumber, InvalidInput, NotAllowed: nothing changed.
        """
        turn = ledger.NewTurn(self._context.turn_usage(tokens, usage), kind, model, hold, is_estimate)
        call = self._context.call(actor, key, lease=lease)
        try:
            once = partial(ledger.record_turn, call=call, goal_id=goal_id, new=turn)
            recorded = await self._driver.run(once, Mode.SINGLE, call.key)
        except ledger.HoldEstimated:
            instead = partial(estimates.record_turn, call=call, goal_id=goal_id, new=turn)
            recorded = await self._driver.run(instead, Mode.ATOMIC, call.key)
        if not recorded.has_overdue_holds:
            return recorded.result
        return replace(recorded.result, goal=await self._count_expired(goal_id, call) or recorded.goal)

    async def _count_expired(self, goal_id: str, call: Call) -> Goal | None:
        """The goal's expired holds are in the ledger; None where the store failed, and they go on reserving."""
        count = partial(estimates.count_expired, at=call.at, goal_id=goal_id)
        with suppress(StoreError):
            return await self._driver.run(count, Mode.ATOMIC, None)
        return None

    async def turns(self, goal_id: str, *, after: int = 0, limit: int = 1000) -> Sequence[Turn]:
        """The goal's turns numbered above `after`, in order, at most `limit` (1 to 1,000). Raises as `get`."""
        return await self._driver.run(lambda tx: ledger.turns(tx, goal_id, after=after, limit=limit), Mode.READ, None)

    async def hold(
        self,
        goal_id: str,
        *,
        tokens: int = 0,
        turns: int = 1,
        active_microseconds: int = 0,
        cost_microunits: int = 0,
        ttl_seconds: float = 600.0,
        frees_on_expiry: bool = False,
        lease: Lease | None = None,
        actor: Actor = Actor.HOST,
        key: str | None = None,
    ) -> Hold:
        """The amounts are reserved until a turn settles the hold or it is released.

        Granted only if used + held + asked stays within every budget that is set, in one statement. It expires
        after `ttl_seconds` (0.001 to 86,400): its request may have been sent, so what was held becomes a line of the
        ledger that is marked as an estimate, and stays reserved until then. With `frees_on_expiry`, which is for
        hosts that know that nothing was sent, it is free again instead. Usage that is no turn holds with `turns=0`.
        The same key with the same amounts gives the same hold.

        Raises:
            BudgetExceeded: there is no room.
            GoalNotActive: the goal is paused or finished.
            GoalNotFound, LeaseLost, KeyConflict, InvalidNumber, NotAllowed: nothing changed.
        """
        reserved = Reservation(
            tokens=tokens, turns=turns, active_microseconds=active_microseconds, cost_microunits=cost_microunits
        )
        call = self._context.call(actor, key, lease=lease)
        asked = holds.NewHold(reserved=reserved, ttl_seconds=ttl_seconds, frees_on_expiry=frees_on_expiry)
        try:
            placed = await self._driver.run(lambda tx: holds.place(tx, call, goal_id, asked), Mode.SINGLE, call.key)
        except BudgetExceeded as refusal:
            if refusal.held:
                await self._count_expired(goal_id, call)
            raise
        if placed.has_overdue_holds:
            await self._count_expired(goal_id, call)
        return placed.hold

    async def release(
        self, goal_id: str, hold: str, *, lease: Lease | None = None, actor: Actor = Actor.HOST, key: str | None = None
    ) -> Hold:
        """The hold of this key is released: what it reserved is free again. Repeating it changes nothing.

        Where an estimate stands for it, because it expired, that is taken back by another line of the ledger.

        Raises:
            HoldLost: its expiry freed it, or it was settled before, or never was.
            GoalNotFound, LeaseLost, InvalidInput, NotAllowed: nothing changed.
        """
        call = self._context.call(actor, key, lease=lease)
        try:
            return await self._driver.run(lambda tx: holds.release(tx, call, goal_id, hold=hold), Mode.SINGLE, call.key)
        except ledger.HoldEstimated:
            instead = partial(estimates.release, call=call, goal_id=goal_id, hold=hold)
            return await self._driver.run(instead, Mode.ATOMIC, call.key)

    async def holds(self, goal_id: str, *, after: str = "", limit: int = 1000) -> Sequence[Hold]:
        """The goal's holds with a key above `after`, in the order of their keys, at most `limit`. Raises as `get`.

        An `expired` one is uncertain: nobody said what its model call consumed, if anything. Of an `estimated` one
        the ledger has an estimate, by `turn_key`; those of a goal that has ended become one as soon as they expire.
        """
        await self._count_expired_of_ended(goal_id)
        return await self._driver.run(lambda tx: holds.holds(tx, goal_id, after=after, limit=limit), Mode.READ, None)
