"""The autonomous loop: drives one goal with one agent until it is verified, stopped, waiting, stuck or spent."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial

from telic.domain.clock import MICRO, Clock, Instant, SteadyClock, SystemClock
from telic.domain.decision import Decision, LoopPolicy, Step, decide
from telic.domain.errors import GoalError, LeaseHeld, LeaseLost, StaleUpdate
from telic.domain.goal import Actor, Goal, GoalStatus, Reason, Wake
from telic.domain.lease import Lease
from telic.domain.limits import MAX_TTL_SECONDS
from telic.domain.loop_state import LoopState
from telic.domain.verdict import Verdict
from telic.loop.agents.protocol import Agent
from telic.loop.heartbeat import GoalStopped, Heartbeat
from telic.loop.run_context import LoopEventKind, LoopEventListener, LoopRecords, LoopSettings, RunContext, ignore
from telic.loop.state_transitions import after_verification, check_key
from telic.loop.turn_executor import TurnExecutor
from telic.loop.verification.evidence import AgentWork
from telic.loop.verification.verifier import Verifier
from telic.observability.observer import VerificationRun
from telic.services.retry import retry
from telic.services.settlement import judged_lines
from telic.store.async_store import AsyncGoalStore


class VerificationStep:
    """Checks goals with one verifier: under the heartbeat, billed, and recorded with the loop's state."""

    def __init__(self, run: RunContext, verifier: Verifier) -> None:
        self._run = run
        self._verifier = verifier

    async def check(self, goal: Goal, state: LoopState) -> None:
        """The verdicts are recorded; a goal whose criteria all passed is completed as verified.

        One that only waits for a person's approval is paused until it comes.

        Raises:
            GoalStopped, StaleUpdate: the goal was changed meanwhile; no verdict is recorded, the judges are billed.
            LeaseLost: another worker may have the goal; nothing was recorded.
        """
        with self._run.store.observer.check(goal) as seen:
            await self._check(goal, state, seen)

    async def _check(self, goal: Goal, state: LoopState, seen: VerificationRun) -> None:
        run, verdicts = self._run, list[Verdict]()
        run.report(LoopEventKind.CHECKING, goal, state)
        approvals = await run.with_retries(lambda: run.store.approvals(goal.id))
        clock, key = SteadyClock(await run.now()), check_key(state, goal.revision)

        def on_verdict(verdict: Verdict) -> None:
            verdicts.append(verdict)
            why = verdict.error or (f"exit code {verdict.exit_code}" if verdict.exit_code else "")
            title = f"{verdict.outcome}: {goal.criteria[verdict.index].title}"
            run.report(LoopEventKind.CHECKED, goal, state, f"{title} ({why})" if why else title)

        try:
            work = AgentWork(text=state.work, tool_output_tail=state.tool_output)
            verifying = self._verifier.verify(goal, work, approvals=approvals, on_verdict=on_verdict)
            seen.found = found = await run.heart.guard(verifying, goal)
            after = after_verification(state, found, run.policy, clock.now())
            checked = await run.retry_past_lease(lambda lease: run.records.settle(lease, key, after, found), state)
        except (GoalStopped, StaleUpdate):
            # The verdicts are void, the usage of their judges is not.
            if judged_lines(key, verdicts):
                billed = replace(state, verifications=state.verifications + 1)
                await run.retry_past_lease(
                    lambda lease: run.records.bill_void_check(lease, key, billed, verdicts), state
                )
            raise
        if checked.is_finished:
            run.report(LoopEventKind.COMPLETED, checked, state, str(checked.reason))
        elif checked.reason is Reason.WAITING:
            run.report(LoopEventKind.PAUSED, checked, state, checked.note or Reason.WAITING)


@dataclass(slots=True)
class GoalLoop:
    """Drives goals, one at a time. All that it must remember is stored, so any other loop can go on at any moment.

    `verifier` checks the goals' criteria, in the settings' workspace and without a judge where none is given.
    `on_progress` is called with every event; it must not block. Nothing is decided by `clock`, this machine's: where it
    differs from the database's, by which all workers go, an event says so.
    """

    store: AsyncGoalStore
    agent: Agent
    settings: LoopSettings
    policy: LoopPolicy = field(default_factory=LoopPolicy)
    verifier: Verifier | None = None
    on_progress: LoopEventListener = ignore
    clock: Clock = field(default_factory=SystemClock)
    _heart: Heartbeat | None = field(default=None, init=False)
    _change_noticed: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    def notice_change(self) -> None:
        """Read the goal at once, during a turn or between two, instead of with the next heartbeat."""
        self._change_noticed.set()
        if self._heart is not None:
            self._heart.beat_now()

    async def run(self, goal_id: str) -> Goal:
        """Drive the goal until it is completed, cleared or paused, and return it; its `reason` says why.

        Raises:
            LeaseHeld: another worker drives the goal; the error says who.
            GoalNotActive: the goal is paused or finished.
            LeaseLost: another worker has taken over, since this one was away for too long, or rested.
            GoalNotFound, StoreError: the loop has ended; everything recorded stays.
        """
        return await self.run_leased(await self._claim(goal_id))

    async def run_leased(self, lease: Lease) -> Goal:
        """As `run`, under a lease that was already granted; the lease is given back at the end.

        Raises:
            LeaseLost, StoreError: see `run`.
        """
        while True:
            goal = await self.run_until_rest(lease)
            if goal.status is not GoalStatus.ACTIVE:
                return goal
            goal = await self._rest(goal)
            if goal.status is not GoalStatus.ACTIVE:
                return goal
            try:
                lease = await retry(partial(self._claim, goal.id))
            except LeaseHeld as held:
                raise LeaseLost(f"another worker has taken over: {held}") from held

    async def run_until_rest(self, lease: Lease) -> Goal:
        """As `run_leased`, but an active goal is left too if its next step is due only after the lease would end.

        Nobody has it then, and any worker may claim it when it is due.

        Raises:
            LeaseLost, StoreError: see `run`.
        """
        settings = self.settings
        self._heart = heart = Heartbeat(
            self.store, lease, interval_seconds=settings.heartbeat_seconds, ttl_seconds=settings.lease_seconds
        )
        run = RunContext(
            store=self.store,
            records=LoopRecords(self.store, lease.goal.id),
            heart=heart,
            settings=settings,
            policy=self.policy,
            clock=self.clock,
            on_progress=self.on_progress,
        )
        pause_seconds = 0.0
        try:
            # The lease may have been granted a while ago: from here on it is known until when it lasts.
            await heart.beat()
            steps = _LoopSteps(run, self.agent, self.verifier, await run.with_retries(self.store.secret))
            goal, pause_seconds = await steps.until_rest()
            return goal
        finally:
            self._heart = None
            if not heart.has_run_out:
                with suppress(GoalError):
                    await self.store.release_lease(heart.lease, pause_seconds=pause_seconds)

    async def _claim(self, goal_id: str) -> Lease:
        settings = self.settings
        return await self.store.claim(goal_id, worker=settings.worker, ttl_seconds=settings.lease_seconds)

    async def _rest(self, goal: Goal) -> Goal:
        """Wait until the goal's next step is due, or it was stopped, and return the goal as it stands then."""
        while True:
            self._change_noticed.clear()
            state = await retry(partial(self.store.lease, goal.id))
            seconds = state.due_in_microseconds / MICRO
            if state.goal.status is not GoalStatus.ACTIVE or not seconds:
                return state.goal
            with suppress(TimeoutError):
                async with asyncio.timeout(min(seconds, self.settings.heartbeat_seconds)):
                    await self._change_noticed.wait()


class _LoopSteps:
    """Looks at the goal, decides, and carries out the step, until there is nothing left to do."""

    def __init__(self, run: RunContext, agent: Agent, verifier: Verifier | None, secret: bytes) -> None:
        self._run = run
        self._turns = TurnExecutor(run, agent, secret)
        self._checker = VerificationStep(run, verifier or Verifier(workspace=run.settings.workspace))

    async def until_rest(self) -> tuple[Goal, float]:
        """Carry out steps, and return the goal as it was left, and for how many seconds its next step is not due."""
        goal, state = await self._look()
        self._run.report(LoopEventKind.CLAIMED, goal, state, await self._run.clock_error())
        while True:
            goal, state = await self._look()
            # Only a moment that was written down is compared with the present.
            at = await self._run.now() if state.next_at else Instant(0)
            decision = decide(goal, state, self._run.policy, at, makes_claims=self._turns.makes_claims)
            if decision.step is Step.STOP:
                self._run.report(LoopEventKind.STOPPED, goal, state, goal.reason or goal.status)
                return goal, 0
            if decision.step is Step.SLEEP:
                seconds = ((decision.until or at) - at) / MICRO
                self._run.report(LoopEventKind.SLEEPING, goal, state, f"{seconds:.0f} s")
                # A goal that is verified after its end can be claimed by nobody: its lease is kept.
                if seconds > self._run.settings.lease_seconds and goal.status is GoalStatus.ACTIVE:
                    return goal, min(seconds, MAX_TTL_SECONDS)
                with suppress(GoalStopped):
                    await self._run.heart.rest(seconds, goal)
                continue
            # After a change by somebody else the next look decides again.
            with suppress(GoalStopped, StaleUpdate):
                await self._carry_out(decision, goal, state)

    async def _look(self) -> tuple[Goal, LoopState]:
        return await self._run.with_retries(self._run.records.load)

    async def _carry_out(self, decision: Decision, goal: Goal, state: LoopState) -> None:
        match decision.step:
            case Step.TURN | Step.WIND_DOWN | Step.AUDIT:
                await self._turns.take(decision.step, goal, state)
            case Step.VERIFY:
                await self._checker.check(goal, state)
            case Step.COMPLETE:
                await self._complete(decision, goal, state)
            case _:
                wake = state.wake if decision.reason is Reason.WAITING else None
                until = None if decision.until is None else Wake(at=Instant(decision.until))
                await self._run.pause(goal, state, decision.reason or Reason.FAILED, decision.note, until or wake)

    async def _complete(self, decision: Decision, goal: Goal, state: LoopState) -> None:
        completed = await self._run.with_retries(
            lambda: self._run.store.complete(
                goal.id,
                expected_revision=goal.revision,
                note=decision.note,
                lease=self._run.heart.lease,
                actor=Actor.MODEL,
                key=f"loop/complete-{goal.revision}",
            )
        )
        self._run.report(LoopEventKind.COMPLETED, completed, state, str(completed.reason))
