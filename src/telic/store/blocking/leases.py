# Generated from src/telic/store/asynchronous/leases.py: change that, then run `make generate`.

"""Who may drive a goal."""

from telic.domain.clock import Instant
from telic.domain.goal import Actor, Goal
from telic.domain.lease import Lease, LeaseState
from telic.storage.operations import leases, waits
from telic.storage.transaction import Mode
from telic.store.blocking.base import StoreBase

DEFAULT_TTL_SECONDS = 60.0


class LeaseCalls(StoreBase):
    """Who may drive a goal.

    A lease granted by a call whose answer was lost (`OutcomeUnknown`) frees itself; the same holder may also claim
    the goal again at once.
    """

    def claim(
        self,
        goal_id: str | None = None,
        *,
        scope: str | None = None,
        holder: str,
        ttl_seconds: float = DEFAULT_TTL_SECONDS,
    ) -> Lease:
        """The holder alone may drive the active goal (by id, or of a scope) for `ttl_seconds` (0.001 to 86,400).

        Each grant has a higher token. A holder that has the lease already is granted it anew, and its former token
        is void. It expires by the database's clock on PostgreSQL, and on SQLite by one that nobody can set.

        Raises:
            LeaseHeld: another worker has it; the error says who, and for how long.
            GoalNotActive: the goal is paused or finished, or the scope has none.
            GoalNotFound, InvalidInput: nothing changed.
        """
        return self.run(
            "claim",
            lambda tx: leases.claim(tx, goal_id=goal_id, scope=scope, holder=holder, ttl_seconds=ttl_seconds),
            Mode.SINGLE,
        )

    def claim_due(
        self,
        *,
        holder: str,
        scope: str | None = None,
        ttl_seconds: float = DEFAULT_TTL_SECONDS,
        limit: int = 1,
    ) -> list[Lease]:
        """Up to `limit` (1 to 1,000) active goals that nobody drives are the holder's.

        Those that a dead worker left come first, then those served longest ago. Goals whose time to wake has come by
        the database's clock are woken before. Any number of workers may ask at once: each goal is
        woken once and granted once, and none is left out for ever.

        Raises:
            InvalidInput: an argument is unusable.
        """
        call = self._context.call(Actor.SYSTEM, None)
        return self.run(
            "claim_due",
            lambda tx: waits.claim_what_is_due(
                tx, call, scope=scope, holder=holder, ttl_seconds=ttl_seconds, limit=limit
            ),
            Mode.ATOMIC,
        )

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
        return self.run("release_lease", lambda tx: leases.release(tx, lease, pause_seconds=pause_seconds), Mode.SINGLE)

    def lease(self, goal_id: str) -> LeaseState:
        """Who may drive the goal now. Raises as `get`."""
        return self.run("lease", lambda tx: leases.lease(tx, goal_id), Mode.READ)

    def now(self) -> Instant:
        """The present instant by the database's clock, which decides when a wait is over.

        That is the server's clock on PostgreSQL, and the machine's on SQLite.
        """
        return self.run("now", waits.now, Mode.READ)
