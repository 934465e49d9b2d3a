"""Checking a goal's criteria within the loop: under the heartbeat, billed, and recorded with where the loop stands."""

from dataclasses import replace

from telic.domain.clock import SteadyClock
from telic.domain.errors import StaleUpdate
from telic.domain.goal import Goal, Reason
from telic.domain.loop_state import LoopState
from telic.domain.verdict import Verdict
from telic.domain.verification import Verification
from telic.loop.heartbeat import GoalStopped
from telic.loop.loop_events import LoopEventKind
from telic.loop.run_context import RunContext
from telic.loop.state_transitions import after_verification, check_key
from telic.loop.verification.evidence import AgentWork
from telic.loop.verification.verifier import Verifier
from telic.observability.observer import VerificationRun
from telic.services.settlement import judged_lines


class VerificationStep:
    """Checks goals with one verifier, as a step of a loop."""

    def __init__(self, run: RunContext, verifier: Verifier) -> None:
        self._run = run
        self._verifier = verifier

    async def check(self, goal: Goal, state: LoopState) -> None:
        """The verdicts are recorded; a goal whose criteria all passed is completed as verified.

        One that only waits for a person's approval is paused until it comes.

        Raises:
            GoalStopped, StaleUpdate: the goal was changed meanwhile; no verdict is recorded, the judges are billed.
            LeaseLost: as `Heartbeat.guard`; nothing was recorded.
        """
        with self._run.observer.check(goal) as seen:
            await self._check(goal, state, seen)

    async def _check(self, goal: Goal, state: LoopState, seen: VerificationRun) -> None:
        run, heard = self._run, list[Verdict]()
        run.report(LoopEventKind.CHECKING, goal, state)
        approvals = await run.patiently(lambda: run.store.approvals(goal.id))
        clock = SteadyClock(await run.now())

        def hear(verdict: Verdict) -> None:
            heard.append(verdict)
            self._tell(goal, state, verdict)

        try:
            work = AgentWork(text=state.work, tool_output_tail=state.tool_output)
            verifying = self._verifier.verify(goal, work, approvals=approvals, on_verdict=hear)
            seen.found = found = await run.heart.guard(verifying, goal)
            after = after_verification(state, found, run.policy, clock.now())
            checked = await self._record(goal, state, found, after)
        except (GoalStopped, StaleUpdate):
            await self._bill(goal, state, heard)
            raise
        if checked.is_finished:
            run.report(LoopEventKind.COMPLETED, checked, state, str(checked.reason))
        elif checked.reason is Reason.WAITING:
            run.report(LoopEventKind.PAUSED, checked, state, checked.note or Reason.WAITING)

    def _tell(self, goal: Goal, state: LoopState, verdict: Verdict) -> None:
        why = verdict.error or (f"exit code {verdict.exit_code}" if verdict.exit_code else "")
        title = f"{verdict.outcome}: {goal.criteria[verdict.index].title}"
        self._run.report(LoopEventKind.CHECKED, goal, state, f"{title} ({why})" if why else title)

    async def _record(self, goal: Goal, state: LoopState, found: Verification, after: LoopState) -> Goal:
        key = check_key(state, goal.revision)
        return await self._run.insistently(lambda lease: self._run.records.settle(lease, key, after, found), state)

    async def _bill(self, goal: Goal, state: LoopState, heard: list[Verdict]) -> None:
        """The verdicts are void, what their judges consumed is not."""
        key, after = check_key(state, goal.revision), replace(state, verifications=state.verifications + 1)
        if judged_lines(key, heard):
            await self._run.insistently(
                lambda lease: self._run.records.bill_void_check(lease, key, after, heard), state
            )
