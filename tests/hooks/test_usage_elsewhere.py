"""Usage of the hosts that keep it in a recording or a database of their own, each response counted once."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

import telic
from tests.hooks.conftest import HostProgram, on_hosts
from tests.hooks.test_usage import forget, used
from tests.hooks.transcripts import (
    copilot_call,
    gemini_message,
    gemini_meta,
    goose_call,
    goose_session,
    write,
)

Answer = Callable[..., None]


def answer(program: HostProgram, number: int, **more: Any) -> None:
    """The host's model answers for the time of this number, and the host keeps what it used."""
    match program.name:
        case "goose":
            goose_call(program.database, program.session, **more)
        case "copilot":
            copilot_call(program.database, program.session, **more)
        case _:
            write(program.transcript, gemini_message(f"message-{number}", **more))


def keys(program: HostProgram, goal: telic.Goal) -> list[str]:
    return [turn.key for turn in program.store.turns(goal.id)]


@on_hosts("goose", "gemini", "copilot")
def test_each_response_counts_once_however_often_it_is_read(program: HostProgram) -> None:
    """As it comes, again without memory, and after the file was cut off or made anew."""
    goal = program.goal()
    for number in range(3):
        answer(program, number)
        assert program.stop()
        assert used(program, goal).turns == number + 1
    for loses_memory in (False, True):
        if loses_memory:
            forget(program)
        program.call("prompt")
        program.call("stop")
        assert used(program, goal).turns == 3
    usage = used(program, goal)
    output, inputs = {"goose": (50, 1_000), "gemini": (80, 1_020), "copilot": (50, 1_000)}[program.name]
    assert (usage.input_tokens, usage.cached_input_tokens, usage.output_tokens) == (3 * inputs, 1_800, 3 * output)
    assert usage.reasoning_tokens == {"goose": 0, "gemini": 90, "copilot": 60}[program.name]
    model = {"goose": "claude-opus-5", "gemini": "gemini-3-pro", "copilot": "gpt-5.6"}[program.name]
    assert {turn.model for turn in program.store.turns(goal.id)} == {model}
    assert len(set(keys(program, goal))) == 3
    assert program.log == ""


@on_hosts("goose", "gemini", "copilot")
def test_a_goal_pays_for_its_own_responses_only(program: HostProgram) -> None:
    """Neither for those before it, nor for another session's."""
    answer(program, 1, after=-60)
    if program.name == "goose":
        goose_call(program.database, "20261124_8")
    if program.name == "copilot":
        copilot_call(program.database, "another")
    goal = program.goal()
    program.call("session_start")
    answer(program, 2)
    program.call("stop")
    assert used(program, goal).turns == 1


@on_hosts("goose", "gemini", "copilot")
def test_a_budget_that_is_reached_pauses_the_goal(program: HostProgram) -> None:
    goal = program.goal(token_budget=2_000)
    for number in range(2):
        answer(program, number)
    program.call("stop")
    after = program.store.get(goal.id)
    assert (after.reason, after.usage.turns) == (telic.Reason.BUDGET, 2)


@on_hosts("goose", "gemini", "copilot")
def test_sub_agents_are_billed_as_such(program: HostProgram) -> None:
    """Goose and Gemini CLI give them sessions of their own, Copilot CLI marks their rows; theirs too."""
    goal = program.goal()
    answer(program, 1)
    if program.name == "goose":
        goose_session(program.database, "helper", parent=program.session)
        goose_session(program.database, "helper of it", parent="helper")
        goose_call(program.database, "helper")
        goose_call(program.database, "helper of it")
    if program.name == "copilot":
        copilot_call(program.database, program.session, agent="explore-1")
        copilot_call(program.database, program.session, agent="explore-2")
    if program.name == "gemini":
        for helper in ("one", "two"):
            file = program.transcript.parent / program.session / f"{helper}.jsonl"
            write(file, gemini_meta(helper, "subagent"), gemini_message(f"of {helper}"))
    program.call("stop")
    kinds = [turn.kind for turn in program.store.turns(goal.id)]
    assert kinds == [telic.UsageKind.WORK, telic.UsageKind.SUB_AGENT, telic.UsageKind.SUB_AGENT]
    assert used(program, goal).turns == 1


@on_hosts("goose", "copilot")
def test_unknown_usage_is_a_turn_of_nothing(program: HostProgram) -> None:
    """The provider told none: the turn counts against a budget of turns, and no tokens are made up."""
    goal = program.goal()
    answer(program, 1, tokens=None)
    program.call("stop")
    usage = used(program, goal)
    assert (usage.turns, usage.tokens) == (1, 0)


@on_hosts("goose", "copilot")
def test_a_database_that_was_made_anew_is_read_from_its_beginning(program: HostProgram) -> None:
    """Its numbers begin at 1 again; what is in it now is another response."""
    goal = program.goal()
    for number in range(3):
        answer(program, number)
    program.call("stop")
    for file in program.database.parent.glob(f"{program.database.name}*"):
        file.unlink()
    answer(program, 1, after=2)
    program.call("stop")
    assert used(program, goal).turns == 4


@on_hosts("goose", "copilot")
@pytest.mark.parametrize("damage", ["garbage", "older", "locked", "folder", "hostile", "empty"])
def test_a_database_that_tells_nothing_harms_nobody(program: HostProgram, damage: str) -> None:
    """The goal is told, the turn goes on, and what it used is unknown; what can be read later is read then."""
    goal = program.goal()
    program.database.parent.mkdir(parents=True)
    holder = None
    match damage:
        case "garbage":
            program.database.write_bytes(b"no database " * 1_000)
        case "empty":
            program.database.write_bytes(b"")
        case "folder":
            program.database.mkdir()
        case "older":
            with closing(sqlite3.connect(program.database)) as database:
                database.execute("CREATE TABLE sessions (id TEXT PRIMARY KEY, accumulated_total_tokens INTEGER)")
        case "locked":
            answer(program, 1)
            holder = sqlite3.connect(program.database, isolation_level=None)
            holder.execute("PRAGMA locking_mode = EXCLUSIVE")
            holder.execute("BEGIN EXCLUSIVE")
        case _:
            answer(program, 1)
            table = "usage_ledger" if program.name == "goose" else "assistant_usage_events"
            with closing(sqlite3.connect(program.database)) as database, database:
                database.execute(
                    f"UPDATE {table} SET model = ?, input_tokens = -7, output_tokens = 'x'", ("m" * 9_000,)
                )
    assert program.stop()
    assert (used(program, goal).turns, used(program, goal).tokens) == (1, 0)
    assert program.store.get(goal.id).estimated_lines == 1
    if holder is not None:
        holder.close()
        program.call("stop")
        assert used(program, goal).turns == 1
        assert program.store.get(goal.id).estimated_lines == 0


@on_hosts("goose")
def test_compaction_is_billed_and_is_no_turn(program: HostProgram) -> None:
    goal = program.goal()
    answer(program, 1)
    answer(program, 2, is_compaction=1)
    program.call("stop")
    usage = used(program, goal)
    assert (usage.turns, usage.tokens) == (1, 2_100)


@on_hosts("goose", "copilot")
def test_the_hosts_own_variables_say_where_it_is(program: HostProgram) -> None:
    goal = program.goal()
    program.database = (
        program.folder / {"goose": "data/sessions/sessions.db", "copilot": "session-store.db"}[program.name]
    )
    program.variables = {"GOOSE_PATH_ROOT": str(program.folder), "COPILOT_HOME": str(program.folder)}
    answer(program, 1)
    program.call("stop")
    assert used(program, goal).turns == 1


@on_hosts("gemini")
def test_a_message_counts_when_its_tokens_are_there(program: HostProgram) -> None:
    """It is written again with each tool call; the history as a whole may be written again too."""
    goal = program.goal()
    write(program.transcript, gemini_meta(program.session), gemini_message("one", has_tokens=False))
    program.call("stop")
    assert program.store.get(goal.id).estimated_lines == 1
    whole = gemini_message("one")
    write(program.transcript, whole, gemini_message("two"), whole | {"toolCalls": [{"id": "t", "name": "ls"}]})
    write(program.transcript, {"$set": {"messages": [whole]}}, {"$rewindTo": "one"}, {"type": "user", "id": "u"})
    program.call("stop")
    assert keys(program, goal)[-2:] == ["gemini/one", "gemini/two"]
    assert (used(program, goal).turns, program.store.get(goal.id).estimated_lines) == (2, 0)
    assert program.log == ""


@on_hosts("gemini")
def test_an_older_recording_tells_nothing(program: HostProgram) -> None:
    """It was one document, indented, that was written anew with every message."""
    goal = program.goal()
    program.transcript.parent.mkdir(parents=True)
    program.transcript.write_text('{\n  "sessionId": "s",\n  "messages": [\n    {"type": "gemini", "tokens": {')
    assert program.stop()
    assert used(program, goal) == telic.Usage(turns=1)
    assert program.store.get(goal.id).estimated_lines == 1


@on_hosts("goose", "gemini", "copilot")
def test_the_sessions_end_is_billed_too(program: HostProgram) -> None:
    goal = program.goal()
    answer(program, 1)
    assert program.call("session_end") is None
    assert used(program, goal).turns == 1


@on_hosts("gemini", "goose")
def test_parts_never_pass_the_total_that_the_host_tells(program: HostProgram) -> None:
    """Where thoughts are told beside an output that holds them already, the total says so."""
    goal = program.goal()
    if program.name == "gemini":
        tokens = {"input": 341, "output": 3_362, "cached": 0, "thoughts": 3_347, "tool": 0, "total": 3_703}
        write(program.transcript, gemini_message("message-1", tokens=tokens))
    else:
        goose_call(program.database, program.session, total=1_020)
    program.call("stop")
    usage = used(program, goal)
    expected = {"gemini": (341, 3_362, 3_347), "goose": (1_000, 20, 0)}[program.name]
    assert (usage.input_tokens, usage.output_tokens, usage.reasoning_tokens) == expected
