"""A goal is paused for another only when that is said: by one rule, on every surface, in the writing statement."""

import asyncio
from pathlib import Path

import pytest

import telic
from telic.interfaces.cli import app
from telic.interfaces.mcp.calls import ToolCalls
from telic.interfaces.mcp.conversation import McpConversation, Role, ServerSettings
from telic.interfaces.mcp.tools import tools_for
from telic.services.actions import ActionRequest, GoalAction
from telic.services.actions import execute as execute_action
from telic.services.chat.commands import execute
from telic.services.chat.replies import ReplyKind
from tests.interfaces.api.serving import serving


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store whose active goal is driven by a worker, and which has a paused goal besides."""
    path = str(tmp_path / "goals.db")
    monkeypatch.setenv("TELIC_STORE", path)
    with telic.connect(path) as store:
        store.pause(store.create("at rest").id)
        store.create("at work")
        store.claim(scope="default", worker="host/7", ttl_seconds=600)
    return path


def texts(place: str) -> dict[str, str]:
    with telic.connect(place) as store:
        return {goal.text: f"{goal.status} {goal.reason or ''}".strip() for goal in store.list()}


def resting(place: str) -> telic.Goal:
    with telic.connect(place) as store:
        return next(goal for goal in store.list() if goal.text == "at rest")


UNTOUCHED = {"at work": "active", "at rest": "paused user"}


@pytest.mark.parametrize("line", [("create", "new"), ("resume",), ("resume", "--budget", "5M")])
def test_the_command_names_the_goal_and_its_driver(
    place: str, line: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert app.run(line) == 6
    said = capsys.readouterr().err
    assert "host/7" in said
    assert "“at work”" in said
    assert "--replace" in said
    assert texts(place) == UNTOUCHED
    assert app.run([*line, "--replace"]) == 0
    assert "“at work”" in capsys.readouterr().out
    assert texts(place)["at work"] == "paused superseded"


def test_the_api_answers_with_the_goal_that_is_in_the_way(place: str) -> None:
    with serving(place) as client:
        for path, body in (("/goals", {"text": "new"}), (f"/goals/{resting(place).id}/resume", {})):
            refused = client.post(path, body, tag="*")
            assert refused.status == 409
            assert refused.json["code"] == "would_replace"
            assert (refused.json["goal"]["text"], refused.json["worker"]) == ("at work", "host/7")
        assert texts(place) == UNTOUCHED
        assert client.post("/goals", {"text": "new", "replace": True}).status == 201
    assert texts(place)["at work"] == "paused superseded"


def test_an_operators_mcp_and_a_chat_ask_by_the_same_rule(place: str) -> None:
    async def create(**arguments: object) -> tuple[str, str]:
        settings = ServerSettings(role=Role.OPERATOR)
        async with telic.connect_async(place) as store:
            answer = await ToolCalls(McpConversation(store, settings), tools_for(settings)).call(
                "create_goal", arguments
            )
        return answer.outcome, answer.text

    outcome, text = asyncio.run(create(text="new"))
    assert outcome == "refused"
    assert "host/7" in text
    with telic.connect(place) as store:
        assert execute(store, "/goal write the release notes").kind is ReplyKind.CONFIRM
    assert texts(place) == UNTOUCHED
    assert asyncio.run(create(text="new", replace=True))[0] == "created"


def test_waking_asks_by_the_same_rule(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The goal that waits goes on waiting until somebody says that the other may be paused."""
    with telic.connect(place) as store:
        store.resume(resting(place).id)
        store.pause(resting(place).id, wake_signal="ci/7")
        at_work = next(goal for goal in store.list() if goal.text == "at work")
        store.resume(at_work.id)
        store.claim(at_work.id, worker="host/7", ttl_seconds=600)
    asleep = resting(place)
    assert app.run(("wake", asleep.id)) == 6
    said = capsys.readouterr().err
    assert "host/7" in said
    assert "--replace" in said
    with serving(place) as client:
        refused = client.post(f"/goals/{asleep.id}/wake")
        assert (refused.status, refused.json["code"]) == (409, "would_replace")
        assert (refused.json["goal"]["text"], refused.json["worker"]) == ("at work", "host/7")
        assert resting(place) == asleep
        assert client.post(f"/goals/{asleep.id}/wake", {"replace": True}).json["status"] == "active"
    assert texts(place) == {"at work": "paused superseded", "at rest": "active"}


def test_a_woken_goal_names_the_one_that_was_paused_for_it(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    with telic.connect(place) as store:
        asleep = store.create("asleep", replace=True)
        store.pause(asleep.id, wake_signal="ci/7")
        store.create("in the way")
    assert app.run(("wake", asleep.id, "--replace")) == 0
    assert "“in the way”" in capsys.readouterr().out
    assert app.run(("wake", "--signal", "ci/7", "--replace")) == 2


async def test_a_screen_asks_for_the_goal_that_is_in_the_way(place: str) -> None:
    ada = telic.NamedActor(telic.Actor.OPERATOR, "Ada", "top")
    request = ActionRequest(action=GoalAction.RESUME, goal=resting(place), actor=ada)
    async with telic.connect_async(place) as store:
        with pytest.raises(telic.WouldReplace) as refused:
            await execute_action(store, request)
        assert (refused.value.goal.text, refused.value.worker) == ("at work", "host/7")


def test_only_the_goal_that_was_agreed_to_is_paused(place: str) -> None:
    """A goal that became active after somebody was asked is not paused in its place."""
    with telic.connect(place) as store:
        agreed = store.active()
        assert agreed is not None
        store.create("slipped in")
        with pytest.raises(telic.WouldReplace, match="would be paused"):
            store.create("new", replace=agreed.id)
        slipped = store.active()
        assert slipped is not None
        assert store.create("new", replace=slipped.id).is_active


def test_a_repeated_call_is_the_same_call(place: str) -> None:
    """The key finds the goal that it made, which is no other goal in the way."""
    with telic.connect(place) as store:
        made = store.create("new", key="once")
        assert store.create("new", key="once", replace=False).id == made.id
