"""How a turn is kept going: in few lines, as long as it may be, and not where something else will begin the next."""

import json
from typing import Any

import pytest

import telic
from telic.domain.criteria import Criterion
from telic.prompt import render
from tests.hooks.conftest import HostProgram, on_hosts
from tests.hooks.transcripts import write

FAILING = Criterion.command(["sh", "-c", "printf 'first line\\nAssertionError: 1 != 2\\n'; exit 1"])


def text_of(answer: dict[str, Any]) -> str:
    """What the model is told."""
    inner = answer.get("hookSpecificOutput", {})
    return inner["additionalContext"] if inner else answer["reason"]


def block(program: HostProgram, goal: telic.Goal) -> str:
    return render(program.store.get(goal.id), secret=program.store.secret())


def claims(program: HostProgram, message: str = "Done.\nTELIC: complete", **more: Any) -> Any:
    if program.name == "copilot":
        write(program.transcript, {"type": "assistant.message", "data": {"content": message}})
    return program.call("stop", message, **more)


@on_hosts("claude-code", "codex", "gemini", "copilot")
def test_a_conversation_that_knows_its_goal_goes_on_in_few_lines(program: HostProgram) -> None:
    """People read them in their terminal: lines are lines, and what failed comes before the rest."""
    goal = program.goal(criteria=[FAILING])
    program.call("session_start")
    answer = claims(program)
    text = text_of(answer).removesuffix(block(program, goal))
    assert text.startswith("Telic: go on with the active goal, revision 1: 1 of its 1 criteria did not pass.")
    assert '\n  "first line"\n  "AssertionError: 1 != 2"\n' in text
    assert "\\u000a" not in text
    assert len(text.splitlines()) < 15
    assert (block(program, goal) in text_of(answer)) == (program.name in ("gemini", "copilot"))
    match program.name:
        case "claude-code":
            assert answer.keys() == {"systemMessage", "hookSpecificOutput"}
            assert answer["hookSpecificOutput"]["hookEventName"] == "Stop"
        case "gemini":
            assert answer.keys() == {"decision", "reason", "systemMessage"}
        case _:
            assert answer.keys() == {"decision", "reason"}
    if "systemMessage" in answer:
        assert answer["systemMessage"].startswith("Telic: criterion 1 failed: ")
        assert "going on, 1 of " in answer["systemMessage"]
        assert "\n" not in answer["systemMessage"]
    going = text_of(claims(program, "I go on."))
    assert going.startswith("Telic: go on with the active goal, revision 1. ")
    assert "Do not weaken" not in going


def test_releases_that_take_no_feedback_are_refused_the_stop(program: HostProgram) -> None:
    """They do not tell of background tasks either; what a host does not know it may drop."""
    program.goal()
    payload = program.payload("stop")
    del payload["background_tasks"], payload["session_crons"]
    assert program.send(json.dumps(payload).encode()).keys() == {"decision", "reason"}


@on_hosts("claude-code", "codex")
def test_a_compacted_or_changed_conversation_is_told_the_whole_goal_again(program: HostProgram) -> None:
    goal = program.goal()
    program.call("session_start")
    assert block(program, goal) not in text_of(program.call("stop"))
    program.call("prompt", hook_event_name="PreCompact")
    assert block(program, goal) in text_of(program.call("stop", stop_hook_active=True))
    assert block(program, goal) not in text_of(program.call("stop", stop_hook_active=True))
    program.store.edit(goal.id, text="Another text")
    assert block(program, goal) in text_of(program.call("stop", stop_hook_active=True))


@on_hosts("claude-code", "codex", "gemini")
def test_the_goal_is_told_once_before_the_first_answer(program: HostProgram) -> None:
    """And with each prompt after one; a goal that is new by then is told with the prompt."""
    program.goal()
    assert program.call("session_start") is not None
    assert program.call("prompt") is None
    program.call("stop")
    assert program.call("prompt") is not None
    assert program.call("prompt") is None
    program.goal("the next")
    assert "the next" in json.dumps(program.call("prompt"))


@pytest.mark.parametrize("field", ["background_tasks", "session_crons"])
def test_a_session_that_wakes_by_itself_is_left_alone(program: HostProgram, field: str) -> None:
    """It goes on when what it waits for has ended; what the model claims meanwhile is dealt with."""
    goal = program.goal(criteria=[FAILING])
    entry = {"id": "b1", "type": "shell", "status": "running", "description": "the tests", "schedule": "* * * * *"}
    for _ in range(3):
        assert program.call("stop", **{field: [entry]}) is None
    assert "did not pass" in text_of(program.call("stop", "TELIC: complete", **{field: [entry]}))
    assert text_of(program.call("stop", **{field: []}))
    assert program.store.get(goal.id).status is telic.GoalStatus.ACTIVE


@pytest.mark.parametrize("cap", ["0", "-1", "-999"])
def test_a_hosts_limit_that_is_lifted_leaves_ours(program: HostProgram, cap: str) -> None:
    program.goal()
    program.variables["CLAUDE_CODE_STOP_HOOK_BLOCK_CAP"] = cap
    program.options = ["--max-continuations", "9"]
    for number in range(9):
        assert text_of(program.call("stop", stop_hook_active=number > 0))
    assert program.call("stop", stop_hook_active=True).keys() == {"systemMessage"}


@on_hosts("gemini")
def test_gemini_is_kept_going_no_longer_though_it_says_that_no_hook_did(program: HostProgram) -> None:
    """It says so after each turn that used a tool; only a prompt of the user's begins the count anew."""
    program.goal()
    program.options = ["--max-continuations", "3"]
    program.call("prompt")
    for _ in range(3):
        told = program.stop(stop_hook_active=False)
        assert program.call("prompt", prompt=told) is None
    answer = program.call("stop", stop_hook_active=False)
    assert answer.keys() == {"systemMessage"}
    assert "A prompt of yours goes on with it" in answer["systemMessage"]
    program.call("prompt")
    assert program.stop(stop_hook_active=False)


def test_a_pause_is_told_with_its_note_and_how_to_go_on(program: HostProgram) -> None:
    """Others' words are quoted: nothing in them reaches the terminal."""
    goal = program.goal()
    assert text_of(program.call("stop"))
    program.store.pause(goal.id, note="lunch\x1b[31m")
    message = program.call("stop", stop_hook_active=True)["systemMessage"]
    assert f'Telic: goal {goal.id} is paused (user): "lunch\\u001b[31m"; telic resume {goal.id} goes on.' in message
    program.store.resume(goal.id)
    message = program.call("stop", "TELIC: blocked: the password, from Ada")["systemMessage"]
    assert f'paused (blocked): "the password, from Ada"; do what it needs, then telic resume {goal.id}' in message


@on_hosts("claude-code", "codex")
def test_a_claim_is_found_where_only_the_transcript_has_it(program: HostProgram) -> None:
    """As in older releases; what the model said in a former turn is no claim of this one."""
    goal = program.goal()
    payload = program.payload("stop")
    del payload["last_assistant_message"]
    said = _said(program, "All is done.\n\nTELIC: complete")
    write(program.transcript, said, _prompt(program))
    assert text_of(program.send(json.dumps(payload).encode()))
    assert program.store.get(goal.id).status is telic.GoalStatus.ACTIVE
    write(program.transcript, said)
    program.send(json.dumps(payload).encode())
    assert program.store.get(goal.id).reason is telic.Reason.ASSERTED


def _said(program: HostProgram, text: str) -> dict[str, Any]:
    if program.name == "codex":
        content = [{"type": "output_text", "text": text}]
        return {"type": "response_item", "payload": {"type": "message", "role": "assistant", "content": content}}
    return {"type": "assistant", "message": {"role": "assistant", "content": [{"type": "text", "text": text}]}}


def _prompt(program: HostProgram) -> dict[str, Any]:
    if program.name == "codex":
        return {"type": "event_msg", "payload": {"type": "task_started", "turn_id": "2"}}
    return {"type": "user", "message": {"role": "user", "content": "and now?"}}
