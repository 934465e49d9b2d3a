"""A goal outlives its session's stops: it wakes when its time has come, and follows its conversation."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

import telic
from telic.domain.clock import Instant, SystemClock
from telic.integrations.hosts.session_goal import wake_due_goals
from telic.loop.agents.process_group import is_inside_turn
from tests.hooks.conftest import HostProgram, on_hosts
from tests.hooks.transcripts import assistant, write


@on_hosts("claude-code", "codex", "gemini", "goose")
@pytest.mark.parametrize("moment", ["session_start", "prompt", "stop"])
def test_a_goal_that_waits_goes_on_in_its_session_when_its_time_has_come(program: HostProgram, moment: str) -> None:
    """Not before; nobody's lease is kept, and what the session consumes from then on is the goal's."""
    goal = program.goal()
    program.store.pause(goal.id, wake_at=Instant(program.store.get(goal.id).created_at + 3_600_000_000))
    assert program.call(moment) is None
    assert program.store.get(goal.id).is_waiting
    program.store.wake(goal.id)
    program.store.pause(goal.id, wake_at=Instant(goal.created_at))
    answer = program.call(moment)
    assert program.store.get(goal.id).status is telic.GoalStatus.ACTIVE
    assert (answer is not None) == (program.name != "goose" or moment == "stop")
    assert program.store.lease(goal.id).worker is None
    assert program.store.events(goal.id)[-1].actor is telic.Actor.SYSTEM


def test_what_a_woken_goals_session_consumes_is_billed(program: HostProgram) -> None:
    goal = program.goal()
    write(program.transcript, assistant("before"))
    program.call("stop", "TELIC: wait 1h")
    program.call("prompt")
    write(program.transcript, assistant("while it waits", after=0.01))
    time.sleep(0.05)
    program.store.wake(goal.id)
    program.store.pause(goal.id, wake_at=Instant(goal.created_at))
    program.call("prompt")
    time.sleep(0.05)
    write(program.transcript, assistant("after"))
    program.call("stop")
    assert [turn.key for turn in program.store.turns(goal.id)] == ["claude-code/before", "claude-code/after"]


def fork(program: HostProgram, session: str, *more: dict[str, Any]) -> dict[str, str]:
    """The host gives the conversation another session, whose transcript repeats the former one."""
    path = program.transcript.with_name(f"{session}.jsonl")
    path.write_text(program.transcript.read_text())
    write(path, *more)
    return {"session_id": session, "transcript_path": str(path)}


def test_a_conversation_with_a_new_session_hears_of_its_goal_and_takes_it_up(program: HostProgram) -> None:
    """Once; the goal stays where it is until the user says so, and then counts what the new session consumes."""
    goal = program.goal()
    write(program.transcript, assistant("msg_1"))
    assert program.call("stop") is not None
    new = fork(program, "s2")
    message = program.call("session_start", source="resume", **new)["systemMessage"]
    assert goal.id in message
    assert '"Move billing to the new API"' in message
    assert "telic take up" in message
    assert program.call("prompt", prompt="hello", **new) is None
    assert program.call("stop", **new) is None
    assert "Move billing" in json.dumps(program.call("prompt", prompt=" Telic take up\n", **new))
    time.sleep(0.01)
    write(Path(new["transcript_path"]), assistant("msg_2"))
    assert program.call("stop", **new) is not None
    assert [turn.key for turn in program.store.turns(goal.id)] == ["claude-code/msg_1", "claude-code/msg_2"]
    program.call("stop", "TELIC: complete", **new)
    assert program.store.get(goal.id).status is telic.GoalStatus.COMPLETED


def test_a_cleared_conversation_hears_of_its_goal(program: HostProgram) -> None:
    """Its new transcript is empty; a session that goes on elsewhere was not cleared."""
    goal = program.goal()
    program.call("prompt")
    assert program.call("session_start", source="clear", session_id="elsewhere", transcript_path="/none") is None
    program.call("session_end", reason="clear")
    answer = program.call("session_start", source="clear", session_id="s2", transcript_path="/none")
    assert goal.id in answer["systemMessage"]


def test_another_conversation_hears_of_nothing(program: HostProgram, tmp_path: Path) -> None:
    """In the same folder without the same history, in another folder, or of a goal that is over."""
    goal = program.goal()
    write(program.transcript, assistant("msg_1"))
    program.call("stop")
    program.call("session_end")
    other = tmp_path / "other.jsonl"
    write(other, assistant("msg_of_another"))
    assert program.call("session_start", session_id="s2", transcript_path=str(other)) is None
    assert program.call("session_start", cwd=str(tmp_path), **fork(program, "s3")) is None
    program.store.complete(goal.id)
    assert program.call("session_start", **fork(program, "s4")) is None
    assert program.call("prompt", prompt="telic take up", session_id="s4") is None


@on_hosts("claude-code", "codex", "goose", "gemini", "copilot")
def test_a_session_inside_a_loops_turn_is_left_to_the_loop(program: HostProgram) -> None:
    """Which counts and decides itself: once is enough."""
    goal = program.goal()
    write(program.transcript, assistant("msg_1"))
    program.variables |= {"TELIC_TURN_KEY": "loop/turn-1", "TELIC_GOAL_ID": goal.id}
    for moment in ("session_start", "prompt", "stop", "session_end"):
        assert program.call(moment, "TELIC: complete") is None
    after = program.store.get(goal.id)
    assert (after.usage.turns, after.revision) == (0, goal.revision)
    program.variables |= {"TELIC_TURN_KEY": ""}
    assert program.call("stop") is not None


def process(folder: Path, number: int, parent: int, *variables: str) -> None:
    place = folder / str(number)
    place.mkdir()
    (place / "stat").write_text(f"{number} (a (strange) name) S {parent} 1 1")
    (place / "environ").write_bytes(b"\0".join(variable.encode() for variable in variables) + b"\0")


def test_a_turn_is_seen_through_processes_that_drop_its_variables(tmp_path: Path) -> None:
    """Each process tells what it was started with; the nearest that tells of a turn counts."""
    process(tmp_path, 70, 1, "TELIC_TURN_KEY=loop/turn-1", "TELIC_GOAL_ID=g", "HOME=/root")
    process(tmp_path, 71, 70, "HOME=/root")
    process(tmp_path, 72, 71)
    process(tmp_path, 73, 72, "TELIC_TURN_KEY=", "TELIC_GOAL_ID=g")
    process(tmp_path, 74, 5)
    assert is_inside_turn({}, processes=tmp_path, process=72)
    assert not is_inside_turn({}, processes=tmp_path, process=73)
    assert not is_inside_turn({}, processes=tmp_path, process=74)
    assert not is_inside_turn({}, processes=tmp_path / "none", process=72)
    assert not is_inside_turn({"TELIC_TURN_KEY": ""}, processes=tmp_path, process=72)
    assert is_inside_turn({"TELIC_TURN_KEY": "k", "TELIC_GOAL_ID": "g"}, processes=tmp_path, process=74)


@pytest.mark.parametrize("hours", [1, -1])
def test_the_databases_clock_says_when_a_waiting_goal_is_due(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    """The clock that the hook's own process reads may be wrong."""
    wrong = Instant(SystemClock().now() + hours * 3_600_000_000)
    with telic.connect(tmp_path / "goals.db") as store:
        goal = store.create("wait", scope="s")
        due = Instant(store.now())
        store.pause(goal.id, wake_at=Instant(due + 600_000_000))
        monkeypatch.setattr(SystemClock, "now", lambda _: wrong)
        wake_due_goals(store, "s", "hook")
        assert store.get(goal.id).is_waiting
        store.wake(goal.id)
        store.pause(goal.id, wake_at=due)
        wake_due_goals(store, "s", "hook")
        assert store.get(goal.id).status is telic.GoalStatus.ACTIVE
