"""A model's stop: its claim is dealt with, and the turn goes on while its goal is not reached."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from telic.domain.decision import Decision, LoopPolicy, Step, decide
from telic.domain.errors import PASSING
from telic.domain.goal import Actor, Goal, GoalStatus, Reason
from telic.domain.lease import Lease
from telic.domain.limits import MAX_NOTE_CHARS
from telic.domain.loop_state import (
    MAX_SESSION_CHARS,
    MAX_WORK_CHARS,
    Claim,
    LoopState,
)
from telic.domain.verdict import Outcome
from telic.domain.verification import Verification
from telic.integrations.hosts.checking import CheckFailed, JudgeChoice, StopCheck
from telic.integrations.hosts.payload import HookPayload
from telic.integrations.hosts.session_state import SessionMemory
from telic.loop.agents.protocol import read_claim, storable_tail
from telic.prompt import quote
from telic.store.goal_store import GoalStore
from telic.wording.amounts import first_words
from telic.wording.goals import next_step, status_of, wait_of

_MOST_STEPS: Final = 4
_MARGIN_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class NextTurn:
    """Another turn that is to begin: what kind, and the verification that calls for it."""

    step: Step
    goal: Goal
    state: LoopState
    found: Verification | None


@dataclass(frozen=True, slots=True)
class StopDecision:
    """The host is to go on with `turn`, or to stop; and the user should read the message."""

    turn: NextTurn | None = None
    message: str | None = None


@dataclass(slots=True)
class StopPolicy:
    """Decides at one stop of a session, by the rules of the autonomous loop.

    `most_continuations` in a row are begun. Checks that take longer than `check_seconds` say nothing.
    `before_checks` is called before they run.
    """

    store: GoalStore
    memory: SessionMemory
    worker: str
    most_continuations: int
    check_seconds: float
    judge: JudgeChoice
    before_checks: Callable[[], None]

    def decide(self, goal: Goal, payload: HookPayload) -> StopDecision:
        """The claim was dealt with, in the store as well, and this follows.

        Raises:
            LeaseHeld: another worker drives the goal.
            GoalError: as it says; the session should stop then.
        """
        ttl_seconds = self.check_seconds + _MARGIN_SECONDS
        lease = self.store.claim(goal.id, worker=self.worker, ttl_seconds=ttl_seconds)
        try:
            return self._follow(lease.goal, lease, payload)
        finally:
            self.store.release_lease(lease)

    def decide_spent(self, goal: Goal, payload: HookPayload) -> StopDecision:
        """As `decide`, for a goal that its budget has paused: what was done before may still be enough."""
        return self._follow(goal, None, payload)

    def _state(self, payload: HookPayload) -> LoopState:
        # One stop is one turn of its session that is not verified yet; the loop's own rules decide what follows.
        said = read_claim(payload.last_message, self.store.now())
        return LoopState(
            claim=said.claim,
            note=None if said.note is None else storable_tail(said.note, MAX_NOTE_CHARS),
            wake_at=None if said.wake is None else said.wake.at,
            wake_signal=None if said.wake is None else said.wake.signal,
            session=storable_tail(payload.session, MAX_SESSION_CHARS),
            turns=1,
            unverified_turns=1,
            blocked_claims=int(said.claim is Claim.BLOCKED),
            wound_down_at=self.memory.wound_down_at,
            work=storable_tail(payload.last_message, MAX_WORK_CHARS),
        )

    def _follow(self, goal: Goal, lease: Lease | None, payload: HookPayload) -> StopDecision:
        found, state, policy = None, self._state(payload), LoopPolicy(blocked_audits=0)
        for _ in range(_MOST_STEPS):
            decision = decide(goal, state, policy, self.store.now())
            match decision.step:
                case Step.TURN | Step.WIND_DOWN | Step.AUDIT:
                    return self._go_on(NextTurn(decision.step, goal, state, found), payload)
                case Step.VERIFY:
                    checked = self._check(goal, lease, state, payload)
                    if isinstance(checked, StopDecision):
                        return checked
                    goal, found = self.store.get(goal.id), checked
                    state = replace(state, claim=Claim.WORKING, unverified_turns=0)
                case Step.COMPLETE:
                    return self._complete(goal, lease, state)
                case Step.PAUSE:
                    return self._pause(goal, lease, state, decision)
                case _:
                    return StopDecision(message=status_line(goal))
        return StopDecision()

    def _go_on(self, turn: NextTurn, payload: HookPayload) -> StopDecision:
        goal, count = turn.goal, self.memory.continuations
        if payload.wakes_by_itself and turn.found is None:
            # What runs in the background begins the next turn; to ask meanwhile would only cost.
            return StopDecision()
        if payload.goes_on is True and not count:
            return StopDecision(message=f"Telic: something else keeps this session going; goal {goal.id} stays active.")
        if count >= self.most_continuations:
            stopped = f"Telic: stopped after going on {count} times; goal {goal.id} stays active."
            return StopDecision(message=f"{stopped} A prompt of yours goes on with it.")
        self.memory.continuations += 1
        if turn.step is Step.WIND_DOWN:
            self.memory.wound_down_at = goal.revision
        missing = _why_it_goes_on(goal, turn.step, turn.found)
        return StopDecision(turn, f"Telic: {missing}; going on, {count + 1} of {self.most_continuations}.")

    def _complete(self, goal: Goal, lease: Lease | None, state: LoopState) -> StopDecision:
        self.store.complete(goal.id, expected_revision=goal.revision, note=state.note, lease=lease, actor=Actor.MODEL)
        return StopDecision(message=f"Telic: goal {goal.id} is completed, as the model said; it has no criteria.")

    def _pause(self, goal: Goal, lease: Lease | None, state: LoopState, decision: Decision) -> StopDecision:
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
        return StopDecision(message=status_line(paused))

    def _check(
        self, goal: Goal, lease: Lease | None, state: LoopState, payload: HookPayload
    ) -> StopDecision | Verification:
        checking = StopCheck(self.store, self.check_seconds, self.judge, self.before_checks)
        try:
            found, after = checking.check(goal, lease, state, payload)
        except CheckFailed as error:
            return StopDecision(message=f"Telic: {error.why}")
        except PASSING:
            return StopDecision(message=f"Telic: the store was away, so the verdicts on goal {goal.id} are lost.")
        if after.is_finished:
            return StopDecision(message=f"Telic: goal {goal.id} is verified: all {len(goal.criteria)} criteria passed.")
        if found.outcome is Outcome.PENDING and after.reason is Reason.WAITING:
            return StopDecision(message=f"Telic: goal {goal.id} waits for a person's approval: telic approve {goal.id}")
        if not found.feedback:
            return StopDecision(message=f"Telic: the criteria of goal {goal.id} could not be checked; it stays active.")
        return found


_NOTE_CHARS: Final = 300
_TITLE_CHARS: Final = 80


def status_line(goal: Goal) -> str:
    """Return how the goal stands, why, and how it can be gone on with."""
    note = f": {quote(first_words(goal.note, _NOTE_CHARS))}" if goal.note else ""
    waits = f"it goes on {wait_of(goal)}; telic wake {{id}} goes on at once"
    how = next_step(goal, "telic resume {id}", waits) if goal.status is GoalStatus.PAUSED else None
    return f"Telic: goal {goal.id} is {status_of(goal)}{note}{'; ' + how.replace('{id}', goal.id) if how else ''}."


def _why_it_goes_on(goal: Goal, step: Step, found: Verification | None) -> str:
    if step is Step.WIND_DOWN:
        return "the budget is nearly used up"
    if found is None or not found.feedback:
        return f"goal {goal.id} is not reached yet"
    first, more = found.feedback[0], len(found.feedback) - 1
    title = quote(first_words(goal.criteria[first.index].title, _TITLE_CHARS))
    why = f" ({quote(first_words(first.detail, _TITLE_CHARS))})" if first.detail else ""
    return f"criterion {first.index + 1} failed: {title}{why}" + (f", and {more} more" if more else "")


def lost_claim(claim: str) -> str:
    """Return the message to the user about a claim that was lost because the store could not be reached."""
    said = f"the model's last claim, {claim}, came to nothing, since the store could not be reached"
    return f"Telic: {said}; ask the model to say again where the goal stands."


def claim_line(claim: Claim) -> str:
    """Return the claim as its line says it."""
    return f"TELIC: {'wait' if claim is Claim.WAITING else claim.value}"
