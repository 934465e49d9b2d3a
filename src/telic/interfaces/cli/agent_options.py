"""The options of commands that drive agents: which agent, where, with which limits, and who judges."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import click

from telic.domain.budget import Budget
from telic.domain.criteria import Criterion, CriterionKind, command_words
from telic.domain.decision import LoopPolicy, unmeasured
from telic.domain.errors import AgentNotRunnable, InvalidInput, InvalidNumber, WorkspaceMissing
from telic.domain.limits import MAX_TTL_SECONDS
from telic.interfaces.cli.options import DURATION, gather_options
from telic.interfaces.cli.session import Session
from telic.interfaces.cli.surroundings import complete_workers
from telic.loop.agents import (
    CLAUDE_CODE,
    CODEX,
    COPILOT,
    GEMINI,
    JSON_LINES,
    OPENCODE,
    PLAIN,
    QWEN,
    CommandAgent,
    known_agent,
)
from telic.loop.goal_loop import GoalLoop
from telic.loop.run_context import LoopEvent, LoopSettings
from telic.loop.verification.judge import Judge, JudgePolicy, PricedJudge, unknown_cost
from telic.loop.verification.verifier import Verifier
from telic.loop.worker import own_name
from telic.pricing import has_price_table
from telic.store.async_store import AsyncGoalStore
from telic.store.connect import connect_async

_FORMATS: Final = {
    format.name.replace("_", "-"): format
    for format in (PLAIN, JSON_LINES, CLAUDE_CODE, CODEX, GEMINI, COPILOT, OPENCODE, QWEN)
}
_PROMPT: Final = "{prompt}"
_WHO_TELLS: Final = "claude, codex, gemini, copilot, opencode and qwen do, and what prints --format json-lines"
_HEARTBEAT_SECONDS: Final = 2.0
_SHORTEST_LEASE_SECONDS: Final = 2.0
_LONGEST_TIMEOUT_SECONDS: Final = 3_600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentOptions:
    """The agent and its loop, as they were typed."""

    agent: str
    format: str | None
    prompt_argument: bool
    judge_model: str | None
    turn_timeout: float
    verify_every: int
    delay: float
    max_idle: int
    max_failures: int
    allow_unknown_usage: bool
    worker: str | None
    lease: float
    connections: int
    timeout: float

    def command_agent(self, workspace: Path) -> CommandAgent:
        """Return the agent, whose command is there.

        Raises:
            InvalidInput: the command line cannot be read.
            AgentNotRunnable: there is no such command.
        """
        words = command_words(self.agent, "--agent")
        if not words:
            raise InvalidInput("--agent is empty")
        _require_command(words[0], workspace)
        # A format that was given wins: the command may be a wrapper that prints something else.
        known = known_agent(words) if self.format is None else None
        if known is not None:
            return replace(known, allow_unknown_cost=self.allow_unknown_usage)
        if self.prompt_argument and not any(_PROMPT in word for word in words):
            words.append(_PROMPT)
        return CommandAgent(
            argv=tuple(words),
            output_format=_FORMATS[self.format or "plain"],
            allow_unknown_cost=self.allow_unknown_usage,
        )

    def require_known_usage(self, agent: CommandAgent, budget: Budget) -> None:
        """Raise InvalidInput where a budget is to hold of which the agent does not tell what it uses."""
        format = agent.output_format
        unknown = {
            "tokens": budget.tokens is not None and not format.tells_usage,
            "money": budget.cost_microunits is not None and not (format.tells_usage and format.tells_cost),
        }
        names = " and ".join(name for name, is_unknown in unknown.items() if is_unknown)
        if names and not self.allow_unknown_usage:
            raise InvalidInput(unmeasured(names, f"{agent.argv[0]!a} does not tell {_what_is_missing(unknown)}"))

    def require_measured(self, agent: CommandAgent, judge: Judge | None, budget: Budget) -> None:
        """Raise InvalidInput where a budget is to hold that the agent or the judge would leave unmeasured."""
        self.require_known_usage(agent, budget)
        if budget.cost_microunits is None or self.allow_unknown_usage or not isinstance(judge, PricedJudge):
            return
        if not judge.has_price():
            raise InvalidInput(unknown_cost(judge.model))

    def usage_notice(self, agent: CommandAgent, budget: Budget) -> str:
        """Return what people must know of usage before the first turn; nothing where it is known as the turn runs."""
        format, command = agent.output_format, agent.argv[0]
        if not format.tells_usage:
            return f"usage is unknown: {command!a} does not tell it ({_WHO_TELLS})"
        if budget.cost_microunits is not None and format.tells_cost_at_end and not has_price_table():
            return (
                f"{command!a} tells what a turn cost at its end only, so the budget of money cannot end a turn that is "
                f"under way: install the table of prices (pip install 'telic[pricing]'), or limit tokens as well"
            )
        return ""

    def require_sound(self) -> None:
        """Raise InvalidNumber if a number is out of its range, before anything is made or opened."""
        self.policy()
        if not 0 < self.timeout <= _LONGEST_TIMEOUT_SECONDS:
            raise InvalidNumber(f"--timeout must be above 0 and at most {_LONGEST_TIMEOUT_SECONDS:g} s")
        if not _SHORTEST_LEASE_SECONDS <= self.lease <= MAX_TTL_SECONDS:
            raise InvalidNumber(f"--lease must be from {_SHORTEST_LEASE_SECONDS:g} s to a day")

    def policy(self) -> LoopPolicy:
        """Return how patient the loop is."""
        return LoopPolicy(
            verify_every_turns=self.verify_every,
            delay_seconds=self.delay,
            max_idle_turns=self.max_idle,
            max_failures=self.max_failures,
            allow_unknown_usage=self.allow_unknown_usage,
        )

    def loop(
        self,
        store: AsyncGoalStore,
        agent: CommandAgent,
        workspace: Path,
        judge: Judge | None,
        on_progress: Callable[[LoopEvent], None],
    ) -> GoalLoop:
        """Return the loop of this agent in the workspace."""
        settings = LoopSettings(
            workspace=workspace,
            worker=self.worker_name,
            turn_timeout_seconds=self.turn_timeout,
            lease_seconds=self.lease,
            # Several beats in a lease: one that is late loses nothing.
            heartbeat_seconds=min(_HEARTBEAT_SECONDS, self.lease / 4),
        )
        policy = JudgePolicy(allow_unknown_cost=self.allow_unknown_usage)
        return GoalLoop(
            store=store,
            agent=agent,
            settings=settings,
            policy=self.policy(),
            verifier=Verifier(workspace=workspace, judge=judge, policy=policy),
            on_progress=on_progress,
        )

    def store(self, session: Session) -> AbstractAsyncContextManager[AsyncGoalStore]:
        """Return the store for the loop, with as many connections and as much patience as was asked for."""
        return connect_async(
            session.place,
            create=False,
            observer=session.observer,
            pool_size=self.connections,
            timeout_seconds=self.timeout,
        )

    @property
    def worker_name(self) -> str:
        """Return the name that leases are held under."""
        return self.worker or own_name()

    def judge(self) -> Judge | None:
        """Return the model that judges, or None where none was named.

        Raises:
            InvalidInput: there is no such model.
            MissingExtra: its library is not installed.
        """
        if self.judge_model is None:
            return None
        # Its library takes a second to load.
        from telic.loop.verification.judge_model import ModelJudge

        return ModelJudge(self.judge_model)


def _require_command(command: str, workspace: Path) -> None:
    found = shutil.which(str(workspace / command) if "/" in command else command)
    if found is None:
        place = f" in {str(workspace)!r}" if "/" in command and not Path(command).is_absolute() else " on the PATH"
        raise AgentNotRunnable(f"there is no command {command!r}{'' if Path(command).is_absolute() else place}")


def existing_folder(path: Path) -> Path:
    """Return the folder, as a whole path.

    Raises:
        WorkspaceMissing: it is not there.
    """
    try:
        if path.is_dir():
            return path.resolve(strict=True)
    except OSError:
        # The working folder itself was deleted.
        pass
    raise WorkspaceMissing(f"the folder {str(path)!r} is not there")


def require_judge(criteria: Sequence[Criterion], judge: Judge | None) -> None:
    """Raise InvalidInput if a judge's question has neither a model nor a command to answer it."""
    if judge is None and asks_model(criteria):
        raise InvalidInput("a criterion asks a judge: name one with --judge-model, such as anthropic:claude-sonnet-4-5")


def asks_model(criteria: Sequence[Criterion]) -> bool:
    """Return whether one of the criteria is a question for the model that judges."""
    return any(each.kind is CriterionKind.JUDGE and not each.argv for each in criteria)


def _what_is_missing(unknown: Mapping[str, bool]) -> str:
    return f"what it uses ({_WHO_TELLS})" if unknown["tokens"] else "what its turns cost (claude does)"


agent_options: Final = gather_options(
    "agent_options",
    AgentOptions,
    click.option(
        "--agent",
        envvar="TELIC_AGENT",
        required=True,
        help="claude, codex, gemini, copilot, opencode, qwen, or any command line, also TELIC_AGENT; arguments go with "
        "it: 'claude --permission-mode acceptEdits'.",
    ),
    click.option(
        "--format",
        type=click.Choice(list(_FORMATS)),
        help="What the command prints; the named hosts are known by their commands.  [default: plain]",
    ),
    click.option("--prompt-argument", is_flag=True, help="The prompt is the last argument, not standard input."),
    click.option("--judge-model", metavar="NAME", help="The model that answers judges' questions: provider:name."),
    click.option("--turn-timeout", type=DURATION, default="30m", show_default=True, help="Longest turn."),
    click.option("--verify-every", type=int, default=0, metavar="N", help="Check the criteria every N turns as well."),
    click.option("--delay", type=DURATION, default="0s", show_default=True, help="Pause between turns."),
    click.option("--max-idle", type=int, default=5, show_default=True, help="Turns without progress until it stalls."),
    click.option(
        "--max-failures", type=int, default=3, show_default=True, help="Failed turns in a row until it fails."
    ),
    click.option(
        "--allow-unknown-usage",
        is_flag=True,
        help="Take a budget of tokens or money although the agent does not tell what it uses or costs.",
    ),
    click.option(
        "--lease",
        type=DURATION,
        default="30s",
        show_default=True,
        help="How long after this process has died or lost the store another may take the goal over.",
    ),
    click.option(
        "--connections",
        type=click.IntRange(1, 1_000),
        default=8,
        show_default=True,
        metavar="N",
        help="At most N to PostgreSQL at once, and one more that listens.",
    ),
    click.option(
        "--timeout", type=DURATION, default="10s", show_default=True, help="How long one call of the store may take."
    ),
    click.option(
        "--worker", shell_complete=complete_workers, help="The leases' worker; a name in use takes them over."
    ),
)
