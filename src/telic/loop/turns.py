"""Taking one turn: hold budget, tell the agent, wait under the heartbeat, record; repeatable after a crash."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from telic.domain.budget import ModelUsage
from telic.domain.clock import Instant, SteadyClock
from telic.domain.decision import Step
from telic.domain.errors import (
    AgentFailure,
    AgentTimedOut,
    BudgetExceeded,
    GoalNotActive,
    HoldLost,
    LeaseLost,
    WorkspaceMissing,
)
from telic.domain.events import TurnResult
from telic.domain.goal import Goal, GoalStatus, Reason
from telic.domain.lease import Lease
from telic.domain.limits import MAX_TTL_SECONDS
from telic.domain.loop_state import LoopState
from telic.loop.accounts import after_failure, after_report, turn_key, turn_line, uncertain, usage_of
from telic.loop.agents.network import is_outage
from telic.loop.agents.protocol import Agent, TurnReport, TurnRequest
from telic.loop.drive import Drive
from telic.loop.progress_report import Happening
from telic.loop.prompts import turn_prompt
from telic.loop.workspace import observe_workspace
from telic.services.loop_records import TurnHold
from telic.services.observe.observer import AgentTurn

_MARGIN_SECONDS: Final = 60.0
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
            Stopped: somebody stopped or edited the goal; the turn was cancelled, and its hold tells what it may have
                cost.
            LeaseLost: another worker may have the goal; nothing was recorded.
        """
        with self._drive.observer.turn(goal, state.turns + 1, step) as seen:
            await self._take(step, goal, state, seen)

    async def _take(self, step: Step, goal: Goal, state: LoopState, seen: AgentTurn) -> None:
        hold = await self._hold(goal, state)
        if hold is None:
            return
        request = await self._request(step, goal, state)
        self._drive.tell(Happening.TURN_BEGAN, goal, state, step)
        turn = _Turn(step, goal, state, hold, time.monotonic_ns())
        seen.outcome = "cut_off"
        try:
            report = await self._drive.heart.guard(_report_of(self._agent, request), goal)
        except AgentFailure as error:
            seen.ended("failed", usage_of(error), None, error)
            await self._record_failure(turn, error)
        else:
            outcome = "quota_reached" if report.quota is not None else report.claim.value
            seen.ended(outcome, report.usage, report.model)
            await self._record(turn, report)

    async def _hold(self, goal: Goal, state: LoopState) -> str | None:
        """The key of the turn's hold, or None where none was granted, and the goal is not active any more."""
        settings, lease = self._drive.settings, self._drive.heart.lease
        key = f"{turn_key(state)}/lease-{lease.token}/revision-{goal.revision}"
        ttl_seconds = min(settings.turn_timeout_seconds + _MARGIN_SECONDS, MAX_TTL_SECONDS)
        asked = TurnHold(turn_key(state), key, settings.held_tokens, ttl_seconds)
        try:
            await self._drive.patiently(lambda: self._drive.records.begin_turn(lease, asked))
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
            clock=SteadyClock(await self._drive.now()),
        )

    async def _record(self, turn: _Turn, report: TurnReport) -> None:
        try:
            seen = (await observe_workspace(self._drive.settings.workspace)).hash
        except WorkspaceMissing as error:
            await self._without_workspace(turn, report, error)
            return

        def after(at: Instant) -> LoopState:
            return after_report(turn.state, turn.goal, turn.step, report, seen, self._drive.policy, at)

        result, state = await self._write(turn, report.usage, report.model, after)
        self._drive.tell(Happening.TURN_ENDED, result.goal, state, report.note or report.claim)

    async def _without_workspace(self, turn: _Turn, report: TurnReport, error: WorkspaceMissing) -> None:
        """The turn counts, and the goal waits for a person: nothing can be done or checked without its folder."""
        failed = AgentFailure(str(error), usage=report.usage, session=report.session)
        after = partial(after_failure, turn.state, failed, self._drive.policy)
        result, state = await self._write(turn, report.usage, report.model, after)
        if result.goal.status is GoalStatus.ACTIVE:
            await self._drive.pause(result.goal, state, Reason.FAILED, str(error))

    async def _record_failure(self, turn: _Turn, error: AgentFailure) -> None:
        after = partial(after_failure, turn.state, error, self._drive.policy)
        if error.is_outage and usage_of(error) == ModelUsage():
            await self._undo(turn, error, after)
            return
        result, state = await self._write(turn, usage_of(error), None, after)
        self._drive.tell(Happening.TURN_FAILED, result.goal, state, str(error))

    async def _undo(self, turn: _Turn, error: AgentFailure, after: Callable[[Instant], LoopState]) -> None:
        """The turn never took place, as its agent reached nobody: it uses nothing up, and is tried again later."""

        async def undo(lease: Lease | None) -> LoopState:
            state = after(await self._drive.store.now())
            await self._drive.records.save(lease, state)
            with suppress(HoldLost):
                await self._drive.store.release(turn.goal.id, turn.hold, lease=lease)
            return state

        state = await self._drive.insistently(undo, turn.state)
        self._drive.tell(Happening.TURN_FAILED, turn.goal, state, str(error))

    async def _write(
        self, turn: _Turn, usage: ModelUsage | None, model: str | None, after: Callable[[Instant], LoopState]
    ) -> tuple[TurnResult, LoopState]:
        """What was recorded, and where the loop then stands. The turn is paid: it is kept until the store takes it."""
        line = turn_line(turn.state, usage, model, turn.hold, turn.elapsed_microseconds)
        if usage is None:
            line = replace(line, uncertain=uncertain(turn.goal, self._drive.settings.held_tokens))

        async def write(lease: Lease | None) -> tuple[TurnResult, LoopState]:
            state = after(await self._drive.store.now())
            return await self._drive.records.finish_turn(lease, line, state), state

        return await self._drive.insistently(write, turn.state)


async def _report_of(agent: Agent, request: TurnRequest) -> TurnReport:
    """The agent's report. Whatever else it raises, or that it overran its time for long, is a failure of its turn."""
    try:
        async with asyncio.timeout(request.timeout_seconds + _MARGIN_SECONDS):
            return await agent.turn(request)
    except (AgentFailure, LeaseLost):
        raise
    except TimeoutError as error:
        raise AgentTimedOut(f"the agent took longer than {request.timeout_seconds:g} seconds") from error
    except Exception as error:
        raise AgentFailure(
            f"the agent raised {type(error).__name__}: {error}", session=request.session, is_outage=is_outage(error)
        ) from error
