"""Cancels work on a goal when somebody stops the goal."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar

from telic.domain.errors import GoalNotActive
from telic.domain.goal import Goal, GoalStatus, Reason

if TYPE_CHECKING:
    from telic.integrations.session import GoalSession

T = TypeVar("T")

_OWN_REASONS: Final = (Reason.ASSERTED, Reason.VERIFIED, Reason.BLOCKED, Reason.WAITING)
"""Why a goal stops by its model's report."""

SPENT: Final = (Reason.BUDGET, Reason.FAILED)
"""Why a goal is paused by what its own calls consumed."""


async def guarded(session: "GoalSession", work: Coroutine[Any, Any, T]) -> T:
    """Return what the work gave; cancel it, and wait for its end, when somebody stops the goal.

    Raises:
        GoalNotActive: somebody paused, cleared or replaced the goal; the error has it.
    """
    task = asyncio.ensure_future(work)
    try:
        while not task.done():
            await asyncio.wait({task}, timeout=session.settings.heartbeat_seconds)
            goal = None if task.done() else await _stopped_by_somebody(session)
            if goal is not None:
                raise GoalNotActive(f"goal {goal.id} is {goal.status}: its run was cancelled", goal)
    finally:
        if not task.done():
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task
        await session.settled()
    return task.result()


async def _stopped_by_somebody(session: "GoalSession") -> Goal | None:
    seen = session.seen
    if seen is None or seen.status is not GoalStatus.ACTIVE:
        return None
    goal = await session.patiently(lambda: session.store.get(seen.id))
    is_spent = goal.reason in SPENT
    # The model's own report may be in the store before whoever made it has heard so.
    is_own = session.conversation.tools_at_work > 0 and goal.reason in _OWN_REASONS
    is_still_shown = session.seen is seen
    return None if goal.status is GoalStatus.ACTIVE or is_spent or is_own or not is_still_shown else goal
