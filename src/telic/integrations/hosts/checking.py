"""Checking a goal's criteria at a stop: in bounded time, settled as the loop settles it, and paid for in any case."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from telic.domain.errors import InvalidInput, StaleUpdate
from telic.domain.goal import Goal
from telic.domain.ids import new_key
from telic.domain.lease import Lease
from telic.domain.loop_state import LoopState
from telic.domain.verdict import Verdict
from telic.domain.verification import Verification
from telic.integrations.hosts.judge_choice import JudgeChoice
from telic.integrations.hosts.payload import HookPayload
from telic.services.settlement import GoalCheck, bill_void_check, settle
from telic.store.goal_store import GoalStore

_PATIENCE_SECONDS: Final = 5.0
_PAUSE_SECONDS: Final = 0.5


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
        """The verdicts are recorded, the judges billed, and here are both the verdicts and the goal after them.

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
        check, heard = GoalCheck(goal_id=goal.id, key=f"hook/check-{new_key()}", lease=lease), list[Verdict]()
        try:
            found = await self._verify(goal, state, payload, heard)
            return found, await _patiently(lambda: settle(self.store, check, found))
        except (TimeoutError, InvalidInput, StaleUpdate) as error:
            await _patiently(lambda: bill_void_check(self.store, check, heard))
            raise CheckFailed(self._why(goal, error)) from error

    async def _verify(self, goal: Goal, state: LoopState, payload: HookPayload, heard: list[Verdict]) -> Verification:
        from asyncio import wait_for

        from telic.loop.verification.evidence import AgentWork
        from telic.loop.verification.verifier import Verifier

        verifier = Verifier(workspace=payload.folder, judge=self.judge.judge(payload.folder))
        approvals, work = self.store.approvals(goal.id), AgentWork(text=state.work)
        return await wait_for(verifier.verify(goal, work, approvals=approvals, on_verdict=heard.append), self.seconds)

    def _why(self, goal: Goal, error: Exception) -> str:
        if isinstance(error, TimeoutError):
            took = f"the checks took longer than {self.seconds:.0f} seconds"
            return f"{took}, so goal {goal.id} stays active and unverified."
        if isinstance(error, StaleUpdate):
            return f"goal {goal.id} was changed while it was checked: the verdicts are void."
        return f"goal {goal.id} cannot be judged, and stays active: {error}"


async def _patiently(write: Callable[[], Goal]) -> Goal:
    """Return what is written, again for some seconds while the store is away; it must be repeatable."""
    from telic.services.retry import retry

    async def call() -> Goal:
        return write()

    return await retry(call, seconds=_PATIENCE_SECONDS, longest_pause_seconds=_PAUSE_SECONDS)
