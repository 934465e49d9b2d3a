"""`telic run`: an agent works on a goal until it is verified, stopped, waiting for good, stuck or spent."""

import asyncio
from pathlib import Path

import click

from telic.domain.criteria import typed_criteria
from telic.domain.errors import LeaseHeld, LeaseLost
from telic.domain.goal import Goal
from telic.interfaces.cli.agent_options import AgentOptions, agent_options, existing_folder, require_judge
from telic.interfaces.cli.exit_codes import EXIT_HELD, EXIT_LOST, ending, failure
from telic.interfaces.cli.options import max_chars
from telic.interfaces.cli.progress import JsonProgress, TextProgress
from telic.interfaces.cli.run_target import RunRequest, choose
from telic.interfaces.cli.session import Session, command
from telic.interfaces.cli.signal_scope import SignalScope
from telic.loop.agents.protocol import Agent
from telic.loop.goal_loop import GoalLoop
from telic.loop.verification.judge import Judge
from telic.wording.goals import spending_line, status_of


@click.command()
@click.argument("target", metavar="[TEXT|ID]", required=False)
@click.option("--workspace", type=click.Path(path_type=Path), default=".", help="The folder to work in.  [default: .]")
@click.option("--check", "checks", multiple=True, help="A command that must exit with 0; no shell runs it.")
@click.option("--judge", "judges", multiple=True, help="A question that a judging model must answer with yes.")
@click.option("--approve", "approvals", multiple=True, help="What a person must approve.")
@click.option("--budget", "budgets", multiple=True, metavar="AMOUNT", help="2M or 500k tokens, $5, 90m; repeatable.")
@click.option("--turns", type=int, metavar="N", help="At most N turns: short for --budget Nturns.")
@click.option("--replace", "replaces", is_flag=True, help="Put the scope's unfinished goal aside for this one.")
@click.option("--again", is_flag=True, help="Make a new goal although one of the same text is completed.")
@max_chars
@click.option("--no-wait", is_flag=True, help="End when the goal waits, instead of waiting with it.")
@agent_options
@command(creates=True)
def run(
    session: Session,
    target: str | None,
    workspace: Path,
    checks: tuple[str, ...],
    judges: tuple[str, ...],
    approvals: tuple[str, ...],
    budgets: tuple[str, ...],
    turns: int | None,
    replaces: bool,
    again: bool,
    max_chars: int,
    no_wait: bool,
    agent_options: AgentOptions,
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
    criteria = tuple(typed_criteria(checks, judges, approvals))
    require_judge(criteria, judge)
    wish = RunRequest(
        target=target,
        scope=session.scope,
        criteria=criteria,
        budgets=budgets if turns is None else (*budgets, f"{turns}turns"),
        replace=replaces,
        again=again,
        max_chars=max_chars,
        actor=session.named_actor,
        accept=lambda goal: require_judge(goal.criteria, judge),
        accept_budget=lambda budget: agent_options.require_measured(agent, judge, budget),
    )
    goal, done = choose(session.store, wish)
    notice = "" if goal.is_finished else agent_options.usage_notice(agent, goal.budget)
    done = f"{done}; {notice}" if notice else done
    return _Run(session, agent_options, agent, judge, folder, not no_wait).of(goal, done)


class _Run:
    """One run of one goal."""

    def __init__(
        self, session: Session, options: AgentOptions, agent: Agent, judge: Judge | None, folder: Path, waits: bool
    ) -> None:
        self._session = session
        self._options = options
        self._agent = agent
        self._judge = judge
        self._folder = folder
        self._waits = waits
        self._view = JsonProgress(session.terminal) if session.terminal.as_json else TextProgress(session.terminal)

    def of(self, goal: Goal, done: str) -> int:
        """The exit code of the run, which is over."""
        try:
            self._view.say(done, goal)
            left, code = asyncio.run(self._drive(goal))
        except (LeaseHeld, LeaseLost) as error:
            self._view.close()
            _, hint = failure(error)
            self._session.terminal.error(error.code, str(error), retryable=False, hint=hint)
            return EXIT_HELD if isinstance(error, LeaseHeld) else EXIT_LOST
        finally:
            self._view.close()
        return self._end(left, code)

    async def _drive(self, goal: Goal) -> tuple[Goal, int | None]:
        options, session = self._options, self._session
        async with options.store(session) as store:
            loop = GoalLoop(
                store=store,
                agent=self._agent,
                settings=options.settings(self._folder),
                policy=options.policy(),
                verifier=options.verifier(self._folder, self._judge),
                on_progress=self._view.tell,
            )
            return await SignalScope(store, loop, goal, self._waits, session.named_actor, self._view).until_over()

    def _end(self, goal: Goal, signal_code: int | None) -> int:
        code, hint = ending(goal)
        code = code if signal_code is None else signal_code
        if isinstance(self._view, JsonProgress):
            self._view.ended(goal, code)
            return code
        self._view.say(f"goal {goal.id} is {status_of(goal)}: {spending_line(goal)}")
        if hint is not None:
            self._session.terminal.hint(hint)
        return code


COMMANDS = (run,)
