"""The next step of an autonomous loop: a pure function of the goal, of the loop's state, and of the time."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from telic.domain.budget import LIMITS, Budget
from telic.domain.clock import MICRO
from telic.domain.criteria import CriterionKind
from telic.domain.errors import InvalidNumber
from telic.domain.goal import Goal, GoalStatus, Reason
from telic.domain.limits import check_counter
from telic.domain.loop_state import (
    Claim,
    LoopState,
)

# A budget of one or two turns has none to spare for coming to an end.
_FEWEST_TURNS: Final = 2
_MEASURABLE: Final = "limit turns or time instead, or say --allow-unknown-usage"
_WAITS: Final = ("quota_wait_seconds", "busy_wait_seconds")
MAX_CHANCE: Final = 1.25
"""Chance makes a pause after a failure up to this much longer, so that many loops do not try again at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopPolicy:
    """The patience of a loop.

    A goal is verified when its agent claims completion, after each turn of an agent that makes no claims, at the
    limits, and every `verify_every_turns` (0: not besides). With `verify_first` it is verified before its first turn
    as well, where all of its criteria are commands: one that holds already costs nothing.

    Of what comes in a row, `max_failures` failed turns pause it as failed, `max_idle_turns` without observable progress
    as stalled, `max_failed_verifications` as stalled too, `max_unchecked_verifications` that could not be carried out
    as failed. A network or a provider that is away is no failure: after `max_outages` turns or checks in a row that
    came to nothing by it, which take about a day, the goal is paused as failed as well. It is paused as blocked when
    the agent still says so after being asked `blocked_audits` times.

    A provider's limit is waited for `max_quota_waits` times, for `quota_wait_seconds` where it is not known when it
    ends; a rate within a minute for `busy_wait_seconds`, then longer. Between turns passes `delay_seconds`; after a
    failure or an outage twice as long each time, from `backoff_seconds` to `max_backoff_seconds`. When
    `wind_down_fraction` of a budget is used, or its last turn begins, the agent is asked to come to an end.

    A goal with a budget of tokens or money is paused as failed once its agent has ended a turn without a report of
    what it uses, unless `allow_unknown_usage`: such a turn counts as what was held for it.

    Raises:
        InvalidNumber: a setting is out of its range.
    """

    verify_every_turns: int = 0
    max_failures: int = 3
    max_outages: int = 150
    max_idle_turns: int = 5
    max_failed_verifications: int = 10
    max_unchecked_verifications: int = 3
    blocked_audits: int = 1
    max_quota_waits: int = 10
    delay_seconds: float = 0.0
    backoff_seconds: float = 5.0
    max_backoff_seconds: float = 600.0
    quota_wait_seconds: float = 900.0
    busy_wait_seconds: float = 60.0
    verify_first: bool = True
    wind_down_fraction: float = 0.9
    allow_unknown_usage: bool = False

    def __post_init__(self) -> None:
        for name in ("verify_every_turns", "blocked_audits", "max_quota_waits", "max_outages"):
            check_counter(name, getattr(self, name))
        for name in ("max_failures", "max_idle_turns", "max_failed_verifications", "max_unchecked_verifications"):
            if check_counter(name, getattr(self, name)) == 0:
                raise InvalidNumber(f"{name} must be at least 1")
        for name in ("delay_seconds", "backoff_seconds", "max_backoff_seconds", *_WAITS):
            if not 0 <= getattr(self, name) <= 86_400:
                raise InvalidNumber(f"{name} must be from 0 to 86,400")
        if not 0 < self.wind_down_fraction <= 1:
            raise InvalidNumber("wind_down_fraction must be above 0 and at most 1")

    def wait_for_rate(self, waits: int) -> int:
        """Return the microseconds before a provider with a rate limit is asked again, after so many waits in a row."""
        seconds = self.busy_wait_seconds * 2.0 ** min(waits, 60)
        return round(min(seconds, max(self.busy_wait_seconds, self.quota_wait_seconds)) * MICRO)

    @property
    def longest_pause(self) -> int:
        """Microseconds: no pause between two steps lasts longer, chance included."""
        return round(max(self.delay_seconds, self.max_backoff_seconds) * MAX_CHANCE * MICRO)

    def pause_after(self, failures: int) -> int:
        """Return the microseconds before the next turn, after so many failures in a row; the caller adds chance."""
        if failures == 0:
            return round(self.delay_seconds * MICRO)
        # Bounded, since 2.0 to the power of a large count overflows.
        backoff = self.backoff_seconds * 2.0 ** min(failures - 1, 60)
        return round(max(self.delay_seconds, min(backoff, self.max_backoff_seconds)) * MICRO)


class Step(StrEnum):
    """The steps that a loop can take next."""

    TURN = "turn"
    WIND_DOWN = "wind_down"
    AUDIT = "audit"
    VERIFY = "verify"
    COMPLETE = "complete"
    PAUSE = "pause"
    SLEEP = "sleep"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Decision:
    """The next step; a pause has a reason and perhaps a note, a sleep an end."""

    step: Step
    reason: Reason | None = None
    note: str | None = None
    until: int | None = None


def decide(goal: Goal, state: LoopState, policy: LoopPolicy, at: int, *, makes_claims: bool = True) -> Decision:
    """Return the next step, at this moment of the database's clock.

    A stopped goal gets no further step, and a claim is checked before all else. The work of an agent that makes no
    claims is checked before it takes another turn. No sleep is longer than the policy's longest pause, or than a
    provider asked for.
    """
    if goal.status is not GoalStatus.ACTIVE:
        return _when_not_active(goal, state, policy, at)
    return (
        _at_the_providers_limit(state, policy)
        or _after_claim(goal, state, policy)
        or _unclaimed(goal, state, policy, makes_claims)
        or _when_stuck(goal, state, policy)
        or _when_early(state, policy, at)
        or _when_due(goal, state, policy)
        or _at_the_limit(goal, state, policy)
        or Decision(Step.AUDIT if state.claim is Claim.BLOCKED else Step.TURN)
    )


def _when_not_active(goal: Goal, state: LoopState, policy: LoopPolicy, at: int) -> Decision:
    stop = Decision(Step.STOP, goal.reason, goal.note)
    # Reaching the budget paused it in the turn's own transaction; what was done may still be enough.
    if goal.reason is not Reason.BUDGET:
        return stop
    may_repeat = state.unchecked_verifications < policy.max_unchecked_verifications
    if _has_unverified_work(goal, state) and may_repeat and state.outages <= policy.max_outages:
        early = _when_early(state, policy, at) if _is_repeated(state) else None
        return early or Decision(Step.VERIFY)
    return _completion(state) if state.claim is Claim.COMPLETE and not goal.criteria else stop


# Whether the next check comes after one that could not be carried out, or a network that was away.
def _is_repeated(state: LoopState) -> bool:
    return bool(state.unchecked_verifications or state.outages)


def _completion(state: LoopState) -> Decision:
    return Decision(Step.COMPLETE, Reason.ASSERTED, state.note)


def _at_the_providers_limit(state: LoopState, policy: LoopPolicy) -> Decision | None:
    if not state.quota_until:
        return None
    if state.quota_waits > policy.max_quota_waits:
        return Decision(Step.PAUSE, Reason.USAGE_LIMIT, "the provider's limit was waited for often enough")
    return Decision(Step.PAUSE, Reason.USAGE_LIMIT, state.note, until=state.quota_until)


def _after_claim(goal: Goal, state: LoopState, policy: LoopPolicy) -> Decision | None:
    match state.claim:
        case Claim.COMPLETE:
            if not goal.criteria:
                return _completion(state)
            # A check that could not be carried out is repeated no sooner than its pause allows.
            return None if _is_repeated(state) else Decision(Step.VERIFY)
        case Claim.BLOCKED if state.blocked_claims > policy.blocked_audits:
            return Decision(Step.PAUSE, Reason.BLOCKED, state.note)
        case Claim.WAITING:
            return Decision(Step.PAUSE, Reason.WAITING, state.note)
        case _:
            return None


# A check of what nobody claims: before the first turn, and after one of an agent that never claims.
def _unclaimed(goal: Goal, state: LoopState, policy: LoopPolicy, makes_claims: bool) -> Decision | None:
    if _is_repeated(state):
        return None
    is_new = not (state.turns or state.unverified_turns or state.verifications)
    is_first = policy.verify_first and is_new and has_commands_alone(goal)
    is_silent = not makes_claims and _has_unverified_work(goal, state)
    return Decision(Step.VERIFY) if is_first or is_silent else None


def has_commands_alone(goal: Goal) -> bool:
    """Return whether the goal has criteria and all are commands, so that a check asks no model and no person."""
    return bool(goal.criteria) and all(each.kind is CriterionKind.COMMAND for each in goal.criteria)


def measured_limits(budget: Budget) -> str:
    """Return the limits whose usage only the agent can report, in words: `tokens and money`; "" without any."""
    limits = {"tokens": budget.tokens, "money": budget.cost_microunits}
    return " and ".join(name for name, limit in limits.items() if limit is not None)


def unmeasured(limits: str, why: str, how: str = _MEASURABLE) -> str:
    """Return the sentence that says why a budget of these limits cannot be kept, and what to do about it."""
    return f"a budget of {limits} cannot hold: {why}; {how}"


def _when_stuck(goal: Goal, state: LoopState, policy: LoopPolicy) -> Decision | None:
    limits = measured_limits(goal.budget)
    is_silent = state.tells_usage is False and state.claim is not Claim.COMPLETE
    if is_silent and limits and not policy.allow_unknown_usage:
        return Decision(Step.PAUSE, Reason.FAILED, unmeasured(limits, "the agent does not tell what it uses"))
    if state.failures >= policy.max_failures:
        return Decision(Step.PAUSE, Reason.FAILED, state.note)
    if state.outages > policy.max_outages:
        is_judges = state.claim is Claim.COMPLETE
        return Decision(Step.PAUSE, Reason.FAILED, "its judge could not be reached" if is_judges else state.note)
    if state.unchecked_verifications >= policy.max_unchecked_verifications:
        return Decision(Step.PAUSE, Reason.FAILED, "its criteria could not be checked")
    if state.failed_verifications >= policy.max_failed_verifications:
        return Decision(Step.PAUSE, Reason.STALLED, "its criteria failed too often in a row")
    if state.idle_turns >= policy.max_idle_turns and not _has_unverified_work(goal, state):
        return Decision(Step.PAUSE, Reason.STALLED, f"{state.idle_turns} turns without observable progress")
    return None


def _when_early(state: LoopState, policy: LoopPolicy, at: int) -> Decision | None:
    # A moment that no pause leads to was written by a clock that has been set back since.
    is_early = at < state.next_at <= at + max(policy.longest_pause, state.asked_pause)
    return Decision(Step.SLEEP, until=state.next_at) if is_early else None


def _when_due(goal: Goal, state: LoopState, policy: LoopPolicy) -> Decision | None:
    is_idle = state.idle_turns >= policy.max_idle_turns
    is_time = 0 < policy.verify_every_turns <= state.unverified_turns
    is_due = _has_unverified_work(goal, state) and (is_idle or is_time)
    return Decision(Step.VERIFY) if is_due or state.claim is Claim.COMPLETE else None


def _at_the_limit(goal: Goal, state: LoopState, policy: LoopPolicy) -> Decision | None:
    if not is_nearly_spent(goal, policy):
        return None
    if not state.wound_down_at:
        return Decision(Step.WIND_DOWN)
    if _has_unverified_work(goal, state):
        return Decision(Step.VERIFY)
    return Decision(Step.PAUSE, Reason.BUDGET)


def _has_unverified_work(goal: Goal, state: LoopState) -> bool:
    return bool(goal.criteria) and state.unverified_turns > 0


def is_nearly_spent(goal: Goal, policy: LoopPolicy) -> bool:
    """Return whether to ask the agent to come to an end: most of a budget is used, or its last turn begins."""
    for name in LIMITS:
        limit, used = getattr(goal.budget, name), getattr(goal.usage, name)
        if limit is None:
            continue
        # A last turn that is also one of the first has nothing to wind down.
        threshold = max(limit - 1, _FEWEST_TURNS) if name == "turns" else limit * policy.wind_down_fraction
        if used >= threshold:
            return True
    return False
