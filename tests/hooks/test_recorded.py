"""Whole sessions as real hosts reported them: each moment is answered rightly, and each response billed once.

See payloads/README.md for which program recorded what.
"""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

import telic
from telic.domain.clock import Instant
from telic.loop.agents.protocol import read_time
from tests.hooks.conftest import PAYLOADS, HostProgram, on_hosts

WORK_RESPONSES = {"claude-code": 3, "codex": 4, "gemini": 3, "copilot": 3}


@dataclass(frozen=True)
class BeforeTheRecording:
    """The time of the goal: what a goal did not see consumed is not billed to it."""

    def now(self) -> Instant:
        return read_time("2026-11-25T00:00:00Z")


def lay_out(program: HostProgram) -> None:
    """The host's files stand where it keeps them."""
    _copy(program, "transcript", program.transcript)
    if program.name == "copilot":
        program.database.parent.mkdir(parents=True)
        with closing(sqlite3.connect(program.database)) as database:
            database.executescript((PAYLOADS / "copilot.session_store.sql").read_text())
        return
    beside = program.transcript.parent / program.session / "b0515f18.jsonl"
    _copy(program, "sub_transcript", beside if program.name == "gemini" else program.sub_transcript)


def _copy(program: HostProgram, kind: str, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text((PAYLOADS / f"{program.name}.{kind}.jsonl").read_text())


def goal_before(program: HostProgram, scope: str | None = None) -> telic.Goal:
    with telic.connect(program.location, clock=BeforeTheRecording()) as store:
        return store.create("Move billing to the new API", scope=scope or program.scope)


@on_hosts(*WORK_RESPONSES)
def test_a_recorded_session_is_answered_and_billed(program: HostProgram) -> None:
    """Each response had a thousand tokens of input, 400 of them cached, and 50 of output; one was a sub-agent's."""
    lay_out(program)
    goal = goal_before(program)
    assert "Move billing" in str(program.call("session_start"))
    assert program.call("prompt") is None
    assert program.call("post_tool") is None
    if program.name != "gemini":
        assert program.call("sub_agent_stop") is None
    assert "go on with the active goal" in program.stop()
    assert program.call("session_end") is None
    usage = program.store.get(goal.id).usage
    kinds = [turn.kind for turn in program.store.turns(goal.id)]
    work = WORK_RESPONSES[program.name]
    assert (kinds.count(telic.UsageKind.WORK), kinds.count(telic.UsageKind.SUB_AGENT)) == (work, 1)
    assert (usage.turns, usage.tokens) == (work, 1_050 * (work + 1))
    assert (usage.cached_input_tokens, usage.output_tokens) == (400 * (work + 1), 50 * (work + 1))
    assert program.log == ""


def test_a_recorded_compaction_is_answered(program: HostProgram) -> None:
    """Its start names the source and the model; the goal is told anew."""
    lay_out(program)
    goal_before(program)
    assert program.call("pre_compact") is None
    assert program.payload("session_start_compact")["source"] == "compact"
    assert "Move billing" in str(program.call("session_start_compact"))


@pytest.mark.parametrize(
    ("program", "moment"),
    [("codex", "sub_agent_prompt"), ("copilot", "sub_agent_prompt"), ("copilot", "sub_agent_own_stop")],
    indirect=["program"],
)
def test_a_sub_agents_own_prompt_and_stop_are_not_the_sessions(program: HostProgram, moment: str) -> None:
    """Codex reports them under the session's id, Copilot under the sub-agent's; the goal is not theirs."""
    lay_out(program)
    program.options = ["--scope", "folder"]
    goal = goal_before(program, f"folder:{program.folder.resolve()}")
    assert program.payload(moment)["agent_id"]
    assert program.call(moment) is None
    assert program.store.get(goal.id).usage.turns == 0


@on_hosts("gemini", "copilot")
def test_what_keeps_a_turn_going_is_no_prompt_of_the_users(program: HostProgram) -> None:
    """Both hosts report it as a prompt, and the next stop as one in a turn that a hook had kept going."""
    lay_out(program)
    goal_before(program)
    program.options = ["--max-continuations", "3"]
    program.call("prompt")
    told = program.stop()
    for _ in range(2):
        assert program.call("prompt", prompt=told) is None
        told = program.stop(stop_hook_active=True)
    assert program.call("prompt", prompt=told) is None
    assert not program.stop(stop_hook_active=True)
    program.call("prompt")
    assert program.stop()


@on_hosts("codex")
def test_a_recorded_fork_is_billed_for_its_own_response(program: HostProgram) -> None:
    """It refers to its parent's file, and its sum begins with its parent's."""
    program.options = ["--scope", "folder"]
    goal = goal_before(program, f"folder:{program.folder.resolve()}")
    _copy(program, "forked_transcript", program.transcript)
    fork = program.transcript.with_name("fork.jsonl")
    _copy(program, "fork_transcript", fork)
    program.call("stop")
    assert program.store.get(goal.id).usage.tokens == 1_351
    program.call("stop", session_id="the fork", transcript_path=str(fork))
    assert [turn.usage.tokens for turn in program.store.turns(goal.id)] == [1_351, 1_362]
    assert {turn.model for turn in program.store.turns(goal.id)} == {"gpt-5.1-codex"}
