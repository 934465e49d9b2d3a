"""Taking one turn: hold budget, tell the agent, wait under the heartbeat, record; repeatable after a crash."""

import time
from dataclasses import dataclass
from typing import Final

from telic.domain.budget import ModelUsage
from telic.domain.decision import Step
from telic.domain.errors import AgentFailure, BudgetExceeded, GoalNotActive, KeyConflict, WorkspaceMissing
from telic.domain.events import TurnResult
from telic.domain.goal import Goal, GoalStatus, Reason
from telic.domain.loop_state import LoopState
from telic.loop.accounts import after_failure, after_report, turn_key, turn_line
from telic.loop.agents.protocol import Agent, TurnReport, TurnRequest
from telic.loop.drive import Drive
from telic.loop.progress_report import Happening
from telic.loop.prompts import turn_prompt
from telic.loop.workspace import observe_workspace

_MARGIN_SECONDS: Final = 60.0
_DAY_SECONDS: Final = 86_400.0
_MEMORY_OF_SILENCE: Final = "the rest of the budget is held by others, or by turns whose usage is unknown"


@dataclass(frozen=True, slots=True)
class _Turn:
    """A turn that has begun, and how long ago on a clock that does not jump."""

    step: Step
    goal: Goal
    state: LoopState
    hold: str
    started_nanoseconds: int

    @property
    def elapsed_microseconds(self) -> int:
        return (time.monotonic_ns() - self.started_nanoseconds) // 1000


class TurnTaker:
    """Takes turns with one agent."""

    def __init__(self, drive: Drive, agent: Agent, secret: bytes) -> None:
        self._drive = drive
        self._agent = agent
        self._secret = secret

    async def take(self, step: Step, goal: Goal, state: LoopState) -> None:
        """One turn was taken and is recorded, or came to nothing, which is recorded too.

        Raises:
            Stopped: somebody stopped the goal; the turn was cancelled, and its hold tells what it may have cost.
            LeaseLost: another worker may have the goal; nothing was recorded.
        """
        hold = await self._hold(goal, state)
        if hold is None:
            return
        request = await self._request(step, goal, state)
        self._drive.tell(Happening.TURN_BEGAN, goal, state, step)
        turn = _Turn(step, goal, state, hold, time.monotonic_ns())
        try:
            report = await self._drive.heart.guard(self._agent.turn(request), GoalStatus.ACTIVE)
        except AgentFailure as error:
            await self._record_failure(turn, error)
        else:
            await self._record(turn, report)

    async def _hold(self, goal: Goal, state: LoopState) -> str | None:
        """The key of the turn's hold, or None where none was granted, and the goal is not active any more."""
        settings, lease = self._drive.settings, self._drive.heart.lease
        key = f"{turn_key(state)}/lease-{lease.token}/revision-{goal.revision}"
        try:
            await self._drive.patiently(
                lambda: self._drive.store.hold(
                    goal.id,
                    tokens=min(settings.held_tokens, _tokens_left(goal)),
                    ttl_seconds=min(settings.turn_timeout_seconds + _MARGIN_SECONDS, _DAY_SECONDS),
                    lease=lease,
                    key=key,
                )
            )
        except BudgetExceeded:
            await self._drive.pause(goal, state, Reason.BUDGET, _MEMORY_OF_SILENCE)
            return None
        except GoalNotActive:
            return None
        return key

    async def _request(self, step: Step, goal: Goal, state: LoopState) -> TurnRequest:
        verification = await self._drive.patiently(lambda: self._drive.store.verification(goal.id))
        return TurnRequest(
            goal=goal,
            prompt=turn_prompt(goal, state, step, verification, secret=self._secret),
            turn_number=state.turns + 1,
            turn_key=turn_key(state),
            workspace=self._drive.settings.workspace,
            timeout_seconds=self._drive.settings.turn_timeout_seconds,
            session=state.session,
        )

    async def _record(self, turn: _Turn, report: TurnReport) -> None:
        try:
            seen = (await observe_workspace(self._drive.settings.workspace)).hash
        except WorkspaceMissing as error:
            await self._without_workspace(turn, report, error)
            return
        after = after_report(turn.state, turn.goal, turn.step, report, seen, self._drive.policy, self._drive.now())
        result = await self._write(turn, report.usage, report.model, after)
        self._drive.tell(Happening.TURN_ENDED, result.goal, after, report.note or report.claim)

    async def _without_workspace(self, turn: _Turn, report: TurnReport, error: WorkspaceMissing) -> None:
        """The turn counts, and the goal waits for a person: nothing can be done or checked without its folder."""
        failed = AgentFailure(str(error), usage=report.usage, session=report.session)
        after = after_failure(turn.state, failed, self._drive.policy, self._drive.now())
        result = await self._write(turn, report.usage, report.model, after)
        if result.goal.status is GoalStatus.ACTIVE:
            await self._drive.pause(result.goal, after, Reason.FAILED, str(error))

    async def _record_failure(self, turn: _Turn, error: AgentFailure) -> None:
        after = after_failure(turn.state, error, self._drive.policy, self._drive.now())
        result = await self._write(turn, error.usage, None, after)
        self._drive.tell(Happening.TURN_FAILED, result.goal, after, str(error))

    async def _write(self, turn: _Turn, usage: ModelUsage | None, model: str | None, after: LoopState) -> TurnResult:
        line = turn_line(turn.state, usage, model, turn.hold, turn.elapsed_microseconds)
        result = await self._drive.patiently(
            lambda: self._drive.records.finish_turn(self._drive.heart.lease, line, after)
        )
        if usage is None:
            await self._keep_uncertain(result.goal, turn)
        return result

    async def _keep_uncertain(self, goal: Goal, turn: _Turn) -> None:
        """What an agent did not tell stays reserved for a day, so that silence cannot overspend a budget."""
        tokens = min(self._drive.settings.held_tokens, _tokens_left(goal))
        if not tokens:
            return
        try:
            await self._drive.patiently(
                lambda: self._drive.store.hold(
                    goal.id, tokens=tokens, turns=0, ttl_seconds=_DAY_SECONDS, key=f"{turn_key(turn.state)}/unknown"
                )
            )
        except (BudgetExceeded, GoalNotActive, KeyConflict):
            return


def _tokens_left(goal: Goal) -> int:
    """What is left of the budget of tokens; 0 where there is none, since nothing needs to be held then."""
    return 0 if goal.token_budget is None else max(goal.token_budget - goal.tokens_used, 0)
