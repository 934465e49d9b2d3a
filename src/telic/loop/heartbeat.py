"""Keeps a lease while work goes on, and ends the work when its goal is stopped or the lease is lost."""

import asyncio
import contextvars
import time
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from telic.domain.errors import PASSING, LeaseLost
from telic.domain.goal import Goal
from telic.domain.lease import Lease
from telic.loop.agents.process_group import Deadline
from telic.observability.observer import LeaseRanOut
from telic.store.async_store import AsyncGoalStore

T = TypeVar("T")

_ENDING_SECONDS: Final = 8.0
_ENDING_PART: Final = 0.25
"""The last seconds of a lease, in which the agent is asked to stop, and killed if it does not (ADR 26)."""
_MARGIN_SECONDS: Final = 1.0
_MARGIN_PART: Final = 0.1
"""The last seconds, at which watchdogs kill this worker's processes if the worker itself did not end them."""


class GoalStopped(Exception):
    """Somebody stopped or changed the goal while work on it went on; the work was cancelled."""

    code: Final = "stopped"

    def __init__(self, goal: Goal) -> None:
        super().__init__(f"goal {goal.id} is {goal.status} at revision {goal.revision}")
        self.goal = goal


class Heartbeat:
    """Renews one lease every `interval_seconds`, and at once when `beat_now` is called."""

    def __init__(self, store: AsyncGoalStore, lease: Lease, *, interval_seconds: float, ttl_seconds: float) -> None:
        self._store = store
        self._interval_seconds = interval_seconds
        self._ttl_seconds = ttl_seconds
        self._beat_asked = asyncio.Event()
        self._deadline = Deadline()
        self.keep(lease, time.monotonic())

    def keep(self, lease: Lease, asked_at: float) -> None:
        """The lease, asked for at this moment of the monotonic clock, was granted or renewed."""
        self.lease = lease
        self._deadline.move(asked_at + self._ttl_seconds - min(_MARGIN_SECONDS, self._ttl_seconds * _MARGIN_PART))
        self._gives_up_at = asked_at + self._ttl_seconds - min(_ENDING_SECONDS, self._ttl_seconds * _ENDING_PART)

    @property
    def has_run_out(self) -> bool:
        """Return whether the lease has run out by this worker's own clock, so that work must end now."""
        return time.monotonic() >= self._gives_up_at

    def beat_now(self) -> None:
        """Renew the lease now, instead of after the interval."""
        self._beat_asked.set()

    async def guard(self, work: Coroutine[Any, Any, T], goal: Goal) -> T:
        """Return the result of the work on this goal, unless the goal was stopped or changed, or the lease lost.

        Then the work was cancelled, and has ended. Another budget alone lets the work go on.

        Raises:
            GoalStopped: the goal was paused, also if it was resumed at once, or finished, or edited.
            LeaseLost: another worker may have the goal, or the store was away for longer than the lease lasts.
        """
        context = contextvars.copy_context()
        context.run(self._deadline.apply)
        task = asyncio.get_running_loop().create_task(work, context=context)
        try:
            while not task.done():
                await self._next_beat(task)
                if not task.done():
                    await self.beat()
                    if not task.done() and _is_overtaken(goal, self.lease.goal):
                        raise GoalStopped(self.lease.goal)
                    goal = self.lease.goal
        finally:
            task.cancel()
            await _end(task)
        return task.result()

    async def _next_beat(self, task: "asyncio.Future[Any]") -> None:
        beat_now = asyncio.ensure_future(self._beat_asked.wait())
        try:
            await asyncio.wait({task, beat_now}, timeout=self._interval_seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            beat_now.cancel()
            self._beat_asked.clear()

    async def beat(self) -> None:
        """The lease is renewed, and `lease.goal` is the goal as it stands.

        Raises:
            LeaseLost: it could not be, for as long as it lasts.
        """
        asked_at = time.monotonic()
        renewal = asyncio.ensure_future(self._store.renew(self.lease, ttl_seconds=self._ttl_seconds))
        # It may fail after nobody waits for it any more.
        renewal.add_done_callback(look_at)
        try:
            # A store that takes long to answer, or to be cancelled, must not keep the work going beyond the lease.
            await asyncio.wait({renewal}, timeout=self._gives_up_at - asked_at)
            if renewal.done():
                self.keep(renewal.result(), asked_at)
        except PASSING:
            # The next beat asks again, while the lease lasts.
            pass
        finally:
            renewal.cancel()
        if self.has_run_out:
            self._store.observer.report(LeaseRanOut(self.lease.goal))
            raise LeaseLost("it could not be renewed in time: this process stood still, or the store was away")

    async def rest(self, seconds: float, goal: Goal) -> None:
        """Wait for the seconds, under `guard`.

        Raises:
            GoalStopped, LeaseLost: see `guard`.
        """
        await self.guard(asyncio.sleep(seconds), goal)


async def _end(task: "asyncio.Future[Any]") -> None:
    # Work may take a while to stop its processes: a cancellation of this task passes only afterwards.
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    look_at(task)
    if cancelled is not None:
        raise cancelled


def look_at(task: "asyncio.Future[Any]") -> None:
    """The ended task's exception counts as seen: the event loop would else report it."""
    if not task.cancelled():
        task.exception()


def _is_overtaken(before: Goal, now: Goal) -> bool:
    # One change of the budget is one revision; a pause and a resumption are two.
    is_same = (before.status, before.text, before.criteria) == (now.status, now.text, now.criteria)
    return not is_same or now.revision > before.revision + 1
