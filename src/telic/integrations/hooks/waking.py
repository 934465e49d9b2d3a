"""A goal that waits until a time goes on in its session when that time has come, without a worker that wakes it."""

from contextlib import suppress
from typing import Final

from telic.domain.clock import SystemClock
from telic.domain.errors import GoalError, LeaseHeld
from telic.domain.goal import GoalStatus
from telic.domain.limits import MAX_PAGE
from telic.services.store import GoalStore

_LEASE_SECONDS: Final = 1.0


def wake_what_is_due(store: GoalStore, scope: str, holder: str) -> None:
    """The scope's goals whose time has come are awake, as a worker would have woken them; nobody's lease is kept."""
    if store.active(scope) is not None:
        return
    now = SystemClock().now()
    paused = store.list(scope=scope, status=GoalStatus.PAUSED, limit=MAX_PAGE).goals
    if not any(goal.wake_at is not None and goal.wake_at <= now for goal in paused):
        return
    with suppress(LeaseHeld):
        for lease in store.claim_due(scope=scope, holder=holder, ttl_seconds=_LEASE_SECONDS):
            with suppress(GoalError):
                store.release_lease(lease)
