"""Estimates in the ledger, and what becomes of holds that expire."""

from typing import Any

import pytest

from telic import Budget, BudgetExceeded, GoalStatus, InvalidInput, Reason, UsageKind
from telic.domain.budget import TurnUsage, UsageTakenBack
from telic.domain.history import replay
from telic.domain.report import Estimated, UsageGrouping
from telic.errors import HoldLost, KeyConflict, TurnConflict
from telic.testing.contract import SHORT_SECONDS, expire, refuses
from telic.types import HoldState


async def expired(store: Any, **budget: Any) -> Any:
    """Return a goal with one hold, "h", of 600 tokens and 7 micro-units, that has expired."""
    goal = await store.create("calls a model", **(budget or {"token_budget": 1_000}))
    await store.hold(goal.id, tokens=600, cost_microunits=7, ttl_seconds=SHORT_SECONDS, key="h")
    await expire()
    return goal


async def require_replay(store: Any, goal_id: str) -> None:
    """Fail unless the ledger and the history make the stored goal."""
    made = replay(goal_id, await store.events(goal_id), await store.turns(goal_id)).goal
    assert made == await store.get(goal_id)


async def test_a_line_may_be_an_estimate(store: Any) -> None:
    """It counts like any other line, is marked as an estimate, and belongs to its key."""
    goal = await store.create("estimates", token_budget=100)
    known = await store.record_turn(goal.id, tokens=5, key="known")
    guessed = await store.record_turn(goal.id, tokens=6, is_estimate=True, key="guessed")
    assert (known.turn.is_estimate, guessed.turn.is_estimate) == (False, True)
    assert (await store.record_turn(goal.id, tokens=6, is_estimate=True, key="guessed")).turn == guessed.turn
    await refuses(TurnConflict, store.record_turn(goal.id, tokens=6, key="guessed"))
    assert [line.is_estimate for line in await store.turns(goal.id)] == [False, True]
    assert (await store.get(goal.id)).tokens_used == 11
    await require_replay(store, goal.id)


async def test_a_turn_too_large_for_its_goal_is_clipped_in_the_place_of_an_estimate_too(store: Any) -> None:
    """The estimate is taken back first, so that the turn has its room as well."""
    goal = await expired(store, budget=None)
    await store.record_turn(goal.id, tokens=2**53 - 1_000, key="before")
    for _ in range(2):
        result = await store.record_turn(goal.id, tokens=1_001, hold="h", key="too large")
        assert (result.turn.usage.tokens, result.goal.tokens_used) == (999, 2**53 - 1)
        assert (result.goal.reason, result.goal.estimated_lines) == (Reason.FAILED, 0)
    await require_replay(store, goal.id)


@pytest.mark.parametrize("flag", [1, 0, "yes", None])
async def test_whether_it_is_an_estimate_is_yes_or_no(store: Any, flag: Any) -> None:
    """A number is no answer, as elsewhere; nothing changes."""
    goal = await store.create("estimates")
    await refuses(InvalidInput, store.record_turn(goal.id, tokens=1, is_estimate=flag))
    await refuses(InvalidInput, store.hold(goal.id, frees_on_expiry=flag))
    await refuses(InvalidInput, store.record_turn(goal.id, usage=UsageTakenBack.of(TurnUsage(tokens=1))))
    assert await store.get(goal.id) == goal


async def test_a_goal_tells_how_many_lines_of_its_ledger_are_estimates(store: Any) -> None:
    """Estimates by hosts and by expiry count alike, one that is taken back does not, and every reading agrees."""
    goal = await expired(store)
    assert goal.estimated_lines == 0
    guessed = await store.record_turn(goal.id, tokens=5, is_estimate=True)
    await store.record_turn(goal.id, tokens=5)
    assert (guessed.goal.estimated_lines, (await store.get(goal.id)).estimated_lines) == (2, 2)
    late = await store.record_turn(goal.id, tokens=7, hold="h")
    (listed,) = await store.list()
    assert late.goal.estimated_lines == listed.estimated_lines == 1
    assert (await store.active()).estimated_lines == 1
    await require_replay(store, goal.id)


async def test_an_expired_hold_goes_on_reserving_until_it_is_counted(store: Any) -> None:
    """Money is always either held or counted: the refused call counts the expired hold."""
    goal = await expired(store)
    (hold,) = await store.holds(goal.id)
    assert (hold.state, hold.reserves) == (HoldState.EXPIRED, True)
    with pytest.raises(BudgetExceeded) as refused:
        await store.hold(goal.id, tokens=401)
    assert (refused.value.used, refused.value.held) in ((0, 600), (600, 0))
    assert (await store.get(goal.id)).tokens_used == 600
    await refuses(BudgetExceeded, store.hold(goal.id, tokens=401))
    await store.hold(goal.id, tokens=400)


@pytest.mark.parametrize("touch", ["hold", "record_turn", "claim_due", "wake"])
async def test_the_next_use_of_the_budget_counts_an_expired_hold_once(store: Any, touch: str) -> None:
    """The held amounts become one line of the ledger, marked as an estimate, and the hold names that line."""
    goal = await expired(store)
    if touch == "wake":
        await store.pause(goal.id, reason=Reason.WAITING, wake_signal="ci")
    for _ in range(2):
        match touch:
            case "hold":
                await store.hold(goal.id, tokens=1, key="next")
            case "record_turn":
                result = await store.record_turn(goal.id, tokens=1, kind=UsageKind.TOOL, key="next")
                assert result.goal == await store.get(goal.id)
            case "claim_due":
                await store.claim_due(worker="worker")
            case _:
                await store.wake(goal.id, key="wake")
    (estimate,) = [line for line in await store.turns(goal.id) if line.is_estimate]
    assert (estimate.usage.tokens, estimate.usage.cost_microunits, estimate.kind) == (600, 7, UsageKind.WORK)
    (hold,) = [hold for hold in await store.holds(goal.id) if hold.key == "h"]
    assert (hold.state, hold.turn_key, hold.reserves) == (HoldState.ESTIMATED, estimate.key, False)
    assert (await store.get(goal.id)).usage.tokens == 600 + (touch == "record_turn")
    assert (await store.get(goal.id)).turns_used == 1
    await require_replay(store, goal.id)


@pytest.mark.parametrize("look", ["holds", "usage of the goal", "usage of all"])
@pytest.mark.parametrize("end", ["complete", "clear"])
async def test_an_expired_hold_of_a_goal_that_has_ended_is_counted(store: Any, end: str, look: str) -> None:
    """No turn will count it: so reading the goal's holds, or adding up its usage, writes the estimate."""
    goal = await expired(store)
    await (store.complete if end == "complete" else store.clear)(goal.id)
    if look != "holds":
        report = await store.usage(goal_id=goal.id) if "goal" in look else await store.usage(by=UsageGrouping.DAY)
        assert (report.total.usage.tokens, report.total.estimated.lines, report.total.uncertain.holds) == (600, 1, 0)
    (hold,) = await store.holds(goal.id)
    assert (hold.state, hold.reserves) == (HoldState.ESTIMATED, False)
    after = await store.get(goal.id)
    assert (after.is_finished, after.tokens_used, after.cost_microunits_used) == (True, 600, 7)
    await require_replay(store, goal.id)


async def test_a_hold_that_is_open_when_its_goal_ends_can_be_settled_still(store: Any) -> None:
    """The turn in which the goal was completed is under way: it settles its hold by one line."""
    goal = await store.create("calls a model", token_budget=1_000)
    await store.hold(goal.id, tokens=600, key="h")
    await store.complete(goal.id)
    assert (await store.usage(goal_id=goal.id)).total.held.tokens == 600
    await store.record_turn(goal.id, tokens=10, hold="h")
    (line,) = await store.turns(goal.id)
    assert (line.usage.tokens, line.is_estimate) == (10, False)


async def test_an_estimate_that_reaches_the_budget_pauses_the_goal(store: Any) -> None:
    """As any turn does, in its own transaction."""
    goal = await expired(store, budget=Budget(tokens=600))
    await refuses(BudgetExceeded, store.hold(goal.id, tokens=1))
    after = await store.get(goal.id)
    assert (after.status, after.reason, after.tokens_used) == (GoalStatus.PAUSED, Reason.BUDGET, 600)
    await require_replay(store, goal.id)


async def test_a_waiting_goal_whose_expired_hold_used_up_its_budget_stays_asleep(store: Any) -> None:
    """Waking looks at what is counted, and so counts first."""
    goal = await expired(store, budget=Budget(tokens=600))
    await store.pause(goal.id, reason=Reason.WAITING, wake_signal="ci")
    (woken,) = await store.signal("ci")
    assert (woken.status, woken.reason, woken.tokens_used) == (GoalStatus.PAUSED, Reason.BUDGET, 600)


async def test_a_hold_that_is_no_turn_is_estimated_as_none(store: Any) -> None:
    """Tokens and money count, a turn does not."""
    goal = await store.create("calls")
    await store.hold(goal.id, tokens=5, turns=0, ttl_seconds=SHORT_SECONDS, key="h")
    await expire()
    await store.claim_due(worker="worker")
    after = await store.get(goal.id)
    assert (after.turns_used, after.tokens_used) == (0, 5)


async def test_an_estimate_never_passes_the_largest_number(store: Any) -> None:
    """It is clipped to what the counter still takes, since it must get into the ledger."""
    goal = await store.create("no budget")
    await store.record_turn(goal.id, tokens=2**53 - 3)
    await store.hold(goal.id, tokens=2**53 - 1, ttl_seconds=SHORT_SECONDS, key="h")
    await expire()
    await store.claim_due(worker="worker")
    after = await store.get(goal.id)
    assert (after.tokens_used, after.status, after.reason) == (2**53 - 1, GoalStatus.PAUSED, Reason.FAILED)
    assert (await store.turns(goal.id))[-1].usage.tokens == 2


async def test_a_late_turn_settles_its_expired_hold(store: Any) -> None:
    """No estimate was written for the hold yet, so nothing needs to be corrected."""
    goal = await expired(store)
    result = await store.record_turn(goal.id, tokens=10, hold="h", key="real")
    assert (result.goal.tokens_used, result.goal.turns_used) == (10, 1)
    ((hold,), lines) = (await store.holds(goal.id), await store.turns(goal.id))
    assert (hold.state, hold.turn_key, len(lines)) == (HoldState.SETTLED, "real", 1)


async def test_a_late_turn_takes_the_place_of_its_holds_estimate(store: Any) -> None:
    """The ledger shows all three lines; the goal has used what the turn used, and its usage is the ledger's sum."""
    goal = await expired(store)
    await store.claim_due(worker="worker")
    for _ in range(2):
        result = await store.record_turn(goal.id, tokens=10, hold="h", key="real")
        assert (result.goal.tokens_used, result.goal.turns_used, result.goal.cost_microunits_used) == (10, 1, 0)
    estimate, back, real = await store.turns(goal.id)
    assert (estimate.is_estimate, back.takes_back, real.is_estimate) == (True, estimate.number, False)
    assert [line.usage.tokens for line in (estimate, back, real)] == [600, -600, 10]
    (hold,) = await store.holds(goal.id)
    assert (hold.state, hold.turn_key) == (HoldState.SETTLED, "real")
    await refuses(HoldLost, store.record_turn(goal.id, tokens=11, hold="h", key="another"))
    await refuses(TurnConflict, store.record_turn(goal.id, tokens=11, hold="h", key="real"))
    assert len(await store.turns(goal.id)) == 3
    await require_replay(store, goal.id)


async def test_a_hosts_own_estimate_gives_way_to_the_turn_as_well(store: Any) -> None:
    """One estimate may follow another, until the usage is known."""
    goal = await store.create("cut short", token_budget=1_000)
    await store.hold(goal.id, tokens=600, key="h")
    for tokens in (300, 200):
        await store.record_turn(goal.id, tokens=tokens, hold="h", is_estimate=True, key=f"about {tokens}")
        assert (await store.get(goal.id)).tokens_used == tokens
        assert (await store.holds(goal.id))[0].state is HoldState.ESTIMATED
    await store.record_turn(goal.id, tokens=150, hold="h", key="real")
    after = await store.get(goal.id)
    assert (after.tokens_used, after.turns_used) == (150, 1)
    await require_replay(store, goal.id)


async def test_a_late_release_takes_the_estimate_back(store: Any) -> None:
    """The usage is the same whether or not the estimate was in the ledger before the release."""
    goal = await expired(store)
    other = await expired(store, token_budget=1_000, scope="other")
    assert (await store.release(goal.id, "h")).state is HoldState.RELEASED
    await store.claim_due(worker="worker")
    assert (await store.get(other.id)).tokens_used == 600
    for _ in range(2):
        assert (await store.release(other.id, "h")).state is HoldState.RELEASED
    for each in (goal, other):
        after = await store.get(each.id)
        assert (after.tokens_used, after.turns_used, after.cost_microunits_used) == (0, 0, 0)
    assert len(await store.turns(other.id)) == 2
    await require_replay(store, other.id)


async def test_the_key_of_a_hold_stands_for_how_it_expires(store: Any) -> None:
    """The same key with the other rule is another call."""
    goal = await store.create("hold")
    await store.hold(goal.id, tokens=1, key="h")
    await refuses(KeyConflict, store.hold(goal.id, tokens=1, key="h", frees_on_expiry=True))


@pytest.mark.parametrize("by", list(UsageGrouping))
async def test_reports_tell_what_is_estimated(store: Any, clock: Any, by: UsageGrouping) -> None:
    """By every grouping, of all time and of some; what was taken back is estimated no more."""
    goal = await expired(store, token_budget=10_000)
    await store.claim_due(worker="worker")
    await store.record_turn(goal.id, tokens=40, is_estimate=True)
    await store.record_turn(goal.id, tokens=2)
    for since in (None, clock.now() - 1):
        report = await store.usage(by=by, since=since)
        assert report.total.estimated == Estimated(2, 640, 0, 7)
        assert (report.total.usage.tokens, report.total.usage.turns) == (642, 3)
        assert sum(group.sum.estimated.tokens for group in report.groups) == 640
    await store.record_turn(goal.id, tokens=10, hold="h")
    for since in (None, clock.now() - 1):
        report = await store.usage(by=by, since=since)
        assert report.total.estimated == Estimated(1, 40, 0, 0)
        assert (report.total.usage.tokens, report.total.usage.turns) == (52, 3)
