"""What the adapters share, without a framework: calls, bills, tools and reports on each store."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

import telic
from telic.domain.loop_state import (
    Claim,
)
from telic.integrations.model_calls import model_name, turn_key
from telic.integrations.runs import guarded
from telic.integrations.session import GoalSession
from telic.integrations.settings import SessionSettings
from telic.integrations.tools import GoalTools
from telic.loop.agents.json_reader import model_usage
from telic.loop.verification.verifier import Verifier

USED = telic.ModelUsage(input_tokens=100, output_tokens=50)


def session_of(store: Any, **given: Any) -> tuple[GoalSession, GoalTools]:
    session = GoalSession(store, settings=SessionSettings(**given))
    return session, GoalTools(session)


async def test_a_response_told_of_twice_is_billed_once(store: Any) -> None:
    """As by a workflow that is replayed: the same call and response, at another time, in another process."""
    goal = await store.create("A goal", token_budget=1_000)
    for _ in range(2):
        session, _tools = session_of(store, held_tokens=10)
        call = await session.begin("run-1/1")
        await session.record_response(call, USED, model="a-model", response_id="response-1")
    (turn,) = await store.turns(goal.id)
    assert (turn.key, turn.usage.tokens, turn.model) == ("run-1/1/response-1", 150, "a-model")


async def test_the_response_that_spends_the_budget_may_report_completion(store: Any) -> None:
    """That the budget paused the goal meanwhile is no change that the model had to see."""
    goal = await store.create("A goal", token_budget=100)
    session, tools = session_of(store)
    await session.record_response(await session.begin(), USED)
    assert (await store.get(goal.id)).reason is telic.Reason.BUDGET
    assert "completed" in await tools.call("report_complete", {"summary": "done"})
    assert (await store.get(goal.id)).reason is telic.Reason.ASSERTED


async def test_a_pause_by_the_user_is_a_change_that_a_report_must_not_pass(store: Any) -> None:
    goal = await store.create("A goal")
    session, tools = session_of(store)
    await session.begin()
    paused = await store.pause(goal.id)
    answer = await tools.call("report_complete", {"summary": "done"})
    assert answer.startswith("Refused")
    assert await store.get(goal.id) == paused
    with pytest.raises(telic.GoalNotActive) as refused:
        await session.begin()
    assert refused.value.goal == paused


async def test_without_a_verifier_the_claim_is_the_hosts_to_check(store: Any) -> None:
    goal = await store.create("A goal", criteria=[telic.Criterion.command(["true"])])
    session, tools = session_of(store)
    await session.begin()
    assert "checked by the host" in await tools.call("report_complete", {"summary": "done"})
    assert session.claim is Claim.COMPLETE
    assert await session.goes_on() is None
    assert (await store.get(goal.id)).status is telic.GoalStatus.ACTIVE


async def test_an_approval_is_waited_for(store: Any, tmp_path: Path) -> None:
    goal = await store.create("A goal", criteria=[telic.Criterion.approval("Ship it?")])
    session, tools = session_of(store, verifier=Verifier(workspace=tmp_path))
    await session.begin()
    assert "has to approve" in await tools.call("report_complete", {"summary": "done"})
    waiting = await store.get(goal.id)
    assert (waiting.reason, waiting.wake_signal) == (telic.Reason.WAITING, f"approval/{goal.id}")
    await store.approve(goal.id, 0, decided_by="ada")


async def test_an_edit_while_the_criteria_are_checked_voids_the_check(tmp_path: Path) -> None:
    location = str(tmp_path / "goals.db")
    edit = f"import telic; s = telic.connect({location!r}); s.edit(s.active().id, text='New'); s.close()"
    async with telic.connect_async(location) as store:
        goal = await store.create("Old", criteria=[telic.Criterion.command([sys.executable, "-c", edit])])
        session, tools = session_of(store, verifier=Verifier(workspace=tmp_path))
        await session.begin()
        assert "changed meanwhile" in await tools.call("report_complete", {"summary": "done"})
        assert (await store.get(goal.id)).status is telic.GoalStatus.ACTIVE


async def test_a_model_creates_a_goal_only_where_it_may(tmp_path: Path) -> None:
    location = str(tmp_path / "goals.db")
    async with telic.connect_async(location, model_may_create=True) as store:
        session, tools = session_of(store)
        assert [tool.name for tool in tools.offered] == ["get_goal", "report_complete", "report_blocked"]
        assert "Refused" in await tools.call("create_goal", {"text": "Mine"})
        assert await store.active() is None
        budget = telic.Budget(tokens=1_000)
        session, tools = session_of(store, model_may_create=True, created_budget=budget)
        before = await session.begin()
        assert before.prompt is None
        assert await tools.call("create_goal", {"text": "Mine"}) == "The goal is set."
        await session.record_response(before, USED)
        created = await store.active()
        assert created is not None
        assert (created.budget, created.usage.tokens) == (budget, 0)
        assert "Refused" in await tools.call("create_goal", {"text": "Another"})
        assert (await store.active()) == created
    async with telic.connect_async(str(tmp_path / "other.db")) as store:
        _session, tools = session_of(store, model_may_create=True)
        assert "Refused" in await tools.call("create_goal", {"text": "Mine"})


@pytest.mark.parametrize(
    "arguments",
    ["", "{", "[]", "null", '{"summary": 1}', "[" * 100_000, None, 7, {"summary": "a\0"}, {"summary": "\ud800"}],
)
async def test_arguments_of_any_shape_are_answered(goals: telic.AsyncGoalStore, arguments: Any) -> None:
    goal = await goals.create("A goal")
    session, tools = session_of(goals)
    await session.begin()
    assert "Refused" in await tools.call("report_complete", arguments)
    assert (await goals.get(goal.id)).status is telic.GoalStatus.ACTIVE
    assert "Refused" in await tools.call("no_such_tool", {})


@pytest.mark.parametrize("identity", ["x" * 10_000, "a\0b", "\ud800", "\u202e", " "])
async def test_hostile_ids_and_names_of_responses_are_kept_out_of_harm(
    goals: telic.AsyncGoalStore, identity: str
) -> None:
    goal = await goals.create("A goal")
    session, _tools = session_of(goals)
    await session.record_response(await session.begin(), USED, model=identity, response_id=identity)
    assert [turn.usage.tokens for turn in await goals.turns(goal.id)] == [150]


@pytest.mark.parametrize("counts", [(None, 5), (5, None), (-1, 5), (True, 5), (1.0, 5), ("1", 5), (0, 0)])
def test_what_is_no_count_is_unknown(counts: tuple[Any, Any]) -> None:
    assert model_usage(input_tokens=counts[0], output_tokens=counts[1]) is None


def test_parts_never_exceed_their_whole() -> None:
    used = model_usage(input_tokens=10, output_tokens=5, cached_input_tokens=99, reasoning_tokens=-1)
    assert used == telic.ModelUsage(input_tokens=10, cached_input_tokens=10, output_tokens=5)
    assert (model_name(""), model_name(7), model_name("a" * 300)) == (None, None, "a" * 200)
    assert turn_key("a", None, "b") == "a/b"


@pytest.mark.parametrize(
    "given",
    [
        {"held_tokens": -1},
        {"max_runs": 0},
        {"call_timeout_seconds": 0},
        {"heartbeat_seconds": 0},
        {"patience_seconds": -1},
        {"model_may_create": 1},
        {"allow_unknown_price": None},
        {"room_wait_seconds": -1},
        {"prices": 7},
    ],
)
def test_unusable_settings_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(telic.InvalidInput):
        SessionSettings(**given)


async def test_a_report_that_is_stored_before_its_answer_is_back_cancels_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The guard may see the model's own report in the store before the tool has heard of it."""
    complete = telic.AsyncGoalStore.complete

    async def slowly(*given: Any, **named: Any) -> telic.Goal:
        goal = await complete(*given, **named)
        await asyncio.sleep(0.5)
        return goal

    monkeypatch.setattr(telic.AsyncGoalStore, "complete", slowly)
    async with telic.connect_async(tmp_path / "goals.db") as store:
        goal = await store.create("A goal", scope="thread-1")
        session = GoalSession(store, scope="thread-1", settings=SessionSettings(heartbeat_seconds=0.02))
        await session.start()
        answer = await guarded(session, GoalTools(session).call("report_complete", {"summary": "done"}))
        assert "completed" in answer
        assert (await store.get(goal.id)).reason is telic.Reason.ASSERTED
