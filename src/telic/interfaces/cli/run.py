"""`telic run`: an agent works on a goal until it is verified, stopped, waiting for good, stuck or spent."""

import asyncio
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import click

from telic.domain.criteria import Criterion
from telic.domain.errors import GoalError, InvalidTransition, LeaseHeld, LeaseLost
from telic.domain.goal import Goal, GoalStatus
from telic.interfaces.cli import options, surroundings
from telic.interfaces.cli.agent_options import AgentOptions, agent_options, existing_folder, require_judge
from telic.interfaces.cli.exit_codes import EXIT_HELD, EXIT_LOST, CommandFailed, ending
from telic.interfaces.cli.progress import JsonProgress, ProgressView, handling_signals, progress_view
from telic.interfaces.cli.run_target import RunRequest, choose
from telic.interfaces.cli.session import Session, command
from telic.loop.agents import CommandAgent
from telic.loop.goal_loop import GoalLoop
from telic.loop.supervisor import run_until_over
from telic.loop.verification.judge import Judge
from telic.loop.worker import claim_for_loop
from telic.services.actions import ActionRequest, GoalAction, execute
from telic.services.outcomes import ExitCode
from telic.store.async_store import AsyncGoalStore
from telic.wording.goals import spending_line, status_of

_EXIT_TERMINATED: Final = 128 + signal.SIGTERM


@click.command()
@click.argument("target", metavar="[TEXT|ID]", required=False, shell_complete=surroundings.complete_goals)
@click.option("--workspace", type=options.FILE, default=".", help="The folder to work in.  [default: .]")
@options.criteria
@options.budgets("2M or 500k tokens, $5, 90m; repeatable.")
@click.option("--turns", type=int, metavar="N", help="At most N turns: short for --budget Nturns.")
@click.option("--replace", is_flag=True, help="Put the scope's unfinished goal aside for this one.")
@click.option("--again", is_flag=True, help="Make a new goal although one of the same text is completed.")
@options.max_chars
@click.option("--no-wait", is_flag=True, help="End when the goal waits, instead of waiting with it.")
@agent_options
@command(creates=True)
def run(
    session: Session,
    workspace: Path,
    criteria: tuple[Criterion, ...],
    budgets: tuple[str, ...],
    turns: int | None,
    no_wait: bool,
    agent_options: AgentOptions,
    **wanted: Any,
) -> int:
    """Let an agent work on a goal until it is over.

    TEXT makes the goal where the scope has no unfinished one, and goes on with the one of the same text where it
    has; an ID goes on with that goal, resumed if it was paused; without either, the scope's active goal goes on.
    So the same command, repeated, goes on where it was left, also after a crash; where its goal is completed, it says
    so and starts nothing, unless --again is given. Ctrl-C pauses the goal.
    """
    folder = existing_folder(workspace)
    agent, judge = agent_options.command_agent(folder), agent_options.judge()
    agent_options.require_sound()
    require_judge(criteria, judge)
    request = RunRequest(
        scope=session.scope,
        criteria=criteria,
        budgets=budgets if turns is None else (*budgets, f"{turns}turns"),
        actor=session.named_actor,
        accept=lambda goal: require_judge(goal.criteria, judge),
        accept_budget=lambda budget: agent_options.require_measured(agent, judge, budget),
        **wanted,
    )
    session.target, done = choose(session.store, request)
    notice = "" if session.target.is_finished else agent_options.usage_notice(agent, session.target.budget)
    return _Run(session, agent_options, agent, judge, folder, waits=not no_wait).of(
        session.target, f"{done}; {notice}" if notice else done
    )


@dataclass(slots=True)
class _Run:
    """One run of one goal."""

    session: Session
    options: AgentOptions
    agent: CommandAgent
    judge: Judge | None
    folder: Path
    waits: bool
    _view: ProgressView = field(init=False)
    _signal_code: int | None = None

    def __post_init__(self) -> None:
        self._view = progress_view(self.session.terminal)

    def of(self, goal: Goal, done: str) -> int:
        """The run is over; return its exit code."""
        try:
            self._view.say(done, goal)
            left = asyncio.run(self._drive(goal))
        except (LeaseHeld, LeaseLost) as error:
            code = EXIT_HELD if isinstance(error, LeaseHeld) else EXIT_LOST
            raise CommandFailed(error, click.get_current_context().command, goal.id, code) from error
        finally:
            # Before anything else is written: the line below all others would be drawn over it.
            self._view.close()
        return self._end(left)

    async def _drive(self, goal: Goal) -> Goal:
        async with self.options.store(self.session) as store:
            loop = self.options.loop(store, self.agent, self.folder, self.judge, self._view.tell)
            return await self._until_over(store, loop, goal.id)

    async def _until_over(self, store: AsyncGoalStore, loop: GoalLoop, goal_id: str) -> Goal:
        """Drive the goal until it is over or a signal ends the run; return it as it was left.

        Ctrl-C pauses an active goal, and its turn is cancelled at once; a goal that waits goes on waiting. SIGTERM
        changes nothing but who drives the goal.
        """
        running = asyncio.ensure_future(self._supervise(store, loop, goal_id))
        interrupting: list[asyncio.Task[None]] = []

        def interrupt() -> None:
            self._signal_code = ExitCode.INTERRUPTED
            self._view.say("interrupted: ending the turn; Ctrl-C once more kills it")
            interrupting.append(asyncio.create_task(self._pause(store, loop, goal_id, running)))

        def end() -> None:
            self._signal_code = _EXIT_TERMINATED
            running.cancel()

        with handling_signals(on_interrupt=interrupt, on_end=end, before_exit=self._view.close):
            try:
                return await running
            except asyncio.CancelledError:
                if self._signal_code is None:
                    raise
                return await store.get(goal_id)
            finally:
                await asyncio.gather(*interrupting)

    async def _supervise(self, store: AsyncGoalStore, loop: GoalLoop, goal_id: str) -> Goal:
        if self.waits:
            return await run_until_over(loop, goal_id)
        goal = await store.get(goal_id)
        if goal.status is not GoalStatus.ACTIVE:
            return goal
        settings = loop.settings
        lease = await claim_for_loop(store, goal_id, worker=settings.worker, ttl_seconds=settings.lease_seconds)
        return await loop.run_leased(lease)

    async def _pause(
        self, store: AsyncGoalStore, loop: GoalLoop, goal_id: str, running: "asyncio.Future[Goal]"
    ) -> None:
        try:
            goal = await store.get(goal_id)
            if goal.status is GoalStatus.ACTIVE:
                actor = self.session.named_actor
                await execute(store, ActionRequest(action=GoalAction.PAUSE, actor=actor, goal=goal, note="interrupted"))
                # The loop sees the pause now, not with its next heartbeat.
                loop.notice_change()
                return
        except InvalidTransition:
            # Somebody was faster; the run ends by itself, or waits and is ended here.
            pass
        except GoalError as error:
            self._view.say(f"the goal could not be paused: {error}")
        running.cancel()

    def _end(self, goal: Goal) -> int:
        code, hint = ending(goal)
        code = code if self._signal_code is None else self._signal_code
        if isinstance(self._view, JsonProgress):
            self._view.ended(goal, code)
            return code
        self._view.say(f"goal {goal.id} is {status_of(goal)}: {spending_line(goal)}")
        if hint is not None:
            self.session.terminal.hint(hint)
        return code


COMMANDS = (run,)
