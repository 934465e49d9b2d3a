"""What follows when a model stops: its claim is dealt with, and the turn goes on while its goal is not reached."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from telic.domain.budget import UsageKind
from telic.domain.claim import Claim
from telic.domain.decision import Decision, LoopPolicy, Step, decide
from telic.domain.errors import InvalidInput
from telic.domain.goal import Actor, Goal, GoalStatus, Reason
from telic.domain.lease import Lease
from telic.domain.limits import MAX_NOTE_CHARS
from telic.domain.loop_state import MAX_WORK_CHARS, LoopState
from telic.domain.verdict import Outcome, Verdict
from telic.domain.verification import Verification
from telic.integrations.hooks.judge_choice import JudgeChoice
from telic.integrations.hooks.memory import Memory
from telic.integrations.hooks.notice import Notice
from telic.loop.agents.claims import read_claim
from telic.loop.agents.protocol import kept_tail
from telic.loop.prompts import turn_prompt
from telic.services.store import GoalStore

_MOST_STEPS: Final = 4
_MARGIN_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the host is to do: go on with `prompt`, or stop; and what the user should know."""

    prompt: str | None = None
    message: str | None = None


@dataclass(slots=True)
class Stopping:
    """Decides at one stop of a session, by the rules of the autonomous loop.

    `most_continuations` in a row are begun. Checks that take longer than `check_seconds` say nothing.
    `before_checks` is called before they run.
    """

    store: GoalStore
    memory: Memory
    holder: str
    most_continuations: int
    check_seconds: float
    judge: JudgeChoice
    before_checks: Callable[[], None]

    def decide(self, goal: Goal, notice: Notice) -> Outlook:
        """The claim was dealt with, in the store as well, and this follows.

        Raises:
            LeaseHeld: another worker drives the goal.
            GoalError: as it says; the session should stop then.
        """
        lease = self.store.claim(goal.id, holder=self.holder, ttl_seconds=self.check_seconds + _MARGIN_SECONDS)
        try:
            return self._follow(lease, notice, self._state(notice))
        finally:
            self.store.release_lease(lease)

    def _state(self, notice: Notice) -> LoopState:
        """The claim of the model's last line. One stop is one turn of work that nothing has verified yet."""
        said = read_claim(notice.last_message, self.store.now())
        return LoopState(
            claim=said.claim,
            note=None if said.note is None else kept_tail(said.note, MAX_NOTE_CHARS),
            wake_at=None if said.wake is None else said.wake.at,
            wake_signal=None if said.wake is None else said.wake.signal,
            unverified_turns=1,
            blocked_claims=int(said.claim is Claim.BLOCKED),
            wound_down_at=self.memory.wound_down_at,
            work=kept_tail(notice.last_message, MAX_WORK_CHARS),
        )

    def _follow(self, lease: Lease, notice: Notice, state: LoopState) -> Outlook:
        goal, found, policy = lease.goal, None, LoopPolicy(blocked_audits=0)
        for _ in range(_MOST_STEPS):
            decision = decide(goal, state, policy, self.store.now())
            match decision.step:
                case Step.TURN | Step.WIND_DOWN | Step.AUDIT:
                    return self._go_on(decision.step, goal, state, found, notice)
                case Step.VERIFY:
                    checked = self._check(goal, lease, state, notice)
                    if isinstance(checked, Outlook):
                        return checked
                    goal, found = self.store.get(goal.id), checked
                    state = replace(state, claim=Claim.WORKING, unverified_turns=0)
                case Step.COMPLETE:
                    self._complete(goal, lease, state)
                    return Outlook(
                        message=f"Telic: goal {goal.id} is completed, as the model said; it has no criteria."
                    )
                case Step.PAUSE:
                    return self._pause(goal, lease, state, decision)
                case _:
                    return Outlook()
        return Outlook()

    def _go_on(self, step: Step, goal: Goal, state: LoopState, found: Verification | None, notice: Notice) -> Outlook:
        if notice.goes_on is True and not self.memory.continuations:
            return Outlook(message=f"Telic: something else keeps this session going; goal {goal.id} stays active.")
        if self.memory.continuations >= self.most_continuations:
            count = self.memory.continuations
            return Outlook(message=f"Telic: stopped after going on {count} times; goal {goal.id} stays active.")
        self.memory.continuations += 1
        if step is Step.WIND_DOWN:
            self.memory.wound_down_at = goal.revision
        return Outlook(prompt=turn_prompt(goal, state, step, found, secret=self.store.secret()))

    def _complete(self, goal: Goal, lease: Lease, state: LoopState) -> None:
        self.store.complete(goal.id, expected_revision=goal.revision, note=state.note, lease=lease, actor=Actor.MODEL)

    def _pause(self, goal: Goal, lease: Lease, state: LoopState, decision: Decision) -> Outlook:
        reason = decision.reason or Reason.FAILED
        wake = state.wake if reason is Reason.WAITING else None
        self.store.pause(
            goal.id,
            expected_revision=goal.revision,
            reason=reason,
            note=decision.note,
            wake_at=None if wake is None else wake.at,
            wake_signal=None if wake is None else wake.signal,
            lease=lease,
            actor=Actor.MODEL if reason is Reason.BLOCKED else Actor.SYSTEM,
        )
        return Outlook(message=f"Telic: goal {goal.id} is paused: {reason}. telic show {goal.id} tells more.")

    def _check(self, goal: Goal, lease: Lease, state: LoopState, notice: Notice) -> Outlook | Verification:
        """The criteria were checked, the verdicts recorded, the judges billed."""
        # Most stops check nothing, and should not pay for importing it.
        import asyncio

        self.before_checks()
        verdicts: list[Verdict] = []
        try:
            found = asyncio.run(self._verify(goal, state, notice, verdicts.append))
        except TimeoutError:
            took = f"the checks took longer than {self.check_seconds:.0f} seconds"
            return Outlook(message=f"Telic: {took}, so goal {goal.id} stays active and unverified.")
        except InvalidInput as error:
            return Outlook(message=f"Telic: goal {goal.id} cannot be judged, and stays active: {error}")
        finally:
            self._bill(goal, verdicts)
        after = self.store.verify(goal.id, found, lease=lease)
        if after.is_finished:
            return Outlook(message=f"Telic: goal {goal.id} is verified: all {len(goal.criteria)} criteria passed.")
        if found.outcome is Outcome.PENDING and after.status is GoalStatus.ACTIVE:
            return self._wait_for_approval(after, lease)
        if not found.feedback:
            return Outlook(message=f"Telic: the criteria of goal {goal.id} could not be checked; it stays active.")
        return found

    async def _verify(
        self, goal: Goal, state: LoopState, notice: Notice, on_verdict: Callable[[Verdict], None]
    ) -> Verification:
        from asyncio import wait_for

        from telic.loop.verification.evidence import Work
        from telic.loop.verification.verifier import Verifier

        verifier = Verifier(workspace=notice.folder, judge=self.judge.judge(notice.folder))
        checks = verifier.verify(
            goal, Work(text=state.work), approvals=self.store.approvals(goal.id), on_verdict=on_verdict
        )
        return await wait_for(checks, self.check_seconds)

    def _wait_for_approval(self, goal: Goal, lease: Lease) -> Outlook:
        from telic.domain.claim import approval_signal

        self.store.pause(
            goal.id,
            expected_revision=goal.revision,
            reason=Reason.WAITING,
            wake_signal=approval_signal(goal.id),
            lease=lease,
            actor=Actor.SYSTEM,
        )
        return Outlook(message=f"Telic: goal {goal.id} waits for a person's approval.")

    def _bill(self, goal: Goal, verdicts: list[Verdict]) -> None:
        for verdict in verdicts:
            for attempt in verdict.attempts:
                if attempt.usage is not None:
                    self.store.record_turn(goal.id, usage=attempt.usage, kind=UsageKind.JUDGE, model=attempt.model)
