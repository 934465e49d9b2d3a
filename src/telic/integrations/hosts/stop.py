"""What follows when a model stops: its claim is dealt with, and the turn goes on while its goal is not reached."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from telic.domain.claim import Claim
from telic.domain.decision import Decision, LoopPolicy, Step, decide
from telic.domain.errors import PASSING
from telic.domain.goal import Actor, Goal, Reason
from telic.domain.lease import Lease
from telic.domain.limits import MAX_NOTE_CHARS
from telic.domain.loop_state import MAX_SESSION_CHARS, MAX_WORK_CHARS, LoopState
from telic.domain.verdict import Outcome
from telic.domain.verification import Verification
from telic.integrations.hosts.checking import Checking, Unchecked
from telic.integrations.hosts.judge_choice import JudgeChoice
from telic.integrations.hosts.messages import standing, what_is_missing
from telic.integrations.hosts.payload import Notice
from telic.integrations.hosts.session_state import Memory
from telic.loop.agents.claims import read_claim
from telic.loop.agents.protocol import kept_tail
from telic.store.goal_store import GoalStore

_MOST_STEPS: Final = 4
_MARGIN_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Turn:
    """Another turn that is to begin: what kind, and the verification that calls for it."""

    step: Step
    goal: Goal
    state: LoopState
    found: Verification | None


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the host is to do: go on with `turn`, or stop; and what the user should know."""

    turn: Turn | None = None
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
        ttl_seconds = self.check_seconds + _MARGIN_SECONDS
        lease = self.store.claim(goal.id, holder=self.holder, ttl_seconds=ttl_seconds)
        try:
            return self._follow(lease.goal, lease, notice)
        finally:
            self.store.release_lease(lease)

    def decide_spent(self, goal: Goal, notice: Notice) -> Outlook:
        """As `decide`, for a goal that its budget has paused: what was done before may still be enough."""
        return self._follow(goal, None, notice)

    def _state(self, notice: Notice) -> LoopState:
        """The claim of the model's last line. One stop is one turn of its session, not verified yet."""
        said = read_claim(notice.last_message, self.store.now())
        return LoopState(
            claim=said.claim,
            note=None if said.note is None else kept_tail(said.note, MAX_NOTE_CHARS),
            wake_at=None if said.wake is None else said.wake.at,
            wake_signal=None if said.wake is None else said.wake.signal,
            session=kept_tail(notice.session, MAX_SESSION_CHARS),
            turns=1,
            unverified_turns=1,
            blocked_claims=int(said.claim is Claim.BLOCKED),
            wound_down_at=self.memory.wound_down_at,
            work=kept_tail(notice.last_message, MAX_WORK_CHARS),
        )

    def _follow(self, goal: Goal, lease: Lease | None, notice: Notice) -> Outlook:
        found, state, policy = None, self._state(notice), LoopPolicy(blocked_audits=0)
        for _ in range(_MOST_STEPS):
            decision = decide(goal, state, policy, self.store.now())
            match decision.step:
                case Step.TURN | Step.WIND_DOWN | Step.AUDIT:
                    return self._go_on(Turn(decision.step, goal, state, found), notice)
                case Step.VERIFY:
                    checked = self._check(goal, lease, state, notice)
                    if isinstance(checked, Outlook):
                        return checked
                    goal, found = self.store.get(goal.id), checked
                    state = replace(state, claim=Claim.WORKING, unverified_turns=0)
                case Step.COMPLETE:
                    return self._complete(goal, lease, state)
                case Step.PAUSE:
                    return self._pause(goal, lease, state, decision)
                case _:
                    return Outlook(message=standing(goal))
        return Outlook()

    def _go_on(self, turn: Turn, notice: Notice) -> Outlook:
        goal, count = turn.goal, self.memory.continuations
        if notice.wakes_by_itself and turn.found is None:
            # What runs in the background begins the next turn; to ask meanwhile would only cost.
            return Outlook()
        if notice.goes_on is True and not count:
            return Outlook(message=f"Telic: something else keeps this session going; goal {goal.id} stays active.")
        if count >= self.most_continuations:
            stopped = f"Telic: stopped after going on {count} times; goal {goal.id} stays active."
            return Outlook(message=f"{stopped} A prompt of yours goes on with it.")
        self.memory.continuations += 1
        if turn.step is Step.WIND_DOWN:
            self.memory.wound_down_at = goal.revision
        missing = what_is_missing(goal, turn.step, turn.found)
        return Outlook(turn, f"Telic: {missing}; going on, {count + 1} of {self.most_continuations}.")

    def _complete(self, goal: Goal, lease: Lease | None, state: LoopState) -> Outlook:
        self.store.complete(goal.id, expected_revision=goal.revision, note=state.note, lease=lease, actor=Actor.MODEL)
        return Outlook(message=f"Telic: goal {goal.id} is completed, as the model said; it has no criteria.")

    def _pause(self, goal: Goal, lease: Lease | None, state: LoopState, decision: Decision) -> Outlook:
        reason = decision.reason or Reason.FAILED
        wake = state.wake if reason is Reason.WAITING else None
        paused = self.store.pause(
            goal.id,
            expected_revision=goal.revision,
            reason=reason,
            note=decision.note,
            wake_at=None if wake is None else wake.at,
            wake_signal=None if wake is None else wake.signal,
            lease=lease,
            actor=Actor.MODEL if reason is Reason.BLOCKED else Actor.SYSTEM,
        )
        return Outlook(message=standing(paused))

    def _check(self, goal: Goal, lease: Lease | None, state: LoopState, notice: Notice) -> Outlook | Verification:
        checking = Checking(self.store, self.check_seconds, self.judge, self.before_checks)
        try:
            found, after = checking.check(goal, lease, state, notice)
        except Unchecked as error:
            return Outlook(message=f"Telic: {error.why}")
        except PASSING:
            return Outlook(message=f"Telic: the store was away, so the verdicts on goal {goal.id} are lost.")
        if after.is_finished:
            return Outlook(message=f"Telic: goal {goal.id} is verified: all {len(goal.criteria)} criteria passed.")
        if found.outcome is Outcome.PENDING and after.reason is Reason.WAITING:
            return Outlook(message=f"Telic: goal {goal.id} waits for a person's approval: telic approve {goal.id}")
        if not found.feedback:
            return Outlook(message=f"Telic: the criteria of goal {goal.id} could not be checked; it stays active.")
        return found
