"""Taking one turn: hold budget, tell the agent, wait under the heartbeat, record; repeatable after a crash."""

import asyncio
import glob
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from telic.domain.clock import Clock, Instant, SteadyClock
from telic.domain.decision import Step
from telic.domain.errors import (
    AgentFailure,
    AgentTimedOut,
    BudgetExceeded,
    GoalError,
    GoalNotActive,
    HoldLost,
    LeaseLost,
    WorkspaceMissing,
)
from telic.domain.events import TurnResult
from telic.domain.goal import Goal, GoalStatus, Reason
from telic.domain.lease import Hold, Lease
from telic.domain.limits import MAX_TTL_SECONDS
from telic.domain.loop_state import LoopState
from telic.loop.agents.protocol import Agent, TurnReport, TurnRequest
from telic.loop.agents.provider_errors import is_outage
from telic.loop.heartbeat import GoalStopped
from telic.loop.prompts import turn_prompt
from telic.loop.run_context import LoopEventKind, RunContext
from telic.loop.state_transitions import (
    ObservedUsage,
    after_cut_off,
    after_failure,
    after_report,
    broken_off,
    is_nothing,
    turn_key,
    turn_line,
    usage_of,
)
from telic.loop.turn_budget import BudgetReached, TurnMeter, held_by_others, reserving_holds
from telic.loop.workspace import DEFAULT_EXCLUDES, WorkspaceState, observe_workspace
from telic.observability.observer import AgentTurn
from telic.storage.operations.loop import KeyedTurn, TurnHold

_MARGIN_SECONDS: Final = 60.0
_PARTS_OF_BUDGET: Final = 10
"""So many turns of unknown usage end a budget: a small one outlasts one of them."""
_MOST_HELD_TOKENS: Final = 50_000
_LAST_WRITE_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class _Turn:
    """A turn that has begun, its hold, and what it is known to have used so far."""

    step: Step
    goal: Goal
    state: LoopState
    hold: Hold
    clock: Clock
    meter: TurnMeter


class TurnExecutor:
    """Takes turns with one agent. `makes_claims` is False after a turn of one that has not claimed anything yet."""

    def __init__(self, run: RunContext, agent: Agent, secret: bytes) -> None:
        self._run = run
        self._agent = agent
        self._secret = secret
        self.makes_claims = True
        self._has_claimed = False

    async def take(self, step: Step, goal: Goal, state: LoopState) -> None:
        """One turn was taken and is recorded, or came to nothing, which is recorded too.

        A turn that reaches the goal's budget is cut off. What a turn used before it was cut off, or cancelled, is
        recorded as an estimate.

        Raises:
            GoalStopped: somebody stopped or edited the goal; the turn was cancelled.
            LeaseLost: another worker may have the goal; nothing was recorded.
        """
        with self._run.store.observer.turn(goal, state.turns + 1, step) as seen:
            await self._take(step, goal, state, seen)

    async def _take(self, step: Step, goal: Goal, state: LoopState, seen: AgentTurn) -> None:
        hold = await self._hold(goal, state)
        if hold is None:
            return
        turn = _Turn(step, goal, state, hold, SteadyClock(await self._run.now()), TurnMeter(self._run, hold))
        request = await self._request(turn)
        self._run.report(LoopEventKind.TURN_BEGAN, goal, state, step)
        seen.outcome = "cut_off"
        try:
            report = await self._run.heart.guard(turn.meter.watch(self._report(turn, request)), goal)
        except BudgetReached as reached:
            seen.ended("cut_off", turn.meter.usage, turn.meter.model)
            session = turn.meter.session
            result, after = await self._finish(
                turn, self._line_of_cut_off(turn), lambda _: after_cut_off(state, session)
            )
            self._run.report(LoopEventKind.TURN_ENDED, result.goal, after, f"cut off: {reached}")
        except (GoalStopped, asyncio.CancelledError):
            seen.ended("cut_off", turn.meter.usage, turn.meter.model)
            await self._record_interrupted(turn)
            raise
        except AgentFailure as error:
            seen.ended("failed", usage_of(error), None, error)
            await self._record_failure(turn, error)
        else:
            outcome = "quota_reached" if report.quota is not None else report.claim.value
            seen.ended(outcome, report.usage, report.model)
            self.makes_claims = self._has_claimed = self._has_claimed or report.makes_claims
            await self._record(turn, report)

    async def _report(self, turn: _Turn, request: TurnRequest) -> TurnReport:
        return turn.meter.priced(await _report_of(self._agent, request))

    async def _hold(self, goal: Goal, state: LoopState) -> Hold | None:
        """Return the turn's hold, or None where none was granted, and the goal is not active any more."""
        settings, lease = self._run.settings, self._run.heart.lease
        key = f"{turn_key(state)}/lease-{lease.token}/revision-{goal.revision}"
        ttl_seconds = min(settings.turn_timeout_seconds + _MARGIN_SECONDS, MAX_TTL_SECONDS)
        most_money = max((goal.budget.cost_microunits or 0) // _PARTS_OF_BUDGET, 1)
        most_tokens = settings.held_tokens
        if most_tokens is None:
            most_tokens = min(max((goal.token_budget or 0) // _PARTS_OF_BUDGET, 1), _MOST_HELD_TOKENS)
        asked = TurnHold(turn_key(state), key, most_tokens, most_money, ttl_seconds)
        try:
            return await self._run.with_retries(lambda: self._run.records.begin_turn(lease, asked))
        except BudgetExceeded:
            holds = await self._run.with_retries(lambda: reserving_holds(self._run.store, goal.id))
            await self._run.pause(goal, state, Reason.BUDGET, held_by_others(goal, holds))
            return None
        except GoalNotActive:
            return None

    async def _request(self, turn: _Turn) -> TurnRequest:
        goal, state = turn.goal, turn.state
        verification = await self._run.with_retries(lambda: self._run.store.verification(goal.id))
        return TurnRequest(
            goal=goal,
            prompt=turn_prompt(goal, state, turn.step, verification, secret=self._secret),
            turn_number=state.turns + 1,
            turn_key=turn_key(state),
            workspace=self._run.settings.workspace,
            timeout_seconds=self._run.settings.turn_timeout_seconds,
            session=state.session,
            report_usage=turn.meter.report,
            report_notice=lambda notice: self._run.report(LoopEventKind.NOTICE, goal, state, notice),
            clock=turn.clock,
        )

    async def _record(self, turn: _Turn, report: TurnReport) -> None:
        used = ObservedUsage(report.usage, report.model, report.usage_is_estimate)
        if report.quota is not None and report.usage_is_estimate:
            # It is waited for; what it cost unheard counts as what was held for it (ADR 61).
            used = replace(broken_off(report.usage, report.model, turn.hold), is_estimate=True)
        try:
            seen = (await self._observed()).progress_hash
        except WorkspaceMissing as error:
            await self._without_workspace(turn, used, report.session, error)
            return

        def after(at: Instant) -> LoopState:
            return after_report(turn.state, turn.goal, turn.step, report, seen, self._run.policy, at)

        result, state = await self._write(turn, used, after)
        self._run.report(LoopEventKind.TURN_ENDED, result.goal, state, report.note or report.claim)

    async def _observed(self) -> WorkspaceState:
        """Return the workspace as it is, without the store that may lie in it: every turn changes that."""
        workspace = self._run.settings.workspace
        whole = await asyncio.to_thread(workspace.resolve)
        own = [str(file.relative_to(whole)) for file in self._run.store.files if file.is_relative_to(whole)]
        return await observe_workspace(workspace, excludes=(*DEFAULT_EXCLUDES, *map(glob.escape, own)))

    async def _without_workspace(
        self, turn: _Turn, used: ObservedUsage, session: str | None, error: WorkspaceMissing
    ) -> None:
        # The goal waits for a person: nothing can be done or checked without its folder.
        failed = AgentFailure(str(error), usage=used.usage, session=session)
        after = partial(after_failure, turn.state, failed, self._run.policy)
        result, state = await self._write(turn, used, after)
        if result.goal.status is GoalStatus.ACTIVE:
            await self._run.pause(result.goal, state, Reason.FAILED, str(error))

    async def _record_failure(self, turn: _Turn, error: AgentFailure) -> None:
        known, reported = usage_of(error), turn.meter.usage
        is_whole = known is not None and not error.usage_is_estimate
        model = turn.meter.model
        used = ObservedUsage(known, model) if is_whole else broken_off(known or reported, model, turn.hold)
        after = partial(after_failure, turn.state, error, self._run.policy)
        if error.is_outage and is_nothing(used.usage):
            await self._undo(turn, error, after)
            return
        result, state = await self._write(turn, used, after)
        self._run.report(LoopEventKind.TURN_FAILED, result.goal, state, str(error))

    async def _undo(self, turn: _Turn, error: AgentFailure, after: Callable[[Instant], LoopState]) -> None:
        # The turn's agent reached nobody: it uses nothing up, and is tried again later.

        async def undo(lease: Lease | None) -> LoopState:
            state = after(turn.clock.now())
            await self._run.records.save(lease, state)
            with suppress(HoldLost):
                await self._run.store.release(turn.goal.id, turn.hold.key, lease=lease)
            return state

        state = await self._run.retry_past_lease(undo, turn.state)
        self._run.report(LoopEventKind.TURN_FAILED, turn.goal, state, str(error))

    def _line_of_cut_off(self, turn: _Turn) -> KeyedTurn:
        used = broken_off(turn.meter.usage, turn.meter.model, turn.hold)
        return turn_line(turn.state, used, turn.hold, turn.meter.elapsed_microseconds)

    async def _record_interrupted(self, turn: _Turn) -> None:
        # Where the store cannot be reached, the turn's hold remains, and becomes an estimate.
        line, state = self._line_of_cut_off(turn), after_cut_off(turn.state, turn.meter.session)
        with suppress(GoalError, TimeoutError):
            async with asyncio.timeout(_LAST_WRITE_SECONDS):
                await self._run.records.finish_turn(self._run.heart.lease, line, state)

    async def _write(
        self, turn: _Turn, used: ObservedUsage, after: Callable[[Instant], LoopState]
    ) -> tuple[TurnResult, LoopState]:
        line = turn_line(turn.state, used, turn.hold, turn.meter.elapsed_microseconds)
        return await self._finish(turn, line, after)

    async def _finish(
        self, turn: _Turn, line: KeyedTurn, after: Callable[[Instant], LoopState]
    ) -> tuple[TurnResult, LoopState]:
        # The turn is paid for: it is kept until the store takes it.

        async def write(lease: Lease | None) -> tuple[TurnResult, LoopState]:
            state = after(turn.clock.now())
            return await self._run.records.finish_turn(lease, line, state), state

        result, state = await self._run.retry_past_lease(write, turn.state)
        if result.goal.status is GoalStatus.PAUSED and result.goal.note is not None:
            # The turn itself has stopped the goal, and nothing else says why.
            self._run.report(LoopEventKind.PAUSED, result.goal, state, result.goal.note)
        return result, state


async def _report_of(agent: Agent, request: TurnRequest) -> TurnReport:
    """Return the agent's report, or raise AgentFailure for any other error, or if it overran its time for long."""
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
