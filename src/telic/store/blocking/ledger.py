# Generated from src/telic/store/asynchronous/ledger.py: change that, then run `make generate`.

"""Recording turns against budgets, reserving budget beforehand, and the leases of those who do the work."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from telic.domain.budget import ModelUsage, TurnUsage, UsageKind, microseconds_of, microunits_of
from telic.domain.clock import Instant
from telic.domain.errors import BudgetExceeded, StoreError
from telic.domain.events import Turn, TurnResult
from telic.domain.goal import Actor, Goal
from telic.domain.lease import Hold, Lease, LeaseState, Reservation
from telic.domain.limits import check_choice
from telic.storage.operations import estimates, holds, leases, ledger
from telic.storage.operations.call import Call
from telic.storage.transaction import LimitViolated, Mode
from telic.store.blocking.base import StoreBase

if TYPE_CHECKING:
    from telic.domain.budget import Cost

DEFAULT_TTL_SECONDS = 60.0


class LedgerMethods(StoreBase):
    """Recording turns against budgets, reserving budget beforehand, and leases.

    A lease granted by a call whose answer was lost (`OutcomeUnknown`) frees itself; the same worker may also claim
    the goal again at once.
    """

    def record_turn(
        self,
        goal_id: str,
        *,
        tokens: int | None = None,
        usage: TurnUsage | ModelUsage | None = None,
        kind: UsageKind | str = UsageKind.WORK,
        model: str | None = None,
        hold: str | None = None,
        is_estimate: bool = False,
        lease: Lease | None = None,
        actor: Actor | str = Actor.HOST,
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

        Usage that is more than the goal's counters can take is counted as far as it fits: an event of the kind
        `usage_clipped` has the amounts that were told, and the goal is paused as failed.

        Raises:
            TurnConflict: the key was recorded with other usage.
            HoldLost: the hold was settled or released, or its expiry freed it; record the turn without it.
            LeaseLost: the lease expired, was released, or is another worker's.
            GoalNotFound, InvalidNumber, InvalidInput, NotAllowed: nothing changed.
        """
        kind = check_choice(UsageKind, "the kind of usage", kind)
        turn = ledger.NewTurn(self._context.turn_usage(tokens, usage), kind, model, hold, is_estimate)
        return self._record(goal_id, turn, self._context.call(actor, key, lease=lease))

    def _record(self, goal_id: str, turn: ledger.NewTurn, call: Call) -> TurnResult:
        try:
            once = partial(ledger.record_turn, call=call, goal_id=goal_id, new=turn)
            recorded = self.run("record_turn", once, Mode.SINGLE, call.key)
        except (ledger.HoldEstimated, LimitViolated):
            # Rare, and more than one statement: only then is the transaction paid for (ADR 21).
            instead = partial(estimates.record_turn, call=call, goal_id=goal_id, new=turn)
            recorded = self.run("record_turn", instead, Mode.ATOMIC, call.key)
        if not recorded.has_overdue_holds:
            return recorded.result
        # The statement that recorded the turn saw them on its way, so that nobody has to look for them (ADR 21).
        return replace(recorded.result, goal=self._count_expired(goal_id, call) or recorded.goal)

    def _count_expired(self, goal_id: str, call: Call) -> Goal | None:
        """The goal's expired holds are in the ledger; None where the store failed, and they go on reserving."""
        count = partial(estimates.count_expired, at=call.at, goal_id=goal_id)
        with suppress(StoreError):
            return self.run("count_expired", count, Mode.ATOMIC)
        return None

    def turns(self, goal_id: str, *, after: int = 0, limit: int = 1000) -> Sequence[Turn]:
        """Return the goal's turns numbered above `after`, in order, at most `limit` (1 to 1,000).

        Raises:
            GoalNotFound, InvalidNumber: there is no such goal, or a number is out of its range.
        """
        return self.run("turns", lambda tx: ledger.turns(tx, goal_id, after=after, limit=limit), Mode.READ)

    def hold(
        self,
        goal_id: str,
        *,
        tokens: int = 0,
        turns: int = 1,
        active_microseconds: int = 0,
        cost_microunits: int = 0,
        cost: "Cost | None" = None,
        time: timedelta | None = None,
        ttl_seconds: float = 600.0,
        frees_on_expiry: bool = False,
        lease: Lease | None = None,
        actor: Actor | str = Actor.HOST,
        key: str | None = None,
    ) -> Hold:
        """The amounts are reserved until a turn settles the hold or it is released.

        Granted only if used + held + asked stays within every budget that is set, in one statement. It expires
        after `ttl_seconds` (0.001 to 86,400): its request may have been sent, so what was held becomes a line of the
        ledger that is marked as an estimate, and stays reserved until then. With `frees_on_expiry`, which is for
        hosts that know that nothing was sent, it is free again instead. Usage that is no turn holds with `turns=0`.
        The same key with the same amounts gives the same hold. A cost and a time may be given as a `Budget`'s are.

        Raises:
            BudgetExceeded: there is no room.
            GoalNotActive: the goal is paused or finished.
            GoalNotFound, LeaseLost, KeyConflict, InvalidNumber, NotAllowed: nothing changed.
        """
        reserved = Reservation(
            tokens=tokens,
            turns=turns,
            active_microseconds=microseconds_of(time, active_microseconds),
            cost_microunits=microunits_of(cost, cost_microunits),
        )
        asked = holds.NewHold(reserved=reserved, ttl_seconds=ttl_seconds, frees_on_expiry=frees_on_expiry)
        return self._place(goal_id, asked, self._context.call(actor, key, lease=lease))

    def _place(self, goal_id: str, asked: holds.NewHold, call: Call) -> Hold:
        try:
            placed = self.run("hold", lambda tx: holds.place(tx, call, goal_id, asked), Mode.SINGLE, call.key)
        except BudgetExceeded as refusal:
            if refusal.held:
                # An expired hold may be what leaves no room: counted, it shows in the ledger why there is none.
                self._count_expired(goal_id, call)
            raise
        if placed.has_overdue_holds:
            self._count_expired(goal_id, call)
        return placed.hold

    def release(
        self,
        goal_id: str,
        hold: str,
        *,
        lease: Lease | None = None,
        actor: Actor | str = Actor.HOST,
        key: str | None = None,
    ) -> Hold:
        """The hold of this key is released: what it reserved is free again. Repeating it changes nothing.

        Where an estimate stands for it, because it expired, that is taken back by another line of the ledger.

        Raises:
            HoldLost: its expiry freed it, or it was settled before, or never was.
            GoalNotFound, LeaseLost, InvalidInput, NotAllowed: nothing changed.
        """
        call = self._context.call(actor, key, lease=lease)
        try:
            once = partial(holds.release, call=call, goal_id=goal_id, hold=hold)
            return self.run("release", once, Mode.SINGLE, call.key)
        except ledger.HoldEstimated:
            instead = partial(estimates.release, call=call, goal_id=goal_id, hold=hold)
            return self.run("release", instead, Mode.ATOMIC, call.key)

    def holds(self, goal_id: str, *, after: str = "", limit: int = 1000) -> Sequence[Hold]:
        """Return the goal's holds with a key above `after`, in the order of their keys, at most `limit` (1 to 1,000).

        An `expired` one is uncertain: nobody said what its model call consumed, if anything. Of an `estimated` one
        the ledger has an estimate, by `turn_key`; those of a goal that has ended become one as soon as they expire.

        Raises:
            GoalNotFound, InvalidNumber: there is no such goal, or the limit is out of its range.
        """
        self._count_expired_of_ended(goal_id)
        return self.run("holds", lambda tx: holds.holds(tx, goal_id, after=after, limit=limit), Mode.READ)

    def claim(
        self,
        goal_id: str | None = None,
        *,
        scope: str | None = None,
        worker: str,
        ttl_seconds: float = DEFAULT_TTL_SECONDS,
    ) -> Lease:
        """The `worker` has the lease of the active goal, by id or scope, for `ttl_seconds` (0.001 to 86,400).

        Each grant has a higher token. A worker that has the lease already is granted it once more, and its former token
        is void. It expires by the database's clock on PostgreSQL, and on SQLite by one that nobody can set.

        Raises:
            LeaseHeld: another worker has it; the error says who, and for how long.
            GoalNotActive: the goal is paused or finished, or the scope has none.
            GoalNotFound, InvalidInput: nothing changed.
        """
        claim = partial(leases.claim, goal_id=goal_id, scope=scope, worker=worker, ttl_seconds=ttl_seconds)
        return self.run("claim", claim, Mode.SINGLE)

    def claim_due(
        self,
        *,
        worker: str,
        scope: str | None = None,
        ttl_seconds: float = DEFAULT_TTL_SECONDS,
        limit: int = 1,
    ) -> list[Lease]:
        """The `worker` has the leases of up to `limit` (1 to 1,000) active goals that nobody drives.

        Those that a dead worker left come first, then those served longest ago. Goals whose time to wake has come by
        the database's clock are woken before. Any number of workers may ask at once: each goal is
        woken once and granted once, and none is left out for ever.

        Raises:
            InvalidInput: an argument is unusable.
        """
        call = self._context.call(Actor.SYSTEM, None)
        claim = partial(leases.claim_due, scope=scope, worker=worker, ttl_seconds=ttl_seconds, limit=limit)
        return self.run("claim_due", lambda tx: claim(tx, call), Mode.ATOMIC)

    def renew(self, lease: Lease, *, ttl_seconds: float = DEFAULT_TTL_SECONDS) -> Lease:
        """The lease lasts for another `ttl_seconds` from now, and carries the goal as it stands.

        Raises:
            LeaseLost: it expired, was released, or another worker has the goal; stop working on it.
            InvalidInput: an argument is unusable.
        """
        return self.run("renew", lambda tx: leases.renew(tx, lease, ttl_seconds=ttl_seconds), Mode.SINGLE)

    def release_lease(self, lease: Lease, *, pause_seconds: float = 0) -> Goal:
        """The lease is over: another worker may claim the goal at once. Repeating it changes nothing.

        For `pause_seconds` (0 to 86,400) `claim_due` leaves the goal out, unless somebody changes it; `claim` does
        not.

        Raises:
            InvalidNumber: the pause is out of its range.
            LeaseLost: it expired, or another worker was granted the goal since.
        """
        release = partial(leases.release, held=lease, pause_seconds=pause_seconds)
        return self.run("release_lease", release, Mode.SINGLE)

    def lease(self, goal_id: str) -> LeaseState:
        """Return who may drive the goal now.

        Raises:
            GoalNotFound: there is no goal with this id.
        """
        return self.run("lease", lambda tx: leases.lease(tx, goal_id), Mode.READ)

    def now(self) -> Instant:
        """The present instant by the database's clock, which decides when a wait is over.

        That is the server's clock on PostgreSQL, and the machine's on SQLite.
        """
        return self.run("now", leases.now, Mode.READ)
