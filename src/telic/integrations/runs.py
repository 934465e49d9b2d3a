"""Runs of an agent on its goal: one after the other while the goal is active, each cancelled when somebody stops it."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from telic.domain.errors import GoalNotActive
from telic.domain.goal import Goal, GoalStatus, Reason
from telic.domain.loop_state import Claim
from telic.integrations.session import SPENT, GoalSession

T = TypeVar("T")

CONTINUE: Final = "Continue."
"""The text that stays in a conversation which goes on by itself; each request shows what it goes on with."""

_OWN_REASONS: Final = (Reason.ASSERTED, Reason.VERIFIED, Reason.BLOCKED, Reason.WAITING)
"""The reasons of a goal that its model's report has stopped."""


@dataclass(frozen=True, slots=True)
class RunOutcome(Generic[T]):
    """The goal as it stands, and what the agent's last whole run gave, if there was one.

    An active goal with the claim `complete` waits for the host to check its criteria. An active goal without a claim
    was left since the agent needs the host, or after as many runs as the settings allow.
    """

    goal: Goal | None
    result: T | None
    claim: Claim


@dataclass(frozen=True, slots=True)
class EndedRun(Generic[T]):
    """The result of a run, if it came to its end. Another run does not help where the agent `needs_host`."""

    result: T | None
    needs_host: bool = False


async def run_while_active(
    session: GoalSession, prompt: object, once: Callable[[Any], Coroutine[Any, Any, EndedRun[T]]]
) -> RunOutcome[T]:
    """Return what came of runs, one after the other, until the goal stopped or the agent needs the host.

    Without a prompt the goal alone is what the agent works on.

    Raises:
        GoalNotActive: the scope has no active goal.
    """
    await session.start(continues=prompt is None)
    given = CONTINUE if prompt is None else prompt
    last: T | None = None
    with suppress(GoalNotActive):
        for _ in range(session.settings.max_runs):
            ended = await guarded(session, once(given))
            last = last if ended.result is None else ended.result
            if ended.needs_host or await session.goes_on() is None:
                break
            given = CONTINUE
            await session.start(continues=True)
    return await outcome_of(session, last)


async def outcome_of(session: GoalSession, result: T | None) -> RunOutcome[T]:
    """Return the outcome of the session's runs, of which the last whole one gave this result."""
    return RunOutcome(await session.latest(), result, session.claim)


async def guarded(session: GoalSession, work: Awaitable[T]) -> T:
    """Return what the work gave; cancel it, and wait for its end, when somebody stops the goal.

    A budget that was reached, or the model's own report, cancels nothing: no other call begins then.

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
        # A cancelled call may still be writing its estimate, which has to be there before the store is closed.
        await session.wait_until_recorded()
    return task.result()


async def _stopped_by_somebody(session: GoalSession) -> Goal | None:
    seen = session.seen
    if seen is None or seen.status is not GoalStatus.ACTIVE:
        return None
    goal = await session.with_retries(lambda: session.store.get(seen.id))
    is_spent = goal.reason in SPENT
    # The model's own report may be in the store before its caller knows.
    is_own = session.conversation.tools_at_work > 0 and goal.reason in _OWN_REASONS
    is_still_shown = session.seen is seen
    return None if goal.status is GoalStatus.ACTIVE or is_spent or is_own or not is_still_shown else goal
