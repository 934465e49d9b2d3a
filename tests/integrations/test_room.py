"""Room in a budget: shared by calls that go on, waited for, and freed by calls that cost nothing."""

import asyncio
import errno
import socket
from typing import Any

import httpx
import openai
import pytest

import telic
from telic.integrations.model_calls import was_free
from telic.integrations.session import GoalSession
from telic.integrations.settings import SessionSettings

USED = telic.ModelUsage(input_tokens=100, output_tokens=50)


def session_of(store: Any, **given: Any) -> GoalSession:
    return GoalSession(store, settings=SessionSettings(**given))


async def open_tokens(store: Any, goal: telic.Goal) -> list[int]:
    held = [hold for hold in await store.holds(goal.id) if hold.state is telic.types.HoldState.OPEN]
    return sorted(hold.reserved.tokens for hold in held)


async def test_calls_at_once_share_what_is_left(store: Any) -> None:
    goal = await store.create("A goal", token_budget=100)
    session = session_of(store, held_tokens=60)
    await session.begin()
    await session.begin()
    assert await open_tokens(store, goal) == [40, 60]


async def test_a_call_waits_for_room_that_another_call_frees(store: Any) -> None:
    await store.create("A goal", token_budget=1_000)
    session = session_of(store, held_tokens=1_000)
    first = await session.begin()
    waiting = asyncio.create_task(session.begin())
    await asyncio.sleep(0)
    assert not waiting.done()
    await session.record_response(first, USED)
    async with asyncio.timeout(120):
        second = await waiting
    assert second.held.tokens == 850


async def test_a_waiting_call_is_refused_when_the_goal_stops(store: Any) -> None:
    goal = await store.create("A goal", token_budget=100)
    session = session_of(store, held_tokens=100)
    await session.begin()
    waiting = asyncio.create_task(session.begin())
    await asyncio.sleep(0)
    await store.pause(goal.id)
    async with asyncio.timeout(120):
        with pytest.raises(telic.GoalNotActive):
            await waiting


async def test_who_cannot_wait_longer_is_told_until_when_and_how_to_free_a_hold(store: Any) -> None:
    goal = await store.create("A goal", token_budget=100)
    session = session_of(store, held_tokens=100, room_wait_seconds=0)
    await session.begin()
    with pytest.raises(telic.BudgetExceeded) as refused:
        await session.begin()
    (hold,) = await store.holds(goal.id)
    assert refused.value.held_until == hold.expires_at
    assert f"telic holds {goal.id}" in str(refused.value)
    assert f"telic release {goal.id} --hold KEY" in str(refused.value)
    assert (await store.get(goal.id)).status is telic.GoalStatus.ACTIVE


async def test_a_lost_call_is_estimated_by_the_call_before_it(store: Any) -> None:
    goal = await store.create("A goal", token_budget=100_000)
    session = session_of(store)
    await session.record_response(await session.begin(), USED)
    await session.record_failed_call(await session.begin(), ConnectionResetError())
    assert [(turn.usage.tokens, turn.is_estimate) for turn in await store.turns(goal.id)] == [(150, False), (150, True)]
    assert await open_tokens(store, goal) == []


async def test_a_lost_call_is_estimated_by_what_was_sent_and_seen_of_it(store: Any) -> None:
    goal = await store.create("A goal", token_budget=100_000)
    session = session_of(store)
    call = await session.begin(request_bytes=8_000)
    await session.record_failed_call(call, asyncio.CancelledError(), seen_bytes=400)
    (turn,) = await store.turns(goal.id)
    assert call.prompt is not None
    assert (turn.usage.input_tokens, turn.usage.output_tokens) == ((8_000 + len(call.prompt)) // 4, 100)


@pytest.mark.parametrize("seen", [0, 40, 4_000_000])
async def test_an_estimate_is_at_most_what_was_held(store: Any, seen: int) -> None:
    goal = await store.create("A goal", token_budget=100_000)
    session = session_of(store, held_tokens=500)
    await session.record_failed_call(await session.begin(request_bytes=seen), TimeoutError(), seen_bytes=seen)
    (turn,) = await store.turns(goal.id)
    assert turn.usage.tokens == min(seen // 2, 500) or 500


def refused_by_status(status: int) -> Exception:
    response = httpx.Response(status, request=httpx.Request("POST", "http://localhost"))
    return openai.APIStatusError("refused", response=response, body=None)


def caused(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


REQUEST = httpx.Request("POST", "http://localhost")
FREE = [
    refused_by_status(400),
    refused_by_status(529),
    httpx.ConnectError("refused"),
    httpx.ConnectTimeout("no answer"),
    ConnectionRefusedError(errno.ECONNREFUSED, "refused"),
    OSError(errno.EHOSTUNREACH, "no route"),
    socket.gaierror("no such host"),
    caused(openai.APIConnectionError(request=REQUEST), httpx.ConnectError("refused")),
    caused(openai.APITimeoutError(request=REQUEST), httpx.ConnectTimeout("no answer")),
    ExceptionGroup("all refused", [refused_by_status(500), ExceptionGroup("", [httpx.ConnectError("refused")])]),
]
PERHAPS_NOT_FREE = [
    ValueError("unreadable"),
    asyncio.CancelledError(),
    httpx.ReadError("cut"),
    httpx.ReadTimeout("no answer"),
    ConnectionResetError(errno.ECONNRESET, "reset"),
    caused(openai.APIConnectionError(request=REQUEST), httpx.ReadError("cut")),
    openai.APIError("in the stream", REQUEST, body={"code": 502}),
    refused_by_status(200),
    ExceptionGroup("one is lost", [refused_by_status(500), httpx.ReadError("cut")]),
]


@pytest.mark.parametrize("error", FREE, ids=repr)
async def test_a_call_that_surely_cost_nothing_is_released(goals: telic.AsyncGoalStore, error: Exception) -> None:
    assert was_free(error)
    goal = await goals.create("A goal", token_budget=100)
    session = session_of(goals)
    await session.record_failed_call(await session.begin(), error)
    assert [hold.state for hold in await goals.holds(goal.id)] == [telic.types.HoldState.RELEASED]
    assert await goals.turns(goal.id) == []


@pytest.mark.parametrize("error", PERHAPS_NOT_FREE, ids=repr)
def test_what_may_have_cost_something_is_not_free(error: BaseException) -> None:
    assert not was_free(error)


def test_an_attempt_before_says_nothing_of_this_one() -> None:
    """The first could not connect, and while that was handled the second was sent and lost."""
    error = httpx.ReadError("cut")
    error.__context__ = httpx.ConnectError("refused")
    assert not was_free(error)


async def test_a_refusal_within_a_stream_is_no_refusal(store: Any) -> None:
    goal = await store.create("A goal", token_budget=100_000)
    session = session_of(store)
    await session.record_failed_call(await session.begin(), refused_by_status(503), seen_bytes=40)
    assert len(await store.turns(goal.id)) == 1


async def test_a_sub_agent_uses_tokens_but_no_turns(store: Any) -> None:
    goal = await store.create("A goal", budget=telic.Budget(tokens=1_000, turns=1))
    session = session_of(store, held_tokens=100)
    await session.start()
    helper = session.sub_agent()
    call = await helper.begin()
    assert (call.prompt, call.held.turns) == (None, 0)
    assert await helper.goes_on() is None
    await helper.record_response(call, USED)
    (turn,) = await store.turns(goal.id)
    assert turn.kind is telic.UsageKind.SUB_AGENT
    assert (await store.get(goal.id)).usage.turns == 0


async def test_a_budget_that_a_sub_agent_spends_does_not_void_its_callers_report(store: Any) -> None:
    goal = await store.create("A goal", token_budget=100)
    session = session_of(store)
    await session.begin()
    helper = session.sub_agent()
    await helper.record_response(helper.call_without_begin(), USED)
    assert session.seen is not None
    assert (await store.get(goal.id)).revision == session.seen.revision
