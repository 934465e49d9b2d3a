"""What a loop does next, in every case: a table, and what holds for every state."""

import itertools
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import telic
from telic import Budget, Criterion, GoalStatus, Reason, TurnUsage
from telic.domain.budget import LIMITS, Usage
from telic.domain.decision import Decision, LoopPolicy, Step, decide
from telic.domain.errors import AgentExited
from telic.domain.goal import (
    Wake,
)
from telic.domain.lifecycle import REASONS
from telic.domain.loop_state import (
    Claim,
    LoopState,
    loop_state_from_text,
)
from telic.domain.verdict import Outcome
from telic.errors import InvalidNumber
from telic.loop.agents.protocol import QuotaReached
from telic.loop.state_transitions import after_failure, after_report, after_verification
from telic.testing import FakeClock, temporary_store
from telic.testing.contract.verdicts import verdicts_on
from tests.loop_driver.world import report

NOW = FakeClock().microseconds
CHECK = Criterion.command(["true"])
LIMITED = LoopPolicy(
    max_failures=2,
    max_idle_turns=2,
    max_failed_verifications=2,
    max_unchecked_verifications=2,
    max_quota_waits=2,
    verify_first=False,
)
TURN, VERIFY, STOP = Decision(Step.TURN), Decision(Step.VERIFY), Decision(Step.STOP)


@pytest.fixture(scope="module")
def template() -> telic.Goal:
    with temporary_store(clock=FakeClock()) as store:
        return store.create("decide")


def a_goal(
    template: telic.Goal,
    status: GoalStatus = GoalStatus.ACTIVE,
    reason: Reason | None = None,
    criteria: tuple[Criterion, ...] = (CHECK,),
    **values: Any,
) -> telic.Goal:
    ended = NOW if status in (GoalStatus.COMPLETED, GoalStatus.CLEARED) else None
    return replace(template, status=status, reason=reason, criteria=criteria, ended_at=ended, **values)


INACTIVE = [
    (status, reason) for status, reasons in REASONS.items() if status is not GoalStatus.ACTIVE for reason in reasons
]


@pytest.mark.parametrize(("status", "reason"), sorted(INACTIVE))
@pytest.mark.parametrize("claim", sorted(Claim))
def test_a_goal_that_is_not_active_stops_the_loop(
    template: telic.Goal, status: GoalStatus, reason: Reason, claim: Claim
) -> None:
    """Only what a budget has paused may still be verified, or completed on its agent's word."""
    wake = {"wake_signal": "s"} if claim is Claim.WAITING else {}
    for unverified, criteria in itertools.product((0, 1), ((), (CHECK,))):
        state = LoopState(claim=claim, unverified_turns=unverified, quota_until=NOW + 1, **wake)
        decision = decide(a_goal(template, status, reason, criteria, note="n"), state, LIMITED, NOW)
        if reason is Reason.BUDGET and criteria and unverified:
            assert decision == VERIFY
        elif reason is Reason.BUDGET and not criteria and claim is Claim.COMPLETE:
            assert decision.step is Step.COMPLETE
        else:
            assert decision == Decision(Step.STOP, reason, "n")


def test_checks_of_a_spent_goal_are_bounded(template: telic.Goal) -> None:
    """They keep their pause, and end."""
    spent = a_goal(template, GoalStatus.PAUSED, Reason.BUDGET)
    once = LoopState(unverified_turns=1, unchecked_verifications=1, next_at=NOW + 5)
    assert decide(spent, once, LIMITED, NOW) == Decision(Step.SLEEP, until=NOW + 5)
    assert decide(spent, once, LIMITED, NOW + 5) == VERIFY
    assert decide(spent, replace(once, unchecked_verifications=2), LIMITED, NOW + 5).step is Step.STOP


def paused(reason: Reason, note: str | None = None, until: int | None = None) -> Decision:
    return Decision(Step.PAUSE, reason, note, until)


COMPLETE = {"claim": Claim.COMPLETE}
BLOCKED = {"claim": Claim.BLOCKED, "note": "n"}
OFTEN = "the provider's limit was waited for often enough"
UNCHECKED = "its criteria could not be checked"
TABLE: list[tuple[str, dict[str, Any], Decision]] = [
    ("nothing yet", {}, TURN),
    ("claimed", COMPLETE | {"unverified_turns": 1}, VERIFY),
    ("claimed, failures at the limit", COMPLETE | {"failures": 2}, VERIFY),
    ("claimed, early", COMPLETE | {"next_at": NOW + 1}, VERIFY),
    ("claimed, unchecked below", COMPLETE | {"unchecked_verifications": 1}, VERIFY),
    (
        "claimed, unchecked below, early",
        COMPLETE | {"unchecked_verifications": 1, "next_at": NOW + 1},
        Decision(Step.SLEEP, until=NOW + 1),
    ),
    ("claimed, unchecked at", COMPLETE | {"unchecked_verifications": 2}, paused(Reason.FAILED, UNCHECKED)),
    ("claimed, unchecked above", COMPLETE | {"unchecked_verifications": 3}, paused(Reason.FAILED, UNCHECKED)),
    ("blocked", BLOCKED | {"blocked_claims": 1}, Decision(Step.AUDIT)),
    ("blocked after the audit", BLOCKED | {"blocked_claims": 2}, paused(Reason.BLOCKED, "n")),
    ("blocked, early", BLOCKED | {"blocked_claims": 1, "next_at": NOW + 1}, Decision(Step.SLEEP, until=NOW + 1)),
    ("waiting", {"claim": Claim.WAITING, "wake_signal": "s", "note": "n"}, paused(Reason.WAITING, "n")),
    ("waiting, idle", {"claim": Claim.WAITING, "wake_signal": "s", "idle_turns": 2}, paused(Reason.WAITING)),
    ("quota", {"quota_until": NOW + 9, "quota_waits": 1}, paused(Reason.USAGE_LIMIT, None, NOW + 9)),
    ("quota at", {"quota_until": NOW + 9, "quota_waits": 2}, paused(Reason.USAGE_LIMIT, None, NOW + 9)),
    ("quota above", {"quota_until": NOW + 9, "quota_waits": 3}, paused(Reason.USAGE_LIMIT, OFTEN)),
    ("quota and claimed", COMPLETE | {"quota_until": NOW + 9}, paused(Reason.USAGE_LIMIT, None, NOW + 9)),
    ("failures below", {"failures": 1, "note": "n"}, TURN),
    ("failures at", {"failures": 2, "note": "n"}, paused(Reason.FAILED, "n")),
    ("failures above", {"failures": 3, "note": "n"}, paused(Reason.FAILED, "n")),
    ("failures at, early", {"failures": 2, "next_at": NOW + 1}, paused(Reason.FAILED)),
    ("failures at, idle at", {"failures": 2, "idle_turns": 2, "note": "n"}, paused(Reason.FAILED, "n")),
    ("failed checks below", {"failed_verifications": 1}, TURN),
    ("failed checks at", {"failed_verifications": 2}, paused(Reason.STALLED, "its criteria failed too often in a row")),
    ("idle below", {"idle_turns": 1, "unverified_turns": 1}, TURN),
    ("idle at", {"idle_turns": 2}, paused(Reason.STALLED, "2 turns without observable progress")),
    ("idle at, unverified", {"idle_turns": 2, "unverified_turns": 1}, VERIFY),
    (
        "idle at, unverified, early",
        {"idle_turns": 2, "unverified_turns": 1, "next_at": NOW + 1},
        Decision(Step.SLEEP, until=NOW + 1),
    ),
    ("idle above", {"idle_turns": 3}, paused(Reason.STALLED, "3 turns without observable progress")),
    ("early", {"next_at": NOW + 1}, Decision(Step.SLEEP, until=NOW + 1)),
    ("in time", {"next_at": NOW}, TURN),
]


@pytest.mark.parametrize(("values", "decision"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_what_an_active_goal_asks_for(template: telic.Goal, values: dict[str, Any], decision: Decision) -> None:
    """Each count below, at and above its limit, and what goes before what."""
    assert decide(a_goal(template), LoopState(**values), LIMITED, NOW) == decision


def test_a_goal_without_criteria_is_completed_on_its_agents_word(template: telic.Goal) -> None:
    """There is nothing to verify, at no time."""
    goal = a_goal(template, criteria=())
    claimed = LoopState(claim=Claim.COMPLETE, note="n", unverified_turns=9)
    assert decide(goal, claimed, LIMITED, NOW) == Decision(Step.COMPLETE, Reason.ASSERTED, "n")
    idle = LoopState(idle_turns=2, unverified_turns=2)
    assert decide(goal, idle, replace(LIMITED, verify_every_turns=1), NOW).reason is Reason.STALLED


@pytest.mark.parametrize(("every", "unverified", "step"), [(0, 9, Step.TURN), (3, 2, Step.TURN), (3, 3, Step.VERIFY)])
def test_a_goal_is_verified_every_so_many_turns(template: telic.Goal, every: int, unverified: int, step: Step) -> None:
    """Not at all where no number is set."""
    state = LoopState(unverified_turns=unverified)
    assert decide(a_goal(template), state, LoopPolicy(verify_every_turns=every), NOW).step is step


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize(("used", "is_near"), [(89, False), (90, True), (99, True)])
def test_a_nearly_spent_budget_winds_down(template: telic.Goal, name: str, used: int, is_near: bool) -> None:
    """Once; then what was done is verified, and then the goal is paused."""
    budget = "turn_budget" if name == "turns" else f"{name.removesuffix('s') if name == 'tokens' else name}_budget"
    goal = a_goal(template, **{budget: 100, f"{name}_used": used})
    if name == "turns":
        is_near = used == 99
    assert decide(goal, LoopState(), LIMITED, NOW).step is (Step.WIND_DOWN if is_near else Step.TURN)
    if is_near:
        wound_down = LoopState(wound_down_at=1, unverified_turns=1)
        assert decide(goal, wound_down, LIMITED, NOW) == VERIFY
        assert decide(goal, replace(wound_down, unverified_turns=0), LIMITED, NOW) == paused(Reason.BUDGET)
        claimed = LoopState(claim=Claim.COMPLETE, unchecked_verifications=1)
        assert decide(goal, claimed, LIMITED, NOW) == VERIFY


JUDGED, APPROVED = Criterion.judge("Is it good?"), Criterion.approval("May it go?")


@pytest.mark.parametrize(
    ("criteria", "values", "step"),
    [
        ((CHECK,), {}, Step.VERIFY),
        ((CHECK,), {"verifications": 1}, Step.TURN),
        ((CHECK,), {"turns": 1}, Step.TURN),
        ((), {}, Step.TURN),
        ((CHECK, JUDGED), {}, Step.TURN),
        ((APPROVED,), {}, Step.TURN),
    ],
)
def test_commands_are_checked_before_the_first_turn(
    template: telic.Goal, criteria: tuple[Criterion, ...], values: dict[str, Any], step: Step
) -> None:
    """A goal that holds already costs nothing; a judge costs money, and a person time, so these wait for work."""
    assert decide(a_goal(template, criteria=criteria), LoopState(**values), LoopPolicy(), NOW).step is step


def test_what_an_agent_without_claims_did_is_checked_after_each_turn(template: telic.Goal) -> None:
    worked = LoopState(turns=1, unverified_turns=1)
    assert decide(a_goal(template), worked, LIMITED, NOW, makes_claims=False) == VERIFY
    assert decide(a_goal(template), worked, LIMITED, NOW) == TURN
    assert decide(a_goal(template), LoopState(turns=1), LIMITED, NOW, makes_claims=False) == TURN
    assert decide(a_goal(template, criteria=()), worked, LIMITED, NOW, makes_claims=False) == TURN


def test_a_rate_is_waited_for_longer_each_time() -> None:
    waits = [LoopPolicy().wait_for_rate(number) for number in range(6)]
    assert waits == [seconds * 1_000_000 for seconds in (60, 120, 240, 480, 900, 900)]


def test_backoff_doubles_up_to_its_longest() -> None:
    """And is never shorter than the pause between turns."""
    patient = LoopPolicy(delay_seconds=2, backoff_seconds=1, max_backoff_seconds=6)
    assert [patient.pause_after(n) / 1e6 for n in range(6)] == [2, 2, 2, 4, 6, 6]
    assert patient.pause_after(10_000) == 6_000_000
    at = telic.types.Instant(NOW)
    waits = [after_failure(LoopState(failures=n), AgentExited("x"), patient, at).next_at - NOW for n in (2, 3)]
    assert 4e6 <= waits[0] <= 5e6
    assert 6e6 <= waits[1] <= 7.5e6


@pytest.mark.parametrize(
    "values",
    [
        *(
            {name: value}
            for name in ("max_failures", "max_idle_turns", "max_failed_verifications")
            for value in (0, -1, True)
        ),
        {"max_unchecked_verifications": 0},
        {"verify_every_turns": -1},
        {"blocked_audits": 1.0},
        {"backoff_seconds": -1},
        {"delay_seconds": 86_401},
        {"quota_wait_seconds": float("nan")},
        {"wind_down_fraction": 0},
        {"wind_down_fraction": 1.1},
    ],
)
def test_a_policy_out_of_range_is_refused(values: dict[str, Any]) -> None:
    """Before any loop begins."""
    with pytest.raises(InvalidNumber):
        LoopPolicy(**values)


counts = st.integers(0, 4)
wakes = st.sampled_from([{"wake_at": NOW}, {"wake_signal": "s"}])
states = st.builds(
    lambda wake, **values: LoopState(**values | (wake if values["claim"] is Claim.WAITING else {})),
    wakes,
    claim=st.sampled_from(Claim),
    next_at=st.sampled_from([0, NOW - 1, NOW, NOW + 1]),
    quota_until=st.sampled_from([0, 0, NOW + 1]),
    **dict.fromkeys(
        (
            "failures",
            "idle_turns",
            "unverified_turns",
            "failed_verifications",
            "unchecked_verifications",
            "quota_waits",
            "blocked_claims",
            "wound_down_at",
        ),
        counts,
    ),
)
policies = st.builds(
    LoopPolicy,
    verify_every_turns=counts,
    max_failures=st.integers(1, 4),
    max_idle_turns=st.integers(1, 4),
    max_failed_verifications=st.integers(1, 4),
    max_unchecked_verifications=st.integers(1, 4),
    blocked_audits=counts,
    max_quota_waits=counts,
    backoff_seconds=st.just(0.0),
    max_backoff_seconds=st.just(0.0),
    quota_wait_seconds=st.just(0.0),
)
standings = st.sampled_from([(GoalStatus.ACTIVE, None), *INACTIVE])
TURNS = (Step.TURN, Step.WIND_DOWN, Step.AUDIT)


@given(standing=standings, state=states, policy=policies, has_criteria=st.booleans(), used=st.integers(0, 12))
@settings(max_examples=400)
def test_no_turn_begins_on_a_goal_that_is_not_active(
    template: telic.Goal,
    standing: tuple[GoalStatus, Reason | None],
    state: LoopState,
    policy: LoopPolicy,
    has_criteria: bool,
    used: int,
) -> None:
    """Nor before its time, nor while the provider's limit lasts; the same state gives the same step."""
    goal = a_goal(template, *standing, (CHECK,) if has_criteria else (), token_budget=10, tokens_used=used)
    decision = decide(goal, state, policy, NOW)
    assert decision == decide(goal, state, policy, NOW)
    if decision.step in TURNS:
        assert goal.status is GoalStatus.ACTIVE
        # Unless no pause could have led there.
        assert state.next_at <= NOW or state.next_at > NOW + max(policy.longest_pause, state.asked_pause)
        assert not state.quota_until
    if decision.step is Step.PAUSE:
        assert goal.status is GoalStatus.ACTIVE
        assert decision.reason in REASONS[GoalStatus.PAUSED]
    if decision.step is Step.VERIFY:
        assert goal.criteria
        assert not goal.is_finished
    if decision.step is Step.SLEEP:
        assert decision.until is not None
        assert decision.until > NOW


class Fate:
    """What agents, checks and judges do next, as Hypothesis draws it; nothing of it is progress."""

    def __init__(self, data: st.DataObject) -> None:
        self._data = data

    def turn(self, state: LoopState, goal: telic.Goal, step: Step, policy: LoopPolicy, at: Any) -> LoopState:
        kind = self._data.draw(st.sampled_from(["works", "claims", "blocked", "waits", "fails", "quota"]))
        if kind == "fails":
            return after_failure(state, AgentExited("x"), policy, at)
        made = {
            "claims": report(claim=Claim.COMPLETE),
            "blocked": report(claim=Claim.BLOCKED),
            "waits": report(claim=Claim.WAITING, wake=Wake(at=at)),
            "quota": report(quota=QuotaReached(resets_at=at)),
        }.get(kind, report())
        return after_report(state, goal, step, made, "0" * 64, policy, at)

    def check(self, state: LoopState, goal: telic.Goal, policy: LoopPolicy, at: Any) -> LoopState:
        outcome = self._data.draw(st.sampled_from([Outcome.FAILED, Outcome.ERROR]))
        return after_verification(state, verdicts_on(goal, outcome), policy, at)


@given(data=st.data(), policy=policies, has_criteria=st.booleans())
@settings(max_examples=150)
def test_a_loop_without_progress_comes_to_its_end(
    template: telic.Goal, data: st.DataObject, policy: LoopPolicy, has_criteria: bool
) -> None:
    """Whatever agents, checks and providers do, the goal is paused for good within what its policy allows.

    Waking by itself from waits and quotas is no end, and is counted in.
    """
    fate, state, at = Fate(data), LoopState(workspace_hashes=("0" * 64,)), telic.types.Instant(NOW)
    goal = a_goal(template, criteria=(CHECK,) if has_criteria else ())
    turns = (policy.max_idle_turns + 1) * (policy.max_failures + 1) * (policy.max_quota_waits + 2)
    for _ in range(4 * turns + 20):
        decision = decide(goal, state, policy, at)
        if decision.step in TURNS:
            state = fate.turn(state, goal, decision.step, policy, at)
        elif decision.step is Step.VERIFY:
            state = fate.check(state, goal, policy, at)
        elif decision.step is Step.PAUSE and (decision.reason is Reason.WAITING or decision.until is not None):
            claim = Claim.COMPLETE if state.claim is Claim.COMPLETE else Claim.WORKING
            state = replace(state, claim=claim, wake_at=None, wake_signal=None, quota_until=0)
        else:
            assert decision.step in (Step.PAUSE, Step.COMPLETE)
            return
    raise AssertionError(f"the loop did not end: {state}")


@given(state=states)
@settings(max_examples=200)
def test_a_state_survives_its_row(state: LoopState) -> None:
    """Every field of it, also those that `without_failures` keeps."""
    full = replace(state, note="☃ \u202e", session="s", passed_hashes=("0" * 64,), work="w", tool_output="t", turns=7)
    assert loop_state_from_text(full.as_text()) == full
    anew = full.without_failures()
    kept = {"turns", "session", "verifications", "unverified_turns", "seen_events", "passed_hashes"}
    kept |= {"workspace_hashes", "tool_effects", "work", "tool_output"}
    for field in fields(LoopState):
        expected = getattr(full, field.name) if field.name in kept else field.default
        assert getattr(anew, field.name) == expected, field.name


def test_usage_and_limits_have_the_same_names() -> None:
    """The rule that winds down reads both by name."""
    assert set(LIMITS) <= set(Usage().as_dict()) <= {"turns", *TurnUsage().as_dict()}
    assert set(Budget().as_dict()) == set(LIMITS)
