"""Checking a goal's criteria within the loop: under the heartbeat, billed, and recorded with where the loop stands."""

from dataclasses import replace
from functools import partial

from telic.domain.clock import SteadyClock
from telic.domain.errors import StaleUpdate
from telic.domain.goal import Goal, Reason
from telic.domain.loop_state import LoopState
from telic.domain.verdict import Verdict
from telic.domain.verification import Verification
from telic.loop.heartbeat import Stopped
from telic.loop.loop_events import Happening
from telic.loop.run_context import Drive
from telic.loop.state_transitions import after_verification, check_key, judged_lines
from telic.loop.verification.evidence import Work
from telic.loop.verification.verifier import Verifier
from telic.observability.observer import VerificationRun


class Checker:
    """Checks goals with one verifier."""

    def __init__(self, drive: Drive, verifier: Verifier) -> None:
        self._drive = drive
        self._verifier = verifier

    async def check(self, goal: Goal, state: LoopState) -> None:
        """The verdicts are recorded; a goal whose criteria all passed is completed as verified.

        One that only waits for a person's approval is paused until it comes.

        Raises:
            Stopped, StaleUpdate: the goal was changed meanwhile; no verdict was recorded, but its judges are billed.
            LeaseLost: as `Heartbeat.guard`; nothing was recorded.
        """
        with self._drive.observer.check(goal) as seen:
            await self._check(goal, state, seen)

    async def _check(self, goal: Goal, state: LoopState, seen: VerificationRun) -> None:
        drive, heard = self._drive, list[Verdict]()
        drive.tell(Happening.CHECKING, goal, state)
        approvals = await drive.patiently(lambda: drive.store.approvals(goal.id))
        clock = SteadyClock(await drive.now())

        def hear(verdict: Verdict) -> None:
            heard.append(verdict)
            self._tell(goal, state, verdict)

        try:
            work = Work(text=state.work, tool_output_tail=state.tool_output)
            verifying = self._verifier.verify(goal, work, approvals=approvals, on_verdict=hear)
            seen.found = found = await drive.heart.guard(verifying, goal)
            after = after_verification(state, found, drive.policy, clock.now())
            checked = await self._record(goal, state, found, after)
        except (Stopped, StaleUpdate):
            await self._bill(goal, state, heard)
            raise
        if checked.is_finished:
            drive.tell(Happening.COMPLETED, checked, state, str(checked.reason))
        elif checked.reason is Reason.WAITING:
            drive.tell(Happening.PAUSED, checked, state, checked.note or Reason.WAITING)

    def _tell(self, goal: Goal, state: LoopState, verdict: Verdict) -> None:
        why = verdict.error or (f"exit code {verdict.exit_code}" if verdict.exit_code else "")
        title = f"{verdict.outcome}: {goal.criteria[verdict.index].title}"
        self._drive.tell(Happening.CHECKED, goal, state, f"{title} ({why})" if why else title)

    async def _record(self, goal: Goal, state: LoopState, found: Verification, after: LoopState) -> Goal:
        drive = self._drive
        judged = judged_lines(check_key(state, goal.revision), found.verdicts)
        key = check_key(state, goal.revision)
        return await drive.insistently(
            lambda lease: drive.records.finish_verification(lease, found, judged, after, key), state
        )

    async def _bill(self, goal: Goal, state: LoopState, heard: list[Verdict]) -> None:
        """The verdicts are void, what their judges consumed is not."""
        after = replace(state, verifications=state.verifications + 1)
        for line in judged_lines(check_key(state, goal.revision), heard):
            await self._drive.insistently(partial(self._drive.records.finish_turn, turn=line, state=after), state)
