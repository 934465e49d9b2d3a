"""Checking a goal's criteria within the loop: under the heartbeat, billed, and recorded with where the loop stands."""

from functools import partial

from telic.domain.claim import Wake
from telic.domain.errors import StaleUpdate
from telic.domain.goal import Goal, GoalStatus, Reason
from telic.domain.loop_state import LoopState
from telic.domain.verdict import Outcome, Verdict
from telic.domain.verification import Verification
from telic.loop.accounts import after_verification, check_key, judged_lines, verification_key
from telic.loop.drive import Drive
from telic.loop.progress_report import Happening
from telic.loop.verification.evidence import Work
from telic.loop.verification.verifier import Verifier


def approval_signal(goal_id: str) -> str:
    """The name of the signal that wakes a goal when a person has approved or rejected it."""
    return f"approval/{goal_id}"


class Checker:
    """Checks goals with one verifier."""

    def __init__(self, drive: Drive, verifier: Verifier) -> None:
        self._drive = drive
        self._verifier = verifier

    async def check(self, goal: Goal, state: LoopState) -> None:
        """The verdicts are recorded; a goal whose criteria all passed is completed as verified.

        One that only waits for a person's approval is paused until it comes.

        Raises:
            Stopped, LeaseLost: as `Heartbeat.guard`; no verdict was recorded.
            StaleUpdate: the goal was changed meanwhile; its judges are billed all the same.
        """
        drive = self._drive
        drive.tell(Happening.CHECKING, goal, state)
        approvals = await drive.patiently(lambda: drive.store.approvals(goal.id))
        work = Work(text=state.work, tool_output_tail=state.tool_output)
        told = partial(self._tell, goal, state)
        found = await drive.heart.guard(
            self._verifier.verify(goal, work, approvals=approvals, on_verdict=told), goal.status
        )
        after = after_verification(state, found, drive.policy, drive.now())
        checked = await self._record(goal, state, found, after)
        if checked.is_finished:
            drive.tell(Happening.COMPLETED, checked, state, str(checked.reason))
        elif found.outcome is Outcome.PENDING and checked.status is GoalStatus.ACTIVE:
            asked = [goal.criteria[each.index].question for each in found.verdicts if each.outcome is Outcome.PENDING]
            wake = Wake(signal=approval_signal(goal.id))
            await drive.pause(checked, after, Reason.WAITING, "; ".join(asked), wake)

    def _tell(self, goal: Goal, state: LoopState, verdict: Verdict) -> None:
        why = verdict.error or (f"exit code {verdict.exit_code}" if verdict.exit_code else "")
        title = f"{verdict.outcome}: {goal.criteria[verdict.index].title}"
        self._drive.tell(Happening.CHECKED, goal, state, f"{title} ({why})" if why else title)

    async def _record(self, goal: Goal, state: LoopState, found: Verification, after: LoopState) -> Goal:
        drive = self._drive
        judged = judged_lines(verification_key(state), found)
        key = check_key(state, goal.revision)
        try:
            return await drive.patiently(
                lambda: drive.records.finish_verification(drive.heart.lease, found, judged, after, key)
            )
        except StaleUpdate:
            # The verdicts are void, what their judges consumed is not.
            for line in judged:
                await drive.patiently(partial(drive.records.finish_turn, drive.heart.lease, line, after))
            raise
