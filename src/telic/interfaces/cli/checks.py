"""A goal's criteria as they were last checked, and what people are asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from telic.domain.criteria import Criterion, CriterionKind
from telic.domain.events import EventKind
from telic.domain.goal import Goal
from telic.domain.limits import MAX_PAGE
from telic.domain.verdict import Approval, Outcome, Verdict
from telic.domain.verdict_reading import verification_from_dict
from telic.interfaces.cli.terminal import Terminal
from telic.services.store import GoalStore

_TAIL_LINES = 10


@dataclass(frozen=True, slots=True)
class Check:
    """One criterion, with its last verdict and the answer that still counts."""

    number: int
    criterion: Criterion
    verdict: Verdict | None
    approval: Approval | None

    @property
    def is_pending(self) -> bool:
        """Whether a person is asked, and has not answered."""
        return self.criterion.kind is CriterionKind.APPROVAL and self.approval is None

    def as_dict(self) -> dict[str, Any]:
        """The check as JSON."""
        return {
            "number": self.number,
            "criterion": self.criterion.as_dict(),
            "verdict": self.verdict and self.verdict.as_dict(),
            "approval": self.approval and self.approval.as_dict(),
            "pending": self.is_pending,
        }


def look_at_checks(store: GoalStore, goal: Goal) -> list[Check]:
    """Each of the goal's criteria, with its last verdict and answer."""
    if not goal.criteria:
        return []
    verdicts = {each.criterion_hash: each for each in _last_verdicts(store, goal)}
    answers = {each.criterion_hash: each for each in store.approvals(goal.id)}
    return [
        Check(index + 1, criterion, verdicts.get(criterion.content_hash), answers.get(criterion.content_hash))
        for index, criterion in enumerate(goal.criteria)
    ]


def _last_verdicts(store: GoalStore, goal: Goal) -> Sequence[Verdict]:
    """The last verdicts, also those at an earlier revision: to complete a goal, or to wake it, raises it."""
    found = store.verification(goal.id)
    after = 0
    while found is None or found.revision < goal.revision:
        page = store.events(goal.id, after=after)
        checked = [event for event in page if event.kind is EventKind.CHECKED]
        found = verification_from_dict(checked[-1].data) if checked else found
        if len(page) < MAX_PAGE:
            break
        after = page[-1].number
    return found.verdicts if found else ()


def show_checks(terminal: Terminal, goal: Goal, checks: Sequence[Check]) -> None:
    """The criteria as they stand, the ends of what failing ones printed, and what people are asked."""
    if not checks:
        return
    terminal.line("  checks")
    for check in checks:
        terminal.line(f"    {check.number}. {outcome(check):<8} {check.criterion.kind}: {check.criterion.title}")
        for line in _evidence(check):
            terminal.line(f"         {line}")
    pending = [check for check in checks if check.is_pending]
    if pending and not goal.is_finished:
        terminal.hint(f"telic approve {goal.id} --criterion {pending[0].number} or telic reject … answers")


def outcome(check: Check) -> str:
    """How the criterion stands, in one word."""
    if check.criterion.kind is CriterionKind.APPROVAL:
        return "pending" if check.approval is None else "approved" if check.approval.is_approved else "rejected"
    return "-" if check.verdict is None else str(check.verdict.outcome)


def _evidence(check: Check) -> list[str]:
    if check.approval is not None:
        return [f"by {check.approval.decided_by}" + (f": {check.approval.note}" if check.approval.note else "")]
    verdict = check.verdict
    if verdict is None:
        return []
    lines = [f"{verdict.error}: {verdict.detail}" if verdict.error else verdict.detail]
    lines += [f"because: {reason}" for reason in verdict.reasons]
    lines += [f"suggested: {suggestion}" for suggestion in verdict.suggestions]
    if verdict.outcome is not Outcome.PASSED:
        lines += [f"| {line}" for line in verdict.output_tail.splitlines()[-_TAIL_LINES:]]
    return [line for line in lines if line]
