"""A response whose counts are none is a line all the same, marked as an estimate; what others used stays exact."""

from typing import Any, Final

import pytest

import telic
from tests.hooks.conftest import HostProgram, on_hosts
from tests.hooks.test_untold_usage import lines
from tests.hooks.transcripts import (
    assistant,
    codex_count,
    codex_meta,
    codex_record,
    copilot_call,
    gemini_message,
    goose_call,
    write,
)

ODD: Final = (1000.0, -5, True, "12", None, [1], {"count": 1}, float("inf"))
odd_counts = pytest.mark.parametrize("count", ODD, ids=str)


def told(program: HostProgram, goal: telic.Goal) -> dict[str, int | None]:
    """The tokens of each line, by the last part of its key; None where it is an estimate."""
    return {
        line.key.rpartition("/")[2]: None if line.is_estimate else line.usage.tokens for line in lines(program, goal)
    }


def claude(identity: str, count: Any = 10, name: str = "input_tokens", **more: Any) -> dict[str, Any]:
    line = assistant(identity, **more)
    line["message"]["usage"][name] = count
    return line


def codex(line: dict[str, Any], names: tuple[str, ...], count: Any) -> dict[str, Any]:
    """The line of Codex's, in which the parts of these names have this count as their input."""
    payload = line["payload"]
    for name in names:
        payload.get("info", payload)[name]["input_tokens"] = count
    return line


@odd_counts
def test_an_odd_count_of_claude_code_is_an_estimate(program: HostProgram, count: Any) -> None:
    goal = program.goal()
    write(program.transcript, claude("msg_1"), claude("msg_2", count), claude("msg_3", count, "output_tokens"))
    write(program.transcript, claude("msg_4"))
    program.call("stop")
    program.call("stop")
    assert told(program, goal) == {"msg_1": 1_050, "msg_2": None, "msg_3": None, "msg_4": 1_050}
    found = program.store.get(goal.id)
    assert (found.usage.turns, found.usage.tokens, found.estimated_lines) == (4, 2_100, 2)


@pytest.mark.parametrize("usage", [None, {}, {"tokens": [1, 2, 3]}, "much"])
def test_usage_of_an_unknown_form_is_an_estimate(program: HostProgram, usage: Any) -> None:
    goal = program.goal()
    newer = assistant("msg_1")
    newer["message"]["usage"] = usage
    write(program.transcript, newer, assistant("msg_2"))
    program.call("stop")
    assert told(program, goal) == {"msg_1": None, "msg_2": 1_050}


def test_an_odd_beginning_of_a_response_is_replaced_by_its_end(program: HostProgram) -> None:
    goal = program.goal()
    write(program.transcript, claude("msg_1", None, "output_tokens", stop=None), claude("msg_1"))
    program.call("stop")
    assert told(program, goal) == {"msg_1": 1_050}


def test_of_an_odd_end_the_known_beginning_is_billed_as_an_estimate(program: HostProgram) -> None:
    goal = program.goal()
    write(program.transcript, claude("msg_1", output=7, stop=None), claude("msg_1", -1))
    program.call("stop")
    (line,) = lines(program, goal)
    assert (line.is_estimate, line.usage.tokens) == (True, 1_007)


@pytest.mark.parametrize("counts", [(2**53 - 1_000, 2**53 - 1), (10**17, 10), (2**70, 10**99)], ids=str)
def test_counts_beyond_a_goals_counters_are_clipped_and_stop_the_goal(
    program: HostProgram, counts: tuple[int, int]
) -> None:
    """None of them is an estimate of nothing, and each response has its line."""
    goal = program.goal()
    write(program.transcript, claude("msg_1", counts[0]), claude("msg_2", counts[1]), claude("msg_3"))
    program.call("stop")
    program.call("stop")
    assert list(told(program, goal)) == ["msg_1", "msg_2", "msg_3"]
    found = program.store.get(goal.id)
    assert (found.tokens_used, found.usage.input_tokens, found.estimated_lines) == (2**53 - 1, 2**53 - 1, 0)
    assert (found.status, found.reason) == (telic.GoalStatus.PAUSED, telic.Reason.FAILED)
    said = [event.data["reported"] for event in program.store.events(goal.id) if event.kind == "usage_clipped"]
    assert max(int(amounts.get("input_tokens", 0)) for amounts in said) >= counts[0] - 1


@odd_counts
@on_hosts("codex")
def test_an_odd_record_of_codex_is_an_estimate(program: HostProgram, count: Any) -> None:
    """Also where the thread's sum is odd as well, which comes again in the report that follows."""
    goal = program.goal()
    both = ("usage", "thread_token_usage")
    write(program.transcript, codex_meta("a"), codex_record("a", "r1", 1_000, 1_000), codex_count(1_000, 1_000))
    write(
        program.transcript, codex(codex_record("a", "r2", 1_000, 2_000), ("usage",), count), codex_count(2_000, 1_000)
    )
    write(program.transcript, codex(codex_record("a", "r3", 1_000, 3_000), both, count))
    write(program.transcript, codex(codex_count(3_000, 1_000), ("total_token_usage", "last_token_usage"), count))
    program.call("stop")
    write(program.transcript, codex(codex_record("a", "r4", 1_000, 4_000), both[1:], count), codex_count(4_000, 1_000))
    program.call("stop")
    assert told(program, goal) == {"r1": 1_000, "r2": None, "r3": None, "r4": 1_000}


@odd_counts
@on_hosts("codex")
def test_an_odd_sum_of_codex_is_one_estimate(program: HostProgram, count: Any) -> None:
    """It is written again after each call of a tool; the next sum holds what it used."""
    goal = program.goal()
    parts = ("total_token_usage", "last_token_usage")
    odd = [codex(codex_count(2_000, 1_000), parts, count) for _ in range(2)]
    write(program.transcript, codex_meta("a"), codex_count(1_000, 1_000), *odd)
    program.call("stop")
    write(program.transcript, odd[0], codex_count(3_000, 1_000), codex_count(4_000, 1_000))
    program.call("stop")
    found = program.store.get(goal.id)
    assert (found.usage.turns, found.usage.tokens, found.estimated_lines) == (4, 4_000, 1)


@on_hosts("codex")
def test_a_record_of_codex_without_an_id_is_counted_by_the_sum(program: HostProgram) -> None:
    goal = program.goal()
    nameless = codex_record("a", "r1", 1_000, 1_000)
    del nameless["payload"]["response_id"]
    write(program.transcript, codex_meta("a"), nameless, codex_count(1_000, 1_000))
    program.call("stop")
    assert program.store.get(goal.id).usage.tokens == 1_000


@odd_counts
@on_hosts("gemini")
def test_an_odd_count_of_gemini_is_an_estimate(program: HostProgram, count: Any) -> None:
    goal = program.goal()
    odd = gemini_message("m2")
    odd["tokens"]["input"] = count
    write(program.transcript, gemini_message("m1"), odd, gemini_message("m3"))
    program.call("stop")
    assert told(program, goal) == {"m1": 1_100, "m2": None, "m3": 1_100}


@pytest.mark.parametrize("count", [1000.5, -5, "twelve", None, b"12"], ids=str)
@on_hosts("copilot", "goose")
def test_an_odd_count_in_a_row_is_an_estimate(program: HostProgram, count: Any) -> None:
    goal = program.goal()
    call = copilot_call if program.name == "copilot" else goose_call
    for tokens in (1_000, count, 1_000):
        call(program.database, program.session, tokens=tokens)
    program.call("stop")
    assert [None if line.is_estimate else line.usage.tokens for line in lines(program, goal)] == [1_050, None, 1_050]
