"""Accounting turns against budgets, and reserving budget beforehand."""

from collections.abc import Sequence

from telic.domain.budget import ModelUsage, TurnUsage, UsageKind
from telic.domain.events import Turn, TurnResult
from telic.domain.goal import Actor
from telic.domain.hold import Hold, Reservation
from telic.domain.lease import Lease
from telic.services.blocking.base import StoreBase
from telic.storage.operations import holds, ledger
from telic.storage.transaction import Mode


class LedgerCalls(StoreBase):
    """Accounting turns against budgets, and reserving budget beforehand."""

    def record_turn(
        self,
        goal_id: str,
        *,
        tokens: int | None = None,
        usage: TurnUsage | ModelUsage | None = None,
        kind: UsageKind = UsageKind.WORK,
        model: str | None = None,
        hold: str | None = None,
        lease: Lease | None = None,
        actor: Actor = Actor.HOST,
        key: str | None = None,
    ) -> TurnResult:
        """The turn is counted exactly once, whatever the goal's status; a reached budget pauses the goal.

        Give `tokens`, or a whole `usage`: a `TurnUsage` says what is billed, of a `ModelUsage` the goal's policy
        bills its part. Kinds other than work are no turns. The same key with the same usage gives the same turn
        and counts nothing; the goal's revision does not rise unless its budget is reached. `hold` names the hold
        that the turn settles, in the same transaction. With `lease`, the lease is checked in the same statement.

        Raises:
            TurnConflict: the key was recorded with other usage.
            HoldLost: the hold expired, or was settled or released; record the turn without it.
            LeaseLost: the lease expired, was released, or is another worker's.
            GoalNotFound, InvalidNumber, InvalidInput, NotAllowed: nothing changed.
        """
        turn = ledger.NewTurn(self._context.turn_usage(tokens, usage), kind, model, hold)
        call = self._context.call(actor, key, lease=lease)
        return self._driver.run(lambda tx: ledger.record_turn(tx, call, goal_id, turn), Mode.SINGLE, call.key)

    def turns(self, goal_id: str, *, after: int = 0, limit: int = 1000) -> Sequence[Turn]:
        """The goal's turns numbered above `after`, in order, at most `limit` (1 to 1,000). Raises as `get`."""
        return self._driver.run(lambda tx: ledger.turns(tx, goal_id, after=after, limit=limit), Mode.READ, None)

    def hold(
        self,
        goal_id: str,
        *,
        tokens: int = 0,
        turns: int = 1,
        active_microseconds: int = 0,
        cost_microunits: int = 0,
        ttl_seconds: float = 600.0,
        lease: Lease | None = None,
        actor: Actor = Actor.HOST,
        key: str | None = None,
    ) -> Hold:
        """The amounts are reserved until a turn settles the hold, it is released, or it expires.

        Granted only if used + held + asked stays within every budget that is set, in one statement. It expires
        after `ttl_seconds` (0.001 to 86,400) by itself. Usage that is no turn holds with `turns=0`. The same key
        with the same amounts gives the same hold.

        Raises:
            BudgetExceeded: there is no room.
            GoalNotActive: the goal is paused or finished.
            GoalNotFound, LeaseLost, KeyConflict, InvalidNumber, NotAllowed: nothing changed.
        """
        reserved = Reservation(
            tokens=tokens, turns=turns, active_microseconds=active_microseconds, cost_microunits=cost_microunits
        )
        call = self._context.call(actor, key, lease=lease)
        return self._driver.run(
            lambda tx: holds.place(tx, call, goal_id, reserved=reserved, ttl_seconds=ttl_seconds), Mode.SINGLE, call.key
        )

    def release(
        self, goal_id: str, hold: str, *, lease: Lease | None = None, actor: Actor = Actor.HOST, key: str | None = None
    ) -> Hold:
        """The open hold of this key is released: what it reserved is free again. Repeating it changes nothing.

        Raises:
            HoldLost: it expired, or was settled before, or never was.
            GoalNotFound, LeaseLost, InvalidInput, NotAllowed: nothing changed.
        """
        call = self._context.call(actor, key, lease=lease)
        return self._driver.run(lambda tx: holds.release(tx, call, goal_id, hold=hold), Mode.SINGLE, call.key)

    def holds(self, goal_id: str, *, after: str = "", limit: int = 1000) -> Sequence[Hold]:
        """The goal's holds with a key above `after`, in the order of their keys, at most `limit`. Raises as `get`.

        An `expired` one is uncertain: nobody said what its model call consumed, if anything.
        """
        return self._driver.run(lambda tx: holds.holds(tx, goal_id, after=after, limit=limit), Mode.READ, None)
