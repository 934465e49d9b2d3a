"""A budget of money in a session: every response has a cost, or its goal does not go on."""

import sys
from typing import Any

import pytest

import telic
from telic.integrations.session import GoalSession
from telic.integrations.settings import SessionSettings
from telic.pricing import Price

MUCH = telic.ModelUsage(input_tokens=100_000, output_tokens=10_000)
MONEY = telic.Budget(cost_microunits=1_000)


def session_of(store: Any, **given: Any) -> GoalSession:
    return GoalSession(store, settings=SessionSettings(**given))


async def test_a_response_is_priced_and_the_budget_is_reached(store: Any) -> None:
    goal = await store.create("A goal", budget=MONEY)
    session = session_of(store)
    await session.record_response(await session.begin(model="gpt-4o"), MUCH, model="gpt-4o-2024-08-06")
    spent = await store.get(goal.id)
    assert spent.usage.cost_microunits == 350_000
    assert (spent.status, spent.reason) == (telic.GoalStatus.PAUSED, telic.Reason.BUDGET)


async def test_the_hosts_own_cost_counts_also_when_it_is_0(store: Any) -> None:
    goal = await store.create("A goal", budget=MONEY)
    session = session_of(store)
    await session.record_response(await session.begin(model="gpt-4o"), MUCH, cost_microunits=7)
    await session.record_response(await session.begin(model="gpt-4o"), MUCH, cost_microunits=0)
    assert (await store.get(goal.id)).usage.cost_microunits == 7


async def test_a_model_without_a_price_is_not_called_under_a_budget_of_money(store: Any) -> None:
    goal = await store.create("A goal", budget=MONEY)
    session = session_of(store)
    with pytest.raises(telic.errors.PriceUnknown) as refused:
        await session.begin(model="a-model-of-our-own")
    assert refused.value.model == "a-model-of-our-own"
    assert "prices" in str(refused.value)
    assert await store.holds(goal.id) == []
    await session_of(store, allow_unknown_price=True).begin(model="a-model-of-our-own")


async def test_without_the_table_of_prices_no_call_begins_under_a_budget_of_money(
    store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    await store.create("A goal", budget=MONEY)
    with pytest.raises(telic.errors.PriceUnknown, match="pip install"):
        await session_of(store).begin()
    await session_of(store, prices={"mine": Price(input=1, output=1)}).begin(model="mine")


async def test_a_response_without_a_price_stops_a_goal_with_a_budget_of_money(store: Any) -> None:
    """The model's name came with the response only."""
    goal = await store.create("A goal", budget=MONEY)
    session = session_of(store)
    await session.record_response(await session.begin(), MUCH, model="a-model-of-our-own")
    stopped = await store.get(goal.id)
    assert (stopped.status, stopped.reason) == (telic.GoalStatus.PAUSED, telic.Reason.FAILED)
    assert "a-model-of-our-own" in stopped.note
    assert stopped.usage.tokens == 110_000
    assert session.seen == stopped


async def test_a_goal_without_a_budget_of_money_needs_no_price(store: Any) -> None:
    goal = await store.create("A goal", token_budget=1_000_000)
    session = session_of(store)
    await session.record_response(await session.begin(model="a-model-of-our-own"), MUCH)
    assert (await store.get(goal.id)).status is telic.GoalStatus.ACTIVE


async def test_prices_of_ones_own_come_first(store: Any) -> None:
    goal = await store.create("A goal", budget=telic.Budget(cost_microunits=10**9))
    session = session_of(store, prices={"gpt-4o": Price(input="1", output="2")})
    await session.record_response(await session.begin(model="gpt-4o"), MUCH)
    by_function = session_of(store, prices=lambda model, usage: usage.output_tokens if model == "mine" else None)
    await by_function.record_response(await by_function.begin(model="mine"), MUCH)
    assert [turn.usage.cost_microunits for turn in await store.turns(goal.id)] == [120_000, 10_000]


async def test_calls_at_once_hold_money_too(store: Any) -> None:
    await store.create("A goal", budget=MONEY)
    session = session_of(store, room_wait_seconds=0)
    await session.begin(model="gpt-4o")
    with pytest.raises(telic.BudgetExceeded) as refused:
        await session.begin(model="gpt-4o")
    assert refused.value.limit == "cost_microunits"


async def test_a_lost_call_is_priced_by_its_estimate(store: Any) -> None:
    goal = await store.create("A goal", budget=telic.Budget(cost_microunits=10**9))
    session = session_of(store)
    call = await session.begin(model="gpt-4o", request_bytes=400_000)
    assert call.prompt is not None
    await session.record_failed_call(call, TimeoutError())
    (turn,) = await store.turns(goal.id)
    sent = (400_000 + len(call.prompt)) // 4
    assert (turn.usage.input_tokens, turn.usage.cost_microunits) == (sent, -(-sent * 5 // 2))
