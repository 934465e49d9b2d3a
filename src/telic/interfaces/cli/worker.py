"""`telic worker`: drives whatever goals are due, beside any number of workers on any machine."""

import asyncio
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import click

from telic.domain.budget import Budget
from telic.domain.errors import InvalidInput, WorkspaceMissing
from telic.domain.goal import Actor, Goal
from telic.interfaces.cli.agent_options import AgentOptions, agent_options, asks_model, existing_folder, require_judge
from telic.interfaces.cli.options import FILE
from telic.interfaces.cli.progress import ProgressView, handling_signals, progress_view
from telic.interfaces.cli.session import Session, command
from telic.loop.goal_loop import GoalLoop
from telic.loop.verification.judge import Judge
from telic.loop.worker import Worker
from telic.store.async_store import AsyncGoalStore

_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9_@+=,-][A-Za-z0-9_@+=,.-]{0,199}")


@dataclass(frozen=True, slots=True)
class Workspaces:
    """The folders that goals are worked on in: one for all, or each in the folder below `root` that its scope names."""

    one: Path | None
    root: Path | None

    def of(self, goal: Goal) -> Path:
        """Return the goal's folder, which is there.

        Raises:
            InvalidInput: its scope is no plain name, or its folder a link that leads out of the root.
            WorkspaceMissing: the folder is not there.
        """
        if self.root is None:
            return existing_folder(self.one or Path())
        # Whoever makes a goal chooses its scope, which must not lead out of the root.
        if _PLAIN_NAME.fullmatch(goal.scope) is None:
            raise InvalidInput(f"the scope {goal.scope!r} is no plain name of a folder below {str(self.root)!r}")
        folder = self.root / goal.scope
        if not folder.is_dir():
            raise WorkspaceMissing(f"the folder {str(folder)!r} of its scope is not there")
        if folder.resolve().parent != self.root:
            raise InvalidInput(f"the folder {str(folder)!r} leads out of the root of workspaces")
        return folder


@click.command()
@click.option("--workspace", type=FILE, help="The one folder that all goals are worked on in.")
@click.option("--workspace-root", type=FILE, help="Each goal is worked on in the folder here that its scope names.")
@click.option("--concurrency", type=int, default=1, show_default=True, metavar="N", help="Goals at once.")
@agent_options
@command(actor=Actor.HOST)
def worker(
    session: Session,
    workspace: Path | None,
    workspace_root: Path | None,
    concurrency: int,
    agent_options: AgentOptions,
) -> int:
    """Let an agent work on whatever goals are due, of every scope, until stopped.

    Goals that are active and that nobody drives are driven, those served longest ago first; goals whose time has
    come are woken. Any number of workers share a store. Ctrl-C or SIGTERM cancels running turns and gives the goals
    back; it pauses none of them.
    """
    if (workspace is None) is (workspace_root is None):
        raise click.UsageError("give --workspace or --workspace-root, one of them")
    places = Workspaces(*(None if each is None else existing_folder(each) for each in (workspace, workspace_root)))
    where = places.one or places.root or Path()
    notice = agent_options.usage_notice(agent_options.command_agent(where), Budget())
    agent_options.require_sound()
    return _Work(session, agent_options, places, agent_options.judge(), notice).until_stopped(concurrency)


@dataclass
class _Work:
    """One worker from its start to its stop."""

    session: Session
    options: AgentOptions
    places: Workspaces
    judge: Judge | None
    notice: str
    view: ProgressView = field(init=False)

    def __post_init__(self) -> None:
        self.view = progress_view(self.session.terminal, names_goals=True)

    def until_stopped(self, concurrency: int) -> int:
        """Work until a signal comes, and return 0: to be stopped is how a worker ends."""
        try:
            asyncio.run(self._work(concurrency))
        finally:
            self.view.close()
        return 0

    async def _work(self, concurrency: int) -> None:
        async with self.options.store(self.session) as store:
            worker = Worker(
                store=store,
                make_loop=lambda goal: self._loop(store, goal),
                name=self.options.worker_name,
                concurrency=concurrency,
                lease_seconds=self.options.lease,
                on_trouble=lambda goal, error: self.view.say(f"trouble: {error}", goal),
            )

            def stop() -> None:
                self.view.say("stopping: running turns are cancelled, and their goals given back")
                worker.stop()

            notice = f"; {self.notice}" if self.notice else ""
            self.view.say(f"worker {worker.name} is at work, on up to {concurrency} at once{notice}")
            with handling_signals(on_interrupt=stop, on_end=stop, before_exit=self.view.close):
                await worker.run()

    def _loop(self, store: AsyncGoalStore, goal: Goal) -> GoalLoop:
        folder = self.places.of(goal)
        require_judge(goal.criteria, self.judge)
        agent = self.options.command_agent(folder)
        judge = self.judge if asks_model(goal.criteria) else None
        self.options.require_measured(agent, judge, goal.budget)
        notice = self.options.usage_notice(agent, goal.budget)
        # Once at the start is enough for what is true of every goal.
        if notice and notice != self.notice:
            self.view.say(notice, goal)
        return self.options.loop(store, agent, folder, self.judge, self.view.tell)


COMMANDS = (worker,)
