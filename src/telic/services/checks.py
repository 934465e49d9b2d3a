"""A goal's criteria as they were last checked, and what people are asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from telic.domain.criteria import Criterion, CriterionKind
from telic.domain.events import EventKind
from telic.domain.goal import Goal
from telic.domain.limits import MAX_PAGE
from telic.domain.verdict import Approval, Outcome, Verdict
from telic.domain.verification import verification_from_dict
from telic.storage.transaction import complete
from telic.store.goal_store import GoalStore
from telic.store.sync_to_async import as_async_store

if TYPE_CHECKING:
    from telic.store.async_store import AsyncGoalStore

_TAIL_LINES: Final = 10


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

    @property
    def outcome(self) -> str:
        """How the criterion stands, in one word; a hyphen where it was never checked."""
        if self.criterion.kind is CriterionKind.APPROVAL:
            return "pending" if self.approval is None else "approved" if self.approval.is_approved else "rejected"
        return "-" if self.verdict is None else str(self.verdict.outcome)

    @property
    def why(self) -> list[str]:
        """What speaks for the outcome, line by line, in others' words."""
        if self.approval is not None:
            return [f"by {self.approval.decided_by}" + (f": {self.approval.note}" if self.approval.note else "")]
        verdict = self.verdict
        if verdict is None:
            return []
        lines = [f"{verdict.error}: {verdict.detail}" if verdict.error else verdict.detail]
        lines += [f"because: {reason}" for reason in verdict.reasons]
        lines += [f"suggested: {suggestion}" for suggestion in verdict.suggestions]
        return [line for line in lines if line]

    @property
    def evidence(self) -> list[str]:
        """What speaks for the outcome; of a command that did not pass also the end of its output."""
        verdict = None if self.approval is not None else self.verdict
        is_passed = verdict is None or verdict.outcome is Outcome.PASSED
        tail = "" if is_passed or verdict is None else verdict.output_tail
        return [*self.why, *(f"| {line}" for line in tail.splitlines()[-_TAIL_LINES:] if line)]

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
    return complete(look_at_checks_async(as_async_store(store), goal))


async def look_at_checks_async(store: "AsyncGoalStore", goal: Goal) -> list[Check]:
    """As `look_at_checks`, on an async store."""
    if not goal.criteria:
        return []
    verdicts = {each.criterion_hash: each for each in await _last_verdicts(store, goal)}
    answers = {each.criterion_hash: each for each in await store.approvals(goal.id)}
    return [
        Check(index + 1, criterion, verdicts.get(criterion.content_hash), answers.get(criterion.content_hash))
        for index, criterion in enumerate(goal.criteria)
    ]


async def _last_verdicts(store: "AsyncGoalStore", goal: Goal) -> Sequence[Verdict]:
    """The last verdicts, also those at an earlier revision: to complete a goal, or to wake it, raises it."""
    found = await store.verification(goal.id)
    after = 0
    while found is None or found.revision < goal.revision:
        page = await store.events(goal.id, after=after)
        checked = [event for event in page if event.kind is EventKind.CHECKED]
        found = verification_from_dict(checked[-1].data) if checked else found
        if len(page) < MAX_PAGE:
            break
        after = page[-1].number
    return found.verdicts if found else ()


def summary(checks: Sequence[Check]) -> str:
    """How the criteria stand together: `2 of 3 passed, 1 pending`; empty without any."""
    if not checks:
        return ""
    outcomes = [check.outcome for check in checks]
    passed = sum(outcome in ("passed", "approved") for outcome in outcomes)
    others = [
        f"{outcomes.count(outcome)} {outcome}"
        for outcome in ("failed", "error", "rejected", "pending")
        if outcome in outcomes
    ]
    return ", ".join([f"{passed} of {len(checks)} passed", *others])
