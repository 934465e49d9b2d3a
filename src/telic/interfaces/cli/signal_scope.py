"""Driving one goal from the shell until a signal stops it: the first ends it cleanly, the second at once."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from telic.domain.errors import GoalError, InvalidTransition
from telic.domain.goal import Goal, GoalStatus
from telic.domain.lifecycle import NamedActor
from telic.interfaces.cli.progress import ProgressView
from telic.loop.agents.process_group import kill_children
from telic.loop.goal_loop import GoalLoop
from telic.loop.supervisor import run_until_over
from telic.loop.worker_identity import claim_for_loop
from telic.services.actions import ActionRequest, GoalAction, execute
from telic.services.outcomes import ExitCode
from telic.store.async_store import AsyncGoalStore

EXIT_TERMINATED = 128 + signal.SIGTERM


@dataclass(slots=True)
class SignalScope:
    """One goal's loop under this process's signals."""

    store: AsyncGoalStore
    loop: GoalLoop
    goal: Goal
    waits: bool
    actor: NamedActor
    view: ProgressView
    _signal_code: int | None = field(default=None, init=False)

    async def until_over(self) -> tuple[Goal, int | None]:
        """The goal as it was left, and the exit code where a signal ended the run.

        Ctrl-C pauses an active goal, and its turn is cancelled at once; a goal that waits goes on waiting. SIGTERM
        changes nothing but who drives the goal.
        """
        running = asyncio.ensure_future(self._run())
        interrupting: list[asyncio.Task[None]] = []

        def interrupt() -> None:
            self._signal_code = ExitCode.INTERRUPTED
            self.view.say("interrupted: ending the turn; Ctrl-C once more kills it")
            interrupting.append(asyncio.create_task(self._pause(running)))

        def end() -> None:
            self._signal_code = EXIT_TERMINATED
            running.cancel()

        with handling_signals(on_interrupt=interrupt, on_end=end, before_exit=self.view.close):
            try:
                goal = await running
            except asyncio.CancelledError:
                if self._signal_code is None:
                    raise
                goal = await self.store.get(self.goal.id)
            finally:
                await asyncio.gather(*interrupting)
        return goal, self._signal_code

    async def _run(self) -> Goal:
        if self.waits:
            return await run_until_over(self.loop, self.goal.id)
        goal = await self.store.get(self.goal.id)
        if goal.status is not GoalStatus.ACTIVE:
            return goal
        settings = self.loop.settings
        lease = await claim_for_loop(self.store, goal.id, holder=settings.holder, ttl_seconds=settings.lease_seconds)
        return await self.loop.run_leased(lease)

    async def _pause(self, running: "asyncio.Future[Goal]") -> None:
        try:
            goal = await self.store.get(self.goal.id)
            if goal.status is GoalStatus.ACTIVE:
                request = ActionRequest(action=GoalAction.PAUSE, actor=self.actor, goal=goal, note="interrupted")
                await execute(self.store, request)
                self.loop.poke()
                return
        except InvalidTransition:
            # Somebody was faster; the run ends by itself, or waits and is ended here.
            pass
        except GoalError as error:
            self.view.say(f"the goal could not be paused: {error}")
        running.cancel()


_ENDING: Final = (signal.SIGTERM, signal.SIGHUP)


@contextmanager
def handling_signals(
    *, on_interrupt: Callable[[], None], on_end: Callable[[], None], before_exit: Callable[[], None]
) -> Generator[None]:
    """Ctrl-C calls `on_interrupt`, SIGTERM and SIGHUP call `on_end`.

    Any after that kills the agents with everything they started, and ends the process; `before_exit` comes first.
    """
    loop = asyncio.get_running_loop()
    seen: list[int] = []

    def receive(number: int, first: Callable[[], None]) -> None:
        if seen:
            before_exit()
            kill_children()
            sys.stdout.flush()
            os._exit(128 + number)
        seen.append(number)
        first()

    loop.add_signal_handler(signal.SIGINT, receive, signal.SIGINT, on_interrupt)
    for number in _ENDING:
        loop.add_signal_handler(number, receive, number, on_end)
    try:
        yield
    finally:
        for number in (signal.SIGINT, *_ENDING):
            loop.remove_signal_handler(number)
