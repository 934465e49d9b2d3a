"""Holds, and what of a turn is billed."""

from typing import Any

import pytest

from telic import (
    BillingPolicy,
    Budget,
    BudgetExceeded,
    GoalNotActive,
    GoalNotFound,
    GoalStatus,
    ModelUsage,
    TurnUsage,
    UsageKind,
)
from telic.domain.history import replay
from telic.errors import HoldLost, InvalidNumber, KeyConflict, TurnConflict
from telic.testing.contract import SHORT_SECONDS, expire, refuses
from telic.types import HoldState


async def states(store: Any, goal_id: str) -> list[HoldState]:
    """Return the states of the goal's holds, in the order of their keys."""
    return [hold.state for hold in await store.holds(goal_id)]


async def test_a_hold_reserves_until_its_turn_settles_it(store: Any) -> None:
    """Used, held and asked for together stay within the budget; the turn frees what it did not use."""
    goal = await store.create("hold", token_budget=1_000)
    hold = await store.hold(goal.id, tokens=600, key="h1")
    assert (hold.key, hold.reserved.tokens, hold.state) == ("h1", 600, HoldState.OPEN)
    with pytest.raises(BudgetExceeded) as refused:
        await store.hold(goal.id, tokens=401)
    assert (refused.value.used, refused.value.held, refused.value.asked, refused.value.budget) == (0, 600, 401, 1_000)
    await store.hold(goal.id, tokens=400, key="h2")
    await store.record_turn(goal.id, tokens=100, hold="h1", key="t1")
    (first, second) = await store.holds(goal.id)
    assert (first.state, first.turn_key, second.state) == (HoldState.SETTLED, "t1", HoldState.OPEN)
    await store.hold(goal.id, tokens=500)
    await refuses(BudgetExceeded, store.hold(goal.id, tokens=1))


@pytest.mark.parametrize(
    ("budget", "amounts"),
    [
        (Budget(tokens=10), {"tokens": 6}),
        (Budget(turns=1), {}),
        (Budget(active_microseconds=10), {"active_microseconds": 6}),
        (Budget(cost_microunits=10), {"cost_microunits": 6}),
    ],
)
async def test_every_budget_is_held(store: Any, budget: Budget, amounts: dict[str, int]) -> None:
    """A hold reserves tokens, time and money as asked, and always one turn."""
    goal = await store.create("hold", budget=budget)
    await store.hold(goal.id, **amounts)
    await refuses(BudgetExceeded, store.hold(goal.id, **amounts))


async def test_a_hold_of_the_same_key_is_the_same(store: Any) -> None:
    """A repeated call reserves nothing more; the key with other amounts is refused."""
    goal = await store.create("hold", token_budget=1_000)
    first = await store.hold(goal.id, tokens=600, key="h")
    assert await store.hold(goal.id, tokens=600, key="h") == first
    await refuses(KeyConflict, store.hold(goal.id, tokens=601, key="h"))
    assert len(await store.holds(goal.id)) == 1


async def test_a_released_hold_is_free(store: Any) -> None:
    """Releasing gives the budget back, once, however often it is asked for."""
    goal = await store.create("hold", token_budget=1_000)
    await store.hold(goal.id, tokens=1_000, key="h")
    assert (await store.release(goal.id, "h")).state is HoldState.RELEASED
    await store.hold(goal.id, tokens=1_000)
    assert (await store.release(goal.id, "h")).state is HoldState.RELEASED
    await refuses(BudgetExceeded, store.hold(goal.id, tokens=1))
    await refuses(HoldLost, store.record_turn(goal.id, tokens=5, hold="h"))
    await refuses(HoldLost, store.release(goal.id, "never placed"))


async def test_an_expired_hold_frees_itself_where_nothing_was_sent(store: Any) -> None:
    """It frees its budget without a sweeper: the record says expired, and nothing is reserved or counted."""
    goal = await store.create("hold", token_budget=1_000)
    await store.hold(goal.id, tokens=1_000, ttl_seconds=SHORT_SECONDS, frees_on_expiry=True, key="h")
    await expire()
    assert await states(store, goal.id) == [HoldState.EXPIRED]
    await store.hold(goal.id, tokens=1_000, key="i")
    await refuses(HoldLost, store.record_turn(goal.id, tokens=5, hold="h"))
    await refuses(HoldLost, store.release(goal.id, "h"))
    assert (await store.get(goal.id)).turns_used == 0


async def test_a_hold_is_settled_once(store: Any) -> None:
    """The same turn again is the same turn; another turn for the hold is refused, and counts nothing."""
    goal = await store.create("hold", token_budget=1_000)
    await store.hold(goal.id, tokens=10, key="h")
    first = await store.record_turn(goal.id, tokens=7, hold="h", key="t")
    assert (await store.record_turn(goal.id, tokens=7, hold="h", key="t")).turn == first.turn
    await refuses(HoldLost, store.record_turn(goal.id, tokens=7, hold="h", key="u"))
    await refuses(HoldLost, store.record_turn(goal.id, tokens=7, hold="unknown", key="v"))
    assert (await store.get(goal.id)).tokens_used == 7


async def test_holds_are_refused_where_no_turn_may_start(store: Any) -> None:
    """Stop wins: a paused or finished goal takes no hold, an unknown one neither; a settled turn still counts."""
    goal = await store.create("hold", token_budget=1_000)
    await store.hold(goal.id, tokens=10, key="h")
    await store.pause(goal.id)
    with pytest.raises(GoalNotActive) as refused:
        await store.hold(goal.id, tokens=10)
    assert refused.value.goal == await store.get(goal.id)
    assert (await store.record_turn(goal.id, tokens=7, hold="h")).goal.tokens_used == 7
    await store.clear(goal.id)
    await refuses(GoalNotActive, store.hold(goal.id, tokens=10))
    await refuses(GoalNotFound, store.hold("0" * 36, tokens=10))
    await refuses(GoalNotFound, store.holds("0" * 36))


@pytest.mark.parametrize("ttl_seconds", [0, -1, 86_401, True, "60", float("nan"), float("inf"), None])
async def test_a_time_to_live_is_bounded(store: Any, ttl_seconds: Any) -> None:
    """Holds and leases last from a millisecond to a day."""
    goal = await store.create("ttl")
    await refuses(InvalidNumber, store.hold(goal.id, ttl_seconds=ttl_seconds))
    await refuses(InvalidNumber, store.claim(goal.id, worker="worker", ttl_seconds=ttl_seconds))
    await refuses(InvalidNumber, store.claim_due(worker="worker", ttl_seconds=ttl_seconds))
    lease = await store.claim(goal.id, worker="worker")
    await refuses(InvalidNumber, store.renew(lease, ttl_seconds=ttl_seconds))
    assert await store.holds(goal.id) == []


@pytest.mark.parametrize("tokens", [-1, True, 1.5, 2**53, "5"])
async def test_a_held_amount_is_a_count(store: Any, tokens: Any) -> None:
    """Holds take what turns take."""
    goal = await store.create("hold")
    await refuses(InvalidNumber, store.hold(goal.id, tokens=tokens))


@pytest.mark.parametrize(
    ("billing", "tokens"),
    [(BillingPolicy.INPUT_AND_OUTPUT, 130), (BillingPolicy.WITHOUT_CACHED, 50), (BillingPolicy.OUTPUT, 30)],
)
async def test_the_policy_bills_its_part_of_a_models_tokens(store: Any, billing: BillingPolicy, tokens: int) -> None:
    """All components are kept; the budget counts what the goal's policy says."""
    usage = ModelUsage(input_tokens=100, cached_input_tokens=80, output_tokens=30, reasoning_tokens=10)
    goal = await store.create("billing", billing=billing, token_budget=1_000)
    assert goal.billing is billing
    result = await store.record_turn(goal.id, usage=usage, key="t")
    assert (result.goal.tokens_used, result.goal.input_tokens_used) == (tokens, 100)
    assert (await store.record_turn(goal.id, usage=usage, key="t")).turn == result.turn
    assert replay(goal.id, await store.events(goal.id), await store.turns(goal.id)).goal == result.goal


async def test_the_policy_decides_when_the_budget_is_reached(store: Any) -> None:
    """Tokens that are not billed do not pause the goal."""
    usage = ModelUsage(input_tokens=100, cached_input_tokens=100, output_tokens=9)
    goal = await store.create("billing", billing=BillingPolicy.WITHOUT_CACHED, token_budget=10)
    assert (await store.record_turn(goal.id, usage=usage)).goal.status is GoalStatus.ACTIVE
    assert (await store.record_turn(goal.id, usage=usage)).goal.status is GoalStatus.PAUSED


async def test_only_work_counts_as_a_turn(store: Any) -> None:
    """A judge's, a tool's and a sub-agent's usage is billed and kept by kind and model, but is no turn."""
    goal = await store.create("kinds", budget=Budget(turns=1))
    for kind in (UsageKind.JUDGE, UsageKind.SUB_AGENT, UsageKind.TOOL):
        result = await store.record_turn(goal.id, tokens=5, kind=kind, model="gpt|3|x", key=kind.value)
    assert (result.goal.status, result.goal.turns_used, result.goal.tokens_used) == (GoalStatus.ACTIVE, 0, 15)
    await refuses(TurnConflict, store.record_turn(goal.id, tokens=5, kind=UsageKind.TOOL, model="other", key="tool"))
    result = await store.record_turn(goal.id, usage=TurnUsage(tokens=1))
    assert (result.goal.status, result.goal.turns_used) == (GoalStatus.PAUSED, 1)
    ledger = await store.turns(goal.id)
    assert [(line.number, line.kind, line.model) for line in ledger[:2]] == [
        (1, UsageKind.JUDGE, "gpt|3|x"),
        (2, UsageKind.SUB_AGENT, "gpt|3|x"),
    ]
    assert replay(goal.id, await store.events(goal.id), ledger).goal == result.goal
