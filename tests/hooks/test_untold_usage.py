"""A session whose records tell nothing of what it uses: its turns count, and what they used is unknown, never 0."""

from itertools import pairwise

import pytest

import telic
from tests.hooks.conftest import HostProgram, on_hosts
from tests.hooks.transcripts import assistant, codex_count, codex_meta, copilot_call, goose_call, user, write

ALL = ("claude-code", "codex", "gemini", "copilot", "goose")


def lines(program: HostProgram, goal: telic.Goal) -> list[telic.Turn]:
    return list(program.store.turns(goal.id))


@on_hosts(*ALL)
def test_each_turn_of_a_session_that_tells_nothing_is_an_estimate_of_nothing_known(program: HostProgram) -> None:
    goal = program.goal()
    program.call("session_start")
    for count in (1, 2, 3):
        program.call("stop")
        found = program.store.get(goal.id)
        assert (found.usage.turns, found.estimated_lines, found.usage.tokens) == (count, count, 0)
    assert {line.kind for line in lines(program, goal)} == {telic.UsageKind.WORK}
    assert all(line.is_estimate for line in lines(program, goal))


@on_hosts("claude-code", "codex", "gemini")
def test_a_transcript_without_usage_is_no_usage_of_0(program: HostProgram) -> None:
    """As of a provider that tells none: the lines are there, and nothing that counts."""
    goal = program.goal()
    silent = assistant("msg_1")
    del silent["message"]["usage"]
    write(program.transcript, user(), silent, {"type": "gemini", "id": "1", "tokens": None})
    program.call("stop")
    (line,) = lines(program, goal)
    assert (line.is_estimate, line.usage.tokens) == (True, 0)


@pytest.mark.parametrize("document", ['{"messages": [{"type": "gemini"}]}', '{\n  "messages": []\n}'])
@on_hosts("gemini")
def test_a_recording_of_an_older_form_is_unknown_usage(program: HostProgram, document: str) -> None:
    """It has no end of a line at its end, and nothing more comes."""
    goal = program.goal()
    program.transcript.parent.mkdir()
    program.transcript.write_text(document)
    program.call("stop")
    assert [line.is_estimate for line in lines(program, goal)] == [True]


def test_a_limit_of_turns_holds_in_a_session_that_tells_nothing(program: HostProgram) -> None:
    goal = program.goal(budget=telic.Budget(turns=2))
    program.call("stop")
    assert program.store.get(goal.id).status is telic.GoalStatus.ACTIVE
    program.call("stop")
    assert program.store.get(goal.id).reason is telic.Reason.BUDGET
    program.call("stop")
    assert len(lines(program, goal)) == 2


@on_hosts("claude-code", "codex", "gemini")
@pytest.mark.parametrize(
    ("budget", "words"),
    [
        (telic.Budget(tokens=1_000), "a budget of tokens cannot hold"),
        (telic.Budget(tokens=1_000, cost_microunits=5), "a budget of tokens and money cannot hold"),
    ],
)
def test_a_budget_that_cannot_be_measured_is_said_at_once_and_once(
    program: HostProgram, budget: telic.Budget, words: str
) -> None:
    program.goal(budget=budget)
    program.call("session_start")
    answers = [program.call("stop"), program.call("stop"), program.call("prompt"), program.call("stop")]
    said = [words in (answer or {}).get("systemMessage", "") for answer in answers]
    assert said == [True, False, False, False]
    assert program.log.count(words) == 1


@on_hosts("copilot", "goose")
def test_a_host_that_shows_no_messages_has_it_in_the_log(program: HostProgram) -> None:
    program.goal(budget=telic.Budget(tokens=1_000))
    program.call("stop")
    program.call("stop")
    assert program.log.count("a budget of tokens cannot hold") == 1


def test_without_a_budget_that_needs_usage_nothing_is_said(program: HostProgram) -> None:
    program.goal(budget=telic.Budget(turns=10))
    assert "cannot hold" not in str(program.call("stop"))
    assert program.log == ""


def test_what_the_host_writes_after_its_hook_takes_the_estimates_place(program: HostProgram) -> None:
    """Two lines are one turn then, and nothing of the goal is estimated any more."""
    goal = program.goal()
    write(program.transcript, user())
    program.call("stop")
    assert program.store.get(goal.id).estimated_lines == 1
    write(program.transcript, assistant("msg_1"), assistant("msg_2"))
    program.call("prompt")
    found = program.store.get(goal.id)
    assert (found.usage.turns, found.usage.tokens, found.estimated_lines) == (2, 2_100, 0)
    program.call("stop")
    assert program.store.get(goal.id).usage.turns == 2


@on_hosts("codex")
def test_a_thread_that_tells_late_is_counted_once(program: HostProgram) -> None:
    goal = program.goal()
    write(program.transcript, codex_meta("a-thread"))
    program.call("stop")
    write(program.transcript, codex_count(1_000, 1_000))
    program.call("stop")
    found = program.store.get(goal.id)
    assert (found.usage.turns, found.usage.tokens, found.estimated_lines) == (1, 1_000, 0)


@on_hosts("copilot", "goose")
def test_a_row_without_counts_is_unknown_usage(program: HostProgram) -> None:
    goal = program.goal(budget=telic.Budget(tokens=5_000))
    call = copilot_call if program.name == "copilot" else goose_call
    call(program.database, program.session, tokens=None)
    program.call("stop")
    call(program.database, program.session)
    program.call("stop")
    assert [line.is_estimate for line in lines(program, goal)] == [True, False]
    assert program.store.get(goal.id).usage.turns == 2
    assert program.log.count("a budget of tokens cannot hold") == 1


def test_a_session_that_told_usage_is_not_taken_for_silent(program: HostProgram) -> None:
    """Neither where nothing new was said, nor when what was remembered of it is lost."""
    goal = program.goal()
    write(program.transcript, assistant("msg_1"))
    program.call("stop")
    program.call("stop")
    program.transcript.write_text("")
    for file in (program.state / "hooks").iterdir():
        file.unlink()
    program.call("stop")
    assert [line.key for line in lines(program, goal)] == ["claude-code/msg_1"]


def test_sessions_of_one_folder_are_silent_each_by_itself(program: HostProgram) -> None:
    program.options = ["--scope", "folder"]
    goal = program.store.create("of the folder", scope=f"folder:{program.folder.resolve()}")
    for session in ("one", "another"):
        program.call("session_start", session_id=session)
        program.call("stop", session_id=session)
    keys = [line.key for line in lines(program, goal)]
    assert len(keys) == 2
    assert all(one != other for one, other in pairwise(keys))
