"""Checking a goal's criteria at a stop: in bounded time, settled as the loop settles it, and paid for in any case."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from telic.domain.criteria import Criterion
from telic.domain.errors import InvalidInput, StaleUpdate
from telic.domain.goal import Goal
from telic.domain.ids import new_key
from telic.domain.lease import Lease
from telic.domain.loop_state import LoopState
from telic.domain.verdict import Verdict
from telic.domain.verification import Verification
from telic.integrations.hosts.payload import HookPayload
from telic.services.settlement import GoalCheck, bill_void_check, settle
from telic.store.goal_store import GoalStore

if TYPE_CHECKING:
    from telic.loop.verification.judge import Judge

_PATIENCE_SECONDS: Final = 5.0
_PAUSE_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeChoice:
    """A model, named `provider:name`, or a command line, which is run in the project's folder without a shell.

    Raises:
        InvalidInput: both are named, or the command line cannot be read.
    """

    model: str | None = None
    command: str | None = None

    def __post_init__(self) -> None:
        if self.model and self.command:
            raise InvalidInput("name a model or a command as judge, not both")
        self._arguments()

    def judge(self, workspace: Path) -> "Judge | None":
        """The judge, or None where none was chosen.

        Raises:
            InvalidInput: the model cannot be used.
            MissingExtra: its library is not installed.
        """
        # Most stops ask nobody, and should not pay for importing it.
        if self.model:
            from telic.loop.verification.judge_model import ModelJudge

            return ModelJudge(self.model)
        arguments = self._arguments()
        if not arguments:
            return None
        from telic.loop.verification.commands import CommandJudge

        return CommandJudge(Criterion.judge("any question", argv=arguments), workspace)

    def _arguments(self) -> list[str]:
        try:
            return shlex.split(self.command or "")
        except ValueError as error:
            raise InvalidInput(f"the judge's command cannot be read: {error}") from None


class CheckFailed(Exception):
    """The criteria could not be checked, and `why` is what the user should know."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(slots=True)
class StopCheck:
    """Checks goals, each time for `seconds` at most; `before` is called first."""

    store: GoalStore
    seconds: float
    judge: JudgeChoice
    before: Callable[[], None]

    def check(
        self, goal: Goal, lease: Lease | None, state: LoopState, payload: HookPayload
    ) -> tuple[Verification, Goal]:
        """The verdicts are recorded and the judges billed; return the verdicts and the goal after them.

        Raises:
            CheckFailed: there is no verdict; judges that had answered are billed.
        """
        # Most stops check nothing, and should not pay for importing it.
        import asyncio

        self.before()
        return asyncio.run(self._check(goal, lease, state, payload))

    async def _check(
        self, goal: Goal, lease: Lease | None, state: LoopState, payload: HookPayload
    ) -> tuple[Verification, Goal]:
        check, seen = GoalCheck(goal_id=goal.id, key=f"hook/check-{new_key()}", lease=lease), list[Verdict]()
        try:
            found = await self._verify(goal, state, payload, seen)
            return found, await _with_retries(lambda: settle(self.store, check, found))
        except (TimeoutError, InvalidInput, StaleUpdate) as error:
            await _with_retries(lambda: bill_void_check(self.store, check, seen))
            raise CheckFailed(self._why(goal, error)) from error

    async def _verify(self, goal: Goal, state: LoopState, payload: HookPayload, seen: list[Verdict]) -> Verification:
        from asyncio import wait_for

        from telic.loop.verification.evidence import AgentWork
        from telic.loop.verification.verifier import Verifier

        verifier = Verifier(workspace=payload.folder, judge=self.judge.judge(payload.folder))
        approvals, work = self.store.approvals(goal.id), AgentWork(text=state.work)
        return await wait_for(verifier.verify(goal, work, approvals=approvals, on_verdict=seen.append), self.seconds)

    def _why(self, goal: Goal, error: Exception) -> str:
        if isinstance(error, TimeoutError):
            took = f"the checks took longer than {self.seconds:.0f} seconds"
            return f"{took}, so goal {goal.id} stays active and unverified."
        if isinstance(error, StaleUpdate):
            return f"goal {goal.id} was changed while it was checked: the verdicts are void."
        return f"goal {goal.id} cannot be judged, and stays active: {error}"


async def _with_retries(write: Callable[[], Goal]) -> Goal:
    """Return the write's result; while the store is away, retry for some seconds. The write must be repeatable."""
    from telic.services.retry import retry

    async def call() -> Goal:
        return write()

    return await retry(call, seconds=_PATIENCE_SECONDS, longest_pause_seconds=_PAUSE_SECONDS)
