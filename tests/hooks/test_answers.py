"""What each host is answered at each moment, through the installed command."""

import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import telic
from telic.domain.criteria import Criterion
from telic.loop.agents import claim_instructions
from telic.prompt import render
from tests.hooks.conftest import HostProgram, going_on, on_hosts
from tests.hooks.transcripts import write
from tests.prompt.corpus import HOSTILE
from tests.prompt.oracles import readings
from tests.support.wire_formats import calls
from tests.support.wire_server import running_wire_server

EVERY = ("claude-code", "codex", "goose", "gemini", "copilot")


def context_of(answer: dict[str, Any], event: str) -> str:
    """The text for the model, from an answer that holds nothing else."""
    assert answer.keys() == {"hookSpecificOutput"}
    inner = answer["hookSpecificOutput"]
    assert inner.keys() == {"hookEventName", "additionalContext"}
    assert inner["hookEventName"] == event
    return inner["additionalContext"]


@on_hosts("claude-code", "codex", "gemini")
@pytest.mark.parametrize("moment", ["session_start", "prompt"])
def test_the_goal_is_told_at_the_start_and_with_each_prompt(program: HostProgram, moment: str) -> None:
    """The block, and how to claim completion."""
    goal = program.goal()
    payload = program.payload(moment)
    text = context_of(program.call(moment), payload["hook_event_name"])
    assert telic_block(program, goal) in text
    assert "TELIC: complete" in text


def telic_block(program: HostProgram, goal: telic.Goal) -> str:
    return render(goal, secret=program.store.secret())


@on_hosts("copilot")
def test_copilot_takes_context_flat_and_only_at_the_start(program: HostProgram) -> None:
    goal = program.goal()
    answer = program.call("session_start")
    assert answer.keys() == {"additionalContext"}
    assert telic_block(program, goal) in answer["additionalContext"]
    assert program.call("prompt") is None


@on_hosts("goose")
@pytest.mark.parametrize("moment", ["session_start", "prompt"])
def test_goose_takes_no_context(program: HostProgram, moment: str) -> None:
    """A line on its standard output would be taken for a decision."""
    program.goal()
    assert program.call(moment) is None


@on_hosts(*EVERY)
def test_a_turn_goes_on_while_the_goal_is_not_reached(program: HostProgram) -> None:
    """The host's word for going on, and the block with the text for continuing."""
    goal = program.goal()
    answer = program.call("stop", "I have looked at the code.")
    if program.name != "claude-code":
        assert answer["decision"] == ("deny" if program.name == "gemini" else "block")
    assert telic_block(program, goal) in going_on(answer)
    assert "Continue with the goal" in going_on(answer)


@on_hosts(*EVERY)
@pytest.mark.parametrize("moment", ["session_start", "prompt", "stop"])
def test_without_a_goal_nothing_is_said(program: HostProgram, moment: str) -> None:
    """Where only other scopes have goals; nothing is logged."""
    program.store.create("another session's")
    assert program.call(moment) is None
    assert program.log == ""


@on_hosts(*EVERY)
@pytest.mark.parametrize(
    "stop",
    [
        lambda store, goal: store.pause(goal.id),
        lambda store, goal: store.clear(goal.id),
        lambda store, goal: store.complete(goal.id),
        lambda store, goal: store.record_turn(goal.id, tokens=2_000),
    ],
    ids=["paused", "cleared", "completed", "over budget"],
)
def test_a_stopped_goal_lets_the_session_stop(
    program: HostProgram, stop: Callable[[telic.GoalStore, telic.Goal], object]
) -> None:
    """Also when it is stopped between two of the session's turns; the user hears of it where the host can tell."""
    goal = program.goal(token_budget=1_000)
    assert program.stop()
    stop(program.store, goal)
    answer = program.call("stop", stop_hook_active=True)
    if program.name in ("goose", "copilot"):
        assert answer is None
    else:
        assert answer.keys() == {"systemMessage"}
        assert goal.id in answer["systemMessage"]
    assert program.call("stop") is None
    assert program.call("prompt") is None


def test_a_claim_without_criteria_completes_the_goal(program: HostProgram) -> None:
    goal = program.goal()
    answer = program.call("stop", "All is done.\n\nTELIC: complete")
    assert answer.keys() == {"systemMessage"}
    after = program.store.get(goal.id)
    assert (after.status, after.reason) == (telic.GoalStatus.COMPLETED, telic.Reason.ASSERTED)


@on_hosts(*EVERY)
def test_a_claim_is_checked_in_the_projects_folder(program: HostProgram) -> None:
    """What fails comes back as feedback; when all passes, the goal is verified and the session may stop."""
    goal = program.goal(criteria=[Criterion.command(["test", "-f", "done"])])
    if program.name == "copilot":
        write(program.transcript, {"type": "assistant.message", "data": {"content": "Done.\nTELIC: complete"}})
    answer = program.call("stop", "Done.\nTELIC: complete")
    assert "1 of its 1 criteria did not pass" in going_on(answer)
    assert program.store.get(goal.id).status is telic.GoalStatus.ACTIVE
    (program.folder / "done").touch()
    program.call("stop", "Done.\nTELIC: complete")
    after = program.store.get(goal.id)
    assert (after.status, after.reason) == (telic.GoalStatus.COMPLETED, telic.Reason.VERIFIED)


def test_blocked_and_waiting_claims_pause_the_goal(program: HostProgram) -> None:
    """Under the model's own authority, with what it said; a wait ends by itself."""
    goal = program.goal()
    answer = program.call("stop", "I cannot go on.\nTELIC: blocked: the staging password, from Ada")
    assert "paused (blocked)" in answer["systemMessage"]
    after = program.store.get(goal.id)
    assert (after.reason, after.note) == (telic.Reason.BLOCKED, "the staging password, from Ada")
    assert program.store.events(goal.id)[-1].actor is telic.Actor.MODEL
    program.store.resume(goal.id)
    assert program.call("stop", "CI runs.\nTELIC: wait 10m").keys() == {"systemMessage"}
    after = program.store.get(goal.id)
    assert after.reason is telic.Reason.WAITING
    assert after.wake_at is not None


def test_an_approval_is_waited_for(program: HostProgram) -> None:
    goal = program.goal(criteria=[Criterion.command(["true"]), Criterion.approval("May this be merged?")])
    assert "approval" in program.call("stop", "TELIC: complete")["systemMessage"]
    assert program.store.get(goal.id).wake_signal == f"approval/{goal.id}"


def test_checks_end_before_the_hosts_time_out(program: HostProgram) -> None:
    """What they started is gone, no verdict is recorded, and the session may stop."""
    goal = program.goal(criteria=[Criterion.command(["sleep", "77.7"])])
    program.options = ["--check-seconds", "1"]
    answer = program.call("stop", "TELIC: complete")
    assert "longer than 1 second" in answer["systemMessage"]
    assert program.store.verification(goal.id) is None
    assert program.store.get(goal.id).status is telic.GoalStatus.ACTIVE
    assert program.store.lease(goal.id).worker is None


def test_a_judge_that_is_not_there_does_not_keep_the_session_going(program: HostProgram) -> None:
    program.goal(criteria=[Criterion.judge("Is it good?")])
    assert "could not be checked" in program.call("stop", "TELIC: complete")["systemMessage"]


JUDGE = """
import json, sys
evidence = json.load(sys.stdin)
passes = "tests pass" in json.dumps(evidence)
assert "Is it good?" in json.dumps(evidence)
print(json.dumps({"verdict": "pass" if passes else "fail", "reasons": ["read the work"], "blocking_problems": [],
    "suggestions": [] if passes else ["run the tests"], "model": "a-judge",
    "usage": {"input_tokens": 70, "output_tokens": 7}}))
"""


@on_hosts("claude-code", "copilot")
@pytest.mark.parametrize("way", ["option", "variable"])
def test_a_command_judges_where_the_configuration_names_one(program: HostProgram, way: str) -> None:
    """Its "no" comes back as feedback, its "yes" verifies the goal, and both are billed to it."""
    goal = program.goal(criteria=[Criterion.judge("Is it good?")])
    file = program.folder / "judge of mine.py"
    file.write_text(JUDGE)
    command = shlex.join([sys.executable, str(file)])
    if way == "option":
        program.options = ["--judge-command", command]
    else:
        program.variables["TELIC_JUDGE_COMMAND"] = command
    if program.name == "copilot":
        write(program.transcript, {"type": "assistant.message", "data": {"content": "I think so.\nTELIC: complete"}})
    assert "run the tests" in program.stop("I think so.\nTELIC: complete")
    if program.name == "copilot":
        write(
            program.transcript, {"type": "assistant.message", "data": {"content": "All tests pass.\nTELIC: complete"}}
        )
    program.call("stop", "All tests pass.\nTELIC: complete")
    after = program.store.get(goal.id)
    assert (after.status, after.reason) == (telic.GoalStatus.COMPLETED, telic.Reason.VERIFIED)
    judged = [turn for turn in program.store.turns(goal.id) if turn.kind is telic.UsageKind.JUDGE]
    assert [(turn.usage.tokens, turn.model) for turn in judged] == [(77, "a-judge")] * 2


def test_a_model_judges_where_the_configuration_names_one(program: HostProgram) -> None:
    """By the client of its provider, as in the autonomous loop."""
    goal = program.goal(criteria=[Criterion.judge("Is it good?")])
    passes = {"verdict": "pass", "reasons": ["it is"], "blocking_problems": [], "suggestions": []}
    program.options = ["--judge-model", "openai-chat:judge"]
    with running_wire_server() as server:
        program.variables |= {"OPENAI_BASE_URL": f"{server.url}/v1", "OPENAI_API_KEY": "a-key-of-the-tests"}
        server.script = [calls("answer", **passes)]
        assert "verified" in program.call("stop", "TELIC: complete")["systemMessage"]
        assert "Is it good?" in server.asked[0].text
    assert program.store.get(goal.id).reason is telic.Reason.VERIFIED
    assert program.store.get(goal.id).usage.tokens == 1_050


def test_a_judge_that_hangs_ends_before_the_hosts_time_out(program: HostProgram) -> None:
    """What it started is gone; a check that had answered before is billed."""
    answered, file = Criterion.judge("The first?", argv=[sys.executable, "judge.py"]), program.folder / "judge.py"
    file.write_text(JUDGE.replace("Is it good?", "The first?").replace('"tests pass"', '"TELIC"'))
    goal = program.goal(criteria=[answered, Criterion.judge("Is it good?")])
    program.options = ["--check-seconds", "12", "--judge-command", "sleep 88.8"]
    message = program.call("stop", "Done.\nTELIC: complete")["systemMessage"]
    assert "longer than 12 seconds" in message
    after = program.store.get(goal.id)
    assert (after.status, after.usage.tokens) == (telic.GoalStatus.ACTIVE, 77)
    assert program.store.lease(goal.id).worker is None
    assert not [each for each in Path("/proc").glob("[0-9]*/cmdline") if b"88.8" in _command_line(each)]


def _command_line(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""


@pytest.mark.parametrize("judge", ["nobody:knows-it", "not a model"])
def test_a_judge_that_cannot_be_used_is_told_to_the_user(program: HostProgram, judge: str) -> None:
    goal = program.goal(criteria=[Criterion.judge("Is it good?")])
    program.options = ["--judge-model", judge]
    assert "cannot be judged" in program.call("stop", "TELIC: complete")["systemMessage"]
    assert program.store.get(goal.id).status is telic.GoalStatus.ACTIVE
    assert program.call("prompt") is not None


@on_hosts("goose")
def test_goose_tells_the_goal_by_the_file_that_its_user_names(program: HostProgram) -> None:
    """With the prompt that begins a turn; it is empty again when the goal is not active. No other file is touched."""
    file = program.state / "context" / "1234.md"
    program.variables["GOOSE_MOIM_MESSAGE_FILE"] = str(file)
    assert program.call("prompt") is None
    assert not file.exists()
    goal = program.goal()
    assert program.call("prompt") is None
    assert telic_block(program, goal) in file.read_text()
    assert "TELIC: complete" in file.read_text()
    assert file.stat().st_mode & 0o077 == 0
    program.store.pause(goal.id)
    program.call("prompt")
    assert file.read_text() == ""
    program.store.resume(goal.id)
    own = program.folder / "own.md"
    own.write_text("mine")
    for name in (
        str(own),
        f"{file.parent}/../context/x/../../../own.md",
        "own.md",
        "~nobody/x",
        "\t",
        str(file.parent),
    ):
        program.variables["GOOSE_MOIM_MESSAGE_FILE"] = name
        program.call("prompt")
        assert own.read_text() == "mine"
    assert file.read_text() == ""


@on_hosts("goose")
def test_a_goal_that_would_be_cut_is_not_told_by_the_file(program: HostProgram) -> None:
    """Goose reads 65,536 bytes of it, and a block without its end would be worse than none."""
    file = program.state / "context" / "1234.md"
    program.variables["GOOSE_MOIM_MESSAGE_FILE"] = str(file)
    program.goal("\N{ZERO WIDTH SPACE}x" * 10_000, max_chars=20_000)
    program.call("prompt")
    assert not file.exists()
    assert "too long" in program.log


def test_the_budgets_end_is_wound_down_once(program: HostProgram) -> None:
    """The model is asked to come to an end; at the next stop the goal is paused."""
    goal = program.goal(token_budget=1_000)
    program.store.record_turn(goal.id, tokens=950)
    assert "nearly used up" in program.stop()
    assert "paused (budget)" in program.call("stop", stop_hook_active=True)["systemMessage"]
    assert program.store.get(goal.id).reason is telic.Reason.BUDGET


@on_hosts("claude-code", "codex", "goose")
def test_continuations_in_a_row_are_fewer_than_the_host_allows(program: HostProgram) -> None:
    """And a prompt of the user's begins the count anew."""
    program.goal()
    allowed = {"claude-code": 7, "codex": 20, "goose": 7}[program.name]
    for number in range(allowed):
        assert program.stop(stop_hook_active=number > 0)
    answer = program.call("stop", stop_hook_active=True)
    assert answer is None or answer.keys() == {"systemMessage"}
    program.call("prompt")
    assert program.stop()


def test_the_hosts_own_setting_of_its_limit_counts(program: HostProgram) -> None:
    program.goal()
    program.variables["CLAUDE_CODE_STOP_HOOK_BLOCK_CAP"] = "2"
    assert program.stop()
    assert program.call("stop", stop_hook_active=True).keys() == {"systemMessage"}


def test_what_another_hook_keeps_going_is_left_to_it(program: HostProgram) -> None:
    """Such as Claude Code's own /goal; claims are dealt with all the same."""
    goal = program.goal()
    assert program.call("stop", stop_hook_active=True).keys() == {"systemMessage"}
    program.call("stop", "TELIC: complete", stop_hook_active=True)
    assert program.store.get(goal.id).status is telic.GoalStatus.COMPLETED


def test_a_goal_that_another_worker_drives_is_left_to_it(program: HostProgram) -> None:
    goal = program.goal()
    lease = program.store.claim(goal.id, worker="worker")
    assert program.call("stop", "TELIC: complete") is None
    assert program.store.get(goal.id).status is telic.GoalStatus.ACTIVE
    program.store.release_lease(lease)
    assert program.stop()
    assert program.store.lease(goal.id).worker is None


def test_scopes(program: HostProgram) -> None:
    """By default the session's; the folder's or a named one where the configuration says so."""
    program.store.create("of the folder", scope=f"folder:{program.folder.resolve()}")
    program.store.create("of the team", scope="team")
    assert program.call("session_start") is None
    program.options = ["--scope", "folder"]
    assert "of the folder" in json.dumps(program.call("session_start"))
    program.variables["CLAUDE_PROJECT_DIR"] = str(program.folder)
    assert "of the folder" in json.dumps(program.call("session_start", cwd="/"))
    program.options = ["--scope", "team"]
    assert "of the team" in json.dumps(program.call("session_start"))


@on_hosts(*EVERY)
def test_hostile_text_stays_in_its_block(program: HostProgram) -> None:
    """In the goal's text, its criteria, and what checks print, whatever reads the answer however carelessly."""
    hostile = "\n".join(text for text in HOSTILE if len(text) < 500 and _is_storable(text))[:20_000]
    check = Criterion.command(["sh", "-c", 'printf "%s" "$1"; exit 1', "sh", hostile[:500]])
    goal = program.goal(hostile, criteria=[check], max_chars=20_000)
    if program.name == "copilot":
        write(program.transcript, {"type": "assistant.message", "data": {"content": "TELIC: complete"}})
    answers = [program.call("stop", "TELIC: complete"), program.call("session_start"), program.call("prompt")]
    answers.append(program.call("stop", "TELIC: complete"))
    told = [text for answer in answers if answer is not None for text in _strings(answer)]
    told = [text for text in told if text not in ("SessionStart", "Stop", "BeforeAgent", "block", "deny")]
    blocks = sum(telic_block(program, goal) in text for text in told)
    assert blocks == {"claude-code": 2, "codex": 2, "goose": 2}.get(program.name, 3)
    for text in told:
        written_by_others = text.replace(claim_instructions(), "")
        for reading in set(readings(written_by_others)):
            assert reading.count("<") == reading.count(">") == (2 if telic_block(program, goal) in text else 0)
            assert "&" not in reading
    assert program.result is not None
    assert program.result.stdout.isascii()


def _is_storable(text: str) -> bool:
    return "\0" not in text and not any(0xD800 <= ord(character) < 0xE000 for character in text)


def _strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for inner in value.values() for text in _strings(inner)]
    return [value] if isinstance(value, str) else []
