"""Verification: commands first, judges when they pass, humans last; all verdicts at one revision."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from telic.domain.criteria import Criterion, CriterionKind
from telic.domain.goal import Goal
from telic.domain.verdict import JUDGE_ERRORS, Approval, CheckError, Outcome, Verdict
from telic.domain.verification import Verification
from telic.loop.verification.commands import CommandJudge, check_command
from telic.loop.verification.evidence import AgentWork, gather
from telic.loop.verification.judge import Judge, JudgePolicy, judge_criterion


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifier:
    """Checks goals in one workspace. `judge` answers the questions of criteria that name no command as judge.

    `environment` is the whole environment of commands, or None for this process's own.
    """

    workspace: Path
    judge: Judge | None = None
    policy: JudgePolicy = field(default_factory=JudgePolicy)
    environment: Mapping[str, str] | None = None

    async def verify(
        self,
        goal: Goal,
        work: AgentWork | None = None,
        *,
        approvals: Sequence[Approval] = (),
        on_verdict: Callable[[Verdict], None] | None = None,
    ) -> Verification:
        """Every criterion was checked, or not reached because one of an earlier kind did not pass.

        All commands run. The judges are asked one after another if all of them passed, up to the first that gave
        no answer. Humans are waited for when all else passed: a criterion without an approval is pending.
        The caller makes sure that the `approvals` still count. `on_verdict` is called with each verdict at
        once. Cancelled, it leaves no process behind, and no verdict.
        """
        round_ = _Round(self, goal, work or AgentWork(), {each.criterion_hash: each for each in approvals}, on_verdict)
        await round_.run_commands()
        if round_.all_passed:
            await round_.ask_judges()
        if round_.all_passed:
            round_.look_at_approvals()
        return round_.verification()


@dataclass(slots=True)
class _Round:
    """One verification while it goes on."""

    verifier: Verifier
    goal: Goal
    work: AgentWork
    approvals: Mapping[str, Approval]
    on_verdict: Callable[[Verdict], None] | None
    verdicts: list[Verdict] = field(default_factory=list[Verdict])

    @property
    def all_passed(self) -> bool:
        return all(verdict.outcome is Outcome.PASSED for verdict in self.verdicts)

    async def run_commands(self) -> None:
        for index, criterion in self._of(CriterionKind.COMMAND):
            self._add(
                await check_command(
                    criterion,
                    index=index,
                    revision=self.goal.revision,
                    workspace=self.verifier.workspace,
                    environment=self.verifier.environment,
                )
            )

    async def ask_judges(self) -> None:
        checks = tuple(self.verdicts)
        for index, criterion in self._of(CriterionKind.JUDGE):
            judge = self._judge_of(criterion)
            if judge is None:
                self._add(self._verdict(index, criterion, Outcome.ERROR, error=CheckError.NO_JUDGE))
                return
            evidence = gather(self.goal, criterion.question, self.work, checks)
            verdict = await judge_criterion(criterion, evidence, judge, index=index, policy=self.verifier.policy)
            self._add(verdict)
            if verdict.error in JUDGE_ERRORS:
                return

    def look_at_approvals(self) -> None:
        for index, criterion in self._of(CriterionKind.APPROVAL):
            answer = self.approvals.get(criterion.content_hash)
            if answer is None:
                self._add(self._verdict(index, criterion, Outcome.PENDING))
                continue
            outcome = Outcome.PASSED if answer.is_approved else Outcome.FAILED
            reasons = (answer.note,) if answer.note else ()
            self._add(self._verdict(index, criterion, outcome, reasons=reasons, decided_by=answer.decided_by))

    def verification(self) -> Verification:
        return Verification(
            revision=self.goal.revision,
            criterion_hashes=tuple(criterion.content_hash for criterion in self.goal.criteria),
            verdicts=tuple(sorted(self.verdicts, key=lambda verdict: verdict.index)),
        )

    def _of(self, kind: CriterionKind) -> list[tuple[int, Criterion]]:
        return [(index, criterion) for index, criterion in enumerate(self.goal.criteria) if criterion.kind is kind]

    def _judge_of(self, criterion: Criterion) -> Judge | None:
        if criterion.argv:
            return CommandJudge(criterion, self.verifier.workspace, self.verifier.environment)
        return self.verifier.judge

    def _add(self, verdict: Verdict) -> None:
        self.verdicts.append(verdict)
        if self.on_verdict is not None:
            self.on_verdict(verdict)

    def _verdict(
        self,
        index: int,
        criterion: Criterion,
        outcome: Outcome,
        *,
        error: CheckError | None = None,
        reasons: tuple[str, ...] = (),
        decided_by: str | None = None,
    ) -> Verdict:
        return Verdict(
            index=index,
            criterion_hash=criterion.content_hash,
            revision=self.goal.revision,
            outcome=outcome,
            error=error,
            reasons=reasons,
            decided_by=decided_by,
        )
