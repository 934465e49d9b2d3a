"""A goal that waits until a time goes on in its session when that time has come, without a worker that wakes it."""

from contextlib import suppress
from typing import Final

from telic.domain.errors import GoalError, LeaseHeld
from telic.domain.goal import GoalStatus
from telic.domain.limits import MAX_PAGE
from telic.store.goal_store import GoalStore

_LEASE_SECONDS: Final = 1.0


def wake_what_is_due(store: GoalStore, scope: str, holder: str) -> None:
    """The scope's goals whose time has come are awake, as a worker would have woken them; nobody's lease is kept."""
    if store.active(scope) is not None:
        return
    paused = store.list(scope=scope, status=GoalStatus.PAUSED, limit=MAX_PAGE).goals
    times = [goal.wake_at for goal in paused if goal.wake_at is not None]
    # By the database's clock, which has the goal woken; this machine's may be wrong.
    if not times or min(times) > store.now():
        return
    with suppress(LeaseHeld):
        for lease in store.claim_due(scope=scope, holder=holder, ttl_seconds=_LEASE_SECONDS):
            with suppress(GoalError):
                store.release_lease(lease)
