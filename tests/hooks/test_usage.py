"""Usage is read from growing, repeated, cut and huge transcripts, and each response is counted once."""

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import telic
from telic.integrations.hosts.billing import SessionBilling
from telic.integrations.hosts.session_goal import HOSTS
from telic.integrations.hosts.session_state import load_memory
from tests.hooks.conftest import HostProgram, going_on, on_hosts
from tests.hooks.transcripts import (
    assistant,
    codex_count,
    codex_id,
    codex_meta,
    codex_record,
    codex_turn,
    stamp,
    step,
    user,
    with_steps,
    write,
)


def used(program: HostProgram, goal: telic.Goal) -> telic.Usage:
    return program.store.get(goal.id).usage


def forget(program: HostProgram) -> None:
    """What is remembered between calls is lost."""
    for file in (program.state / "hooks").iterdir():
        file.unlink()


def test_a_transcript_that_grows_is_counted_as_it_grows(program: HostProgram) -> None:
    """Cached input is a part of the input; the lines of one response count once, as the last has it."""
    goal = program.goal()
    write(program.transcript, user())
    write(program.transcript, assistant("msg_1", "thinking", output=1, stop=None), assistant("msg_1", output=50))
    program.call("stop", "working")
    usage = used(program, goal)
    assert (usage.turns, usage.tokens) == (1, 1_050)
    assert (usage.input_tokens, usage.cached_input_tokens, usage.output_tokens) == (1_000, 900, 50)
    write(program.transcript, assistant("msg_2", output=150))
    program.call("prompt")
    assert used(program, goal).tokens == 2_200
    assert [turn.key for turn in program.store.turns(goal.id)] == ["claude-code/msg_1", "claude-code/msg_2"]
    assert {turn.model for turn in program.store.turns(goal.id)} == {"claude-opus-5"}


def test_a_response_still_being_written_waits(program: HostProgram) -> None:
    """Its first lines have a part of its usage; it counts when its last line is there, or the model has stopped."""
    goal = program.goal()
    write(program.transcript, assistant("msg_1", output=1, stop=None))
    program.call("pre_compact")
    assert used(program, goal).turns == 0
    write(program.transcript, assistant("msg_1", output=70))
    program.call("pre_compact")
    assert used(program, goal).output_tokens == 70
    write(program.transcript, assistant("msg_2", "the last words", output=9, stop=None))
    program.call("stop", "other words")
    assert used(program, goal).turns == 1
    program.call("stop", "the last words")
    assert used(program, goal).turns == 2
    write(program.transcript, assistant("msg_3", output=9, stop=None))
    program.call("session_end")
    assert used(program, goal).turns == 3


def test_half_a_line_waits_for_its_other_half(program: HostProgram) -> None:
    goal = program.goal()
    line = json.dumps(assistant("msg_1")) + "\n"
    write(program.transcript, user())
    with program.transcript.open("a") as file:
        file.write(line[:100])
        file.flush()
        program.call("stop")
        assert used(program, goal).turns == 0
        file.write(line[100:])
    program.call("stop")
    program.call("stop")
    assert used(program, goal).turns == 1


def test_calls_at_the_same_time_count_once(program: HostProgram) -> None:
    """As where the hook is configured for the user and for the project."""
    goal = program.goal()
    write(program.transcript, *(assistant(f"msg_{number}") for number in range(30)))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: _quiet(program), range(4)))
    assert used(program, goal).turns == 30
    assert program.log == ""


def _quiet(program: HostProgram) -> None:
    program.send(json.dumps(program.payload("pre_compact")).encode())


@pytest.mark.parametrize("loses_memory", [False, True])
def test_nothing_counts_twice_after_truncation_compaction_and_rewriting(
    program: HostProgram, loses_memory: bool
) -> None:
    """Whatever becomes of the file, and with or without the memory of how far it was read."""
    goal = program.goal()
    first = [assistant(f"msg_{number}") for number in range(5)]
    write(program.transcript, *first)
    program.call("stop")
    assert used(program, goal).turns == 5
    for lines in ([first[-1]], [user("a summary"), *first[3:]], [], [*first, assistant("msg_5")]):
        program.transcript.write_text("")
        write(program.transcript, *lines)
        if loses_memory:
            forget(program)
        program.call("stop")
    assert used(program, goal).turns == 6
    program.transcript.unlink()
    program.call("stop")
    assert used(program, goal).turns == 6
    assert program.log == ""


def test_a_fork_repeats_what_was_counted(program: HostProgram) -> None:
    """Another session of the folder's goal, whose transcript begins with the first one's."""
    program.options = ["--scope", "folder"]
    goal = program.store.create("of the folder", scope=f"folder:{program.folder.resolve()}")
    lines = [assistant(f"msg_{number}") for number in range(3)]
    write(program.transcript, *lines)
    program.call("stop")
    fork = program.transcript.with_name("fork.jsonl")
    write(fork, *lines, assistant("msg_of_the_fork"))
    program.call("stop", session_id="another", transcript_path=str(fork))
    assert used(program, goal).turns == 4


def test_what_was_consumed_before_the_goal_is_not_its(program: HostProgram) -> None:
    """Neither before it was made, nor while it rested; what a turn consumes until it has noticed its stop is."""
    write(program.transcript, assistant("before", after=-60))
    goal = program.goal()
    write(program.transcript, assistant("first"))
    program.call("stop")
    assert used(program, goal).turns == 1
    write(program.transcript, assistant("while it was paused"))
    program.store.pause(goal.id)
    program.call("stop")
    assert used(program, goal).turns == 2
    write(program.transcript, assistant("resting"))
    program.call("stop")
    time.sleep(0.01)
    program.store.resume(goal.id)
    time.sleep(0.01)
    write(program.transcript, assistant("again"))
    program.call("stop")
    assert [turn.key for turn in program.store.turns(goal.id)] == [
        "claude-code/first",
        "claude-code/while it was paused",
        "claude-code/again",
    ]


def test_the_next_goal_does_not_pay_for_the_former_one(program: HostProgram) -> None:
    """A turn's usage goes to the goal that it worked on."""
    former = program.goal("the former")
    program.call("prompt")
    write(program.transcript, assistant("msg_1"))
    following = program.goal("the next")
    program.call("stop")
    write(program.transcript, assistant("msg_2"))
    program.call("stop")
    assert [turn.key for turn in program.store.turns(former.id)] == ["claude-code/msg_1"]
    assert [turn.key for turn in program.store.turns(following.id)] == ["claude-code/msg_2"]


def test_sub_agents_are_billed_as_such(program: HostProgram) -> None:
    """From their own files and from marked lines; they are no turns, and their end keeps nothing going."""
    goal = program.goal()
    write(program.transcript, assistant("msg_1"), assistant("side_1", side=True))
    write(program.sub_transcript, assistant("side_2", side=True), assistant("side_3", side=True, stop=None))
    assert program.call("sub_agent_stop") is None
    usage = used(program, goal)
    assert (usage.turns, usage.tokens) == (1, 4 * 1_050)
    kinds = {turn.key: turn.kind for turn in program.store.turns(goal.id)}
    assert kinds["claude-code/msg_1"] is telic.UsageKind.WORK
    assert {kinds[f"claude-code/side_{number}"] for number in (1, 2, 3)} == {telic.UsageKind.SUB_AGENT}
    write(program.sub_transcript, assistant("side_4", side=True))
    program.call("stop")
    assert used(program, goal).tokens == 5 * 1_050


def test_sub_agents_count_however_deep_their_files_lie(program: HostProgram) -> None:
    """A workflow keeps those that it starts in folders of its own, hundreds of them."""
    goal = program.goal()
    write(program.transcript, assistant("msg_1"))
    folder = program.sub_transcript.parent
    for number in range(300):
        place = folder / "workflows" / f"wf_{number % 3}" / f"round-{number % 2}" / f"agent-{number}.jsonl"
        write(place, assistant(f"deep_{number}", side=True))
    write(folder / "workflows" / "wf_0" / "journal.jsonl", {"type": "started", "usage": "assistant"})
    for _ in range(60):
        program.call("stop")
        if used(program, goal).tokens == 301 * 1_050:
            break
    assert used(program, goal).tokens == 301 * 1_050
    assert used(program, goal).turns == 1
    assert program.log == ""


def test_what_a_responses_own_usage_leaves_out_is_billed_beside_it(program: HostProgram) -> None:
    """An advisor's answer under the advisor's name, a summary as a tool's; no other step counts twice."""
    goal = program.goal()
    advised = with_steps(
        assistant("msg_1", output=150),
        step("message", 1_000, 100),
        step("advisor_message", 50_000, 2_000, model="claude-fable-5"),
        step("message", 0, 50),
    )
    compacted = with_steps(assistant("msg_2"), step("compaction", 7_000, 300), step("message", 1_000, 50))
    several = with_steps(assistant("msg_3", output=90), step("message", 1_000, 40), step("message", 1_100, 50))
    whole = with_steps(assistant("msg_4", output=60), step("advisor_message", 900, 10), step("message", 100, 50))
    write(program.transcript, advised, compacted, several, whole)
    program.call("stop")
    turns = {turn.key: (turn.kind, turn.model, turn.usage.tokens) for turn in program.store.turns(goal.id)}
    work, side, tool = telic.UsageKind.WORK, telic.UsageKind.SUB_AGENT, telic.UsageKind.TOOL
    assert turns == {
        "claude-code/msg_1": (work, "claude-opus-5", 1_150),
        "claude-code/msg_1/beside-1": (side, "claude-fable-5", 52_000),
        "claude-code/msg_2": (work, "claude-opus-5", 1_050),
        "claude-code/msg_2/beside-1": (tool, "claude-opus-5", 7_300),
        "claude-code/msg_3": (work, "claude-opus-5", 2_190),
        "claude-code/msg_4": (work, "claude-opus-5", 1_060),
    }
    assert used(program, goal).turns == 4


def test_the_answered_part_of_an_interrupted_turn_is_billed(program: HostProgram) -> None:
    """No stop is reported then; the next prompt, or the session's end, reads it."""
    goal = program.goal()
    program.call("prompt")
    write(program.transcript, assistant("msg_1", stop="tool_use"), user("[Request interrupted by user]"))
    program.call("prompt")
    assert used(program, goal).turns == 1
    write(program.transcript, assistant("msg_2", stop="tool_use"), user("[Request interrupted by user]"))
    program.call("session_end")
    assert used(program, goal).turns == 2


def test_lines_that_say_nothing_of_usage_are_passed_over(program: HostProgram) -> None:
    """What Claude Code says itself, broken JSON, and lines without a message or its usage."""
    goal = program.goal()
    write(program.transcript, assistant("msg_1", model="<synthetic>"))
    write(program.transcript, {"type": "assistant"}, {"type": "assistant", "message": "usage"})
    with program.transcript.open("ab") as file:
        file.write(b'{"type":"assistant","message":{"usage"\n\xff\xfe"assistant""usage"\n[[["assistant","usage"]]]\n')
    write(program.transcript, assistant("msg_4"))
    program.call("stop")
    assert [turn.key for turn in program.store.turns(goal.id)] == ["claude-code/msg_4"]


def test_a_response_in_the_goals_first_millisecond_is_the_goals(program: HostProgram) -> None:
    """Hosts cut their times off to milliseconds, and the store keeps microseconds."""
    goal = program.goal()
    told = assistant("first"), assistant("before")
    for line, milliseconds in zip(told, (goal.created_at // 1_000, goal.created_at // 1_000 - 1), strict=True):
        instant = datetime.fromtimestamp(milliseconds / 1_000, UTC)
        line["timestamp"] = instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    write(program.transcript, *told)
    program.call("stop")
    assert [turn.key for turn in program.store.turns(goal.id)] == ["claude-code/first"]


def test_a_budget_that_is_reached_stops_the_session(program: HostProgram) -> None:
    goal = program.goal(token_budget=2_000)
    write(program.transcript, assistant("msg_1"), assistant("msg_2"), assistant("msg_3"))
    answer = program.call("stop")
    assert answer is None or answer.keys() == {"systemMessage"}
    after = program.store.get(goal.id)
    assert (after.reason, after.usage.turns) == (telic.Reason.BUDGET, 3)


def test_a_huge_transcript_delays_nobody(program: HostProgram) -> None:
    """Each call is answered, and reads on where the one before ended; an endless line does no harm."""
    goal = program.goal()
    padding = "x" * 100_000
    with program.transcript.parent.mkdir(parents=True) or program.transcript.open("w") as file:
        for number in range(2_000):
            file.write(json.dumps({"type": "user", "message": {"content": padding}}) + "\n")
            file.write(json.dumps(assistant(f"msg_{number}")) + "\n")
        file.write('{"type":"assistant","usage":"' + "y" * (40 * 1024 * 1024) + '"}\n')
        file.write(json.dumps(assistant("the last")) + "\n")
    while used(program, goal).turns < 2_001:
        program.call("prompt")
    assert "no answer" not in program.log


def test_a_step_of_reading_begins_only_while_there_is_time(program: HostProgram) -> None:
    """A call whose time is over ends after the step that it is in; the next goes on there."""
    goal = program.goal()
    lines = [line for number in range(6) for line in (assistant(f"msg_{number}"), user("x" * 600_000))]
    write(program.transcript, *lines)
    host = HOSTS["claude-code"]
    notice = host.read(program.payload("prompt"), {})
    assert notice is not None
    turns = []
    while not turns or turns[-1] < 6:
        memory = load_memory(program.state, host.name, program.session)
        SessionBilling(program.store, host, program.scope, memory, time.monotonic(), print, {}).settle(notice)
        memory.save()
        turns.append(used(program, goal).turns)
    assert turns == [2, 4, 6]


def test_a_pipe_instead_of_a_transcript_makes_nobody_wait(program: HostProgram) -> None:
    program.goal()
    program.transcript.parent.mkdir(parents=True)
    os.mkfifo(program.transcript)
    assert program.stop()


THREAD = "019a9775-ef93-7c41-ae1f-a37beed9aaf2"


@on_hosts("codex")
def test_codex_reports_sums_of_which_each_share_counts_once(program: HostProgram) -> None:
    """Repeated reports add nothing, with and without memory; a resumed thread goes on."""
    goal = program.goal()
    context = {"timestamp": stamp(), "type": "turn_context", "payload": {"model": "gpt-5.6-codex"}}
    write(program.transcript, codex_meta(THREAD), context, codex_count(1_000, 1_000), codex_count(1_000, 1_000))
    program.call("stop")
    write(program.transcript, codex_count(3_000, 2_000))
    program.call("prompt")
    forget(program)
    write(program.transcript, codex_count(3_000, 2_000), codex_count(3_500, 500))
    program.call("stop")
    usage = used(program, goal)
    assert (usage.turns, usage.tokens) == (3, 3_500)
    assert (usage.input_tokens, usage.cached_input_tokens) == (3_150, 1_575)
    assert {turn.model for turn in program.store.turns(goal.id)} == {"gpt-5.6-codex"}


@on_hosts("codex")
def test_a_goal_in_a_thread_that_had_worked_before_pays_for_its_own(program: HostProgram) -> None:
    """Though each report is of the whole thread."""
    write(program.transcript, codex_meta(THREAD, after=-90), codex_count(500_000, 9_000, after=-60))
    goal = program.goal()
    write(program.transcript, codex_count(501_000, 1_000))
    program.call("stop")
    assert used(program, goal).tokens == 1_000


@on_hosts("codex")
def test_a_forked_thread_does_not_pay_for_its_parents_copied_reports(program: HostProgram) -> None:
    """They are written anew, with the time of the fork."""
    program.options = ["--scope", "folder"]
    goal = program.store.create("of the folder", scope=f"folder:{program.folder.resolve()}")
    time.sleep(0.01)
    fork = codex_meta("child", after=2, forked_from_id="parent")
    write(program.transcript, fork, codex_meta("parent"), codex_count(700_000, 700_000), codex_count(800_000, 100_000))
    program.call("session_start")
    write(program.transcript, codex_count(801_000, 1_000, after=30))
    program.call("stop")
    assert used(program, goal).tokens == 1_000
    assert [turn.key.split("/")[1] for turn in program.store.turns(goal.id)] == ["child"]


@pytest.mark.parametrize("calls", ["one", "each"])
@pytest.mark.parametrize("order", ["late", "all late", "mixed", "without sums"])
@on_hosts("codex")
def test_a_codex_record_counts_once_also_after_its_sum(program: HostProgram, order: str, calls: str) -> None:
    """Whichever stands first in the file, and whether or not a hook was called in between."""
    goal = program.goal()
    responses = (("r1", 1_000, 1_000), ("r2", 1_000, 2_000), ("r3", 400, 2_400))
    lines_of = {
        name: (codex_record(THREAD, name, used, so_far), codex_count(so_far, used)) for name, used, so_far in responses
    }
    if order == "without sums":
        for record, _ in lines_of.values():
            del record["payload"]["thread_token_usage"]
    written = [line for record, count in lines_of.values() for line in (count, record)]
    if order == "all late":
        written = [count for _, count in lines_of.values()] + [record for record, _ in lines_of.values()]
    if order == "mixed":
        written[2:4] = written[3:1:-1]
    write(program.transcript, codex_meta(THREAD), codex_turn("a turn"))
    for line in written:
        write(program.transcript, line)
        if calls == "each":
            program.call("stop")
    program.call("stop")
    write(program.transcript, codex_record(THREAD, "r4", 100, 2_500), codex_count(2_500, 100))
    program.call("stop")
    found = program.store.get(goal.id)
    assert (found.tokens_used, found.turns_used, found.estimated_lines) == (2_500, 4, 0)


@on_hosts("codex")
def test_codex_records_of_single_responses_are_exact(program: HostProgram) -> None:
    """The sum that follows each adds nothing, copies of another thread's are not its own, and a sum may fall to 0."""
    goal = program.goal()
    write(program.transcript, codex_meta(THREAD), codex_turn("a turn"), codex_record("another", "r0", 900, 900))
    write(program.transcript, codex_count(900, 900))
    write(program.transcript, codex_record(THREAD, "r1", 1_000, 1_900), codex_count(1_900, 1_000))
    write(program.transcript, codex_record(THREAD, "r1", 1_000, 1_900))
    program.call("stop")
    forget(program)
    write(program.transcript, codex_count(0, 0), codex_record(THREAD, "r2", 2_000, 2_000), codex_count(2_000, 2_000))
    program.call("stop")
    turns = [(turn.key, turn.usage.tokens, turn.model) for turn in program.store.turns(goal.id)]
    assert turns == [(f"codex/{THREAD}/r{n}", n * 1_000, "gpt-5.6-codex") for n in (1, 2)]


@on_hosts("codex")
def test_a_sum_that_began_anew_after_an_overflow_is_counted_from_0(program: HostProgram) -> None:
    """Codex sets it to 0 there; what came before is not taken off what comes after, even where both are equal."""
    goal = program.goal()
    write(
        program.transcript, codex_meta(THREAD), codex_count(2_000, 2_000), codex_count(0, 0), codex_count(3_000, 3_000)
    )
    program.call("stop")
    write(program.transcript, codex_count(0, 0), codex_count(3_000, 3_000), codex_count(3_000, 3_000))
    program.call("stop")
    assert used(program, goal).tokens == 8_000
    forget(program)
    program.call("stop")
    assert used(program, goal).tokens == 8_000


def _copied(thread: str, turns: list[str], seconds: float) -> list[dict[str, Any]]:
    """A parent's reports, copied into a fork over so many seconds."""
    lines = [codex_meta(thread, after=2, forked_from_id="parent"), codex_meta("parent", after=2)]
    for number, turn in enumerate(turns, 1):
        after = 2 + seconds * number / len(turns)
        lines += [codex_turn(turn, after=after), codex_count(100_000 * number, 100_000, after=after)]
    return lines


@on_hosts("codex")
@pytest.mark.parametrize("tells", ["ids", "payload", "pause"])
def test_a_fork_does_not_pay_for_a_copy_however_long_it_took_to_write(program: HostProgram, tells: str) -> None:
    """Turns older than their thread were copied, and the turn that a hook names was not; else a pause tells."""
    program.options = ["--scope", "folder"]
    goal = program.store.create("of the folder", scope=f"folder:{program.folder.resolve()}")
    made = goal.created_at // 1_000
    thread = codex_id(made + 2_000) if tells == "ids" else "child"
    turns = [codex_id(made - 60_000 + number) for number in range(7)] if tells == "ids" else [*"abcdefg"]
    own = codex_id(made + 2_001) if tells == "ids" else "h"
    copying_seconds, own_at = {"ids": (60.0, 62.0), "payload": (60.0, 62.0), "pause": (6.0, 12.0)}[tells]
    write(program.transcript, *_copied(thread, turns, copying_seconds))
    write(program.transcript, codex_turn(own, after=own_at), codex_count(700_330, 330, after=own_at))
    more = {"turn_id": "h"} if tells == "payload" else {}
    program.call("stop", **more)
    assert used(program, goal).tokens == 330
    write(program.transcript, codex_count(701_330, 1_000, after=own_at + 1))
    program.call("stop", **more)
    assert used(program, goal).tokens == 1_330


@on_hosts("codex")
def test_a_forks_first_report_may_tell_its_parents_sum(program: HostProgram) -> None:
    """It names nothing as its last response, or says nothing of it; what follows is the fork's."""
    program.options = ["--scope", "folder"]
    goal = program.store.create("of the folder", scope=f"folder:{program.folder.resolve()}")
    write(program.transcript, codex_meta("child", after=1, forked_from_id="parent"), codex_count(5_000_000, 0, after=9))
    write(program.transcript, codex_count(5_000_330, 330, after=10))
    program.call("stop")
    assert used(program, goal).tokens == 330
    silent = codex_count(5_000_000, 0, after=9)
    del silent["payload"]["info"]["last_token_usage"]
    other = program.transcript.with_name("other.jsonl")
    write(other, codex_meta("other", after=1, forked_from_id="parent"), silent, codex_count(5_000_070, 70, after=10))
    program.call("stop", session_id="other", transcript_path=str(other))
    assert used(program, goal).tokens == 400


@on_hosts("codex")
def test_a_sub_agent_that_was_given_its_parents_history_pays_for_its_own(program: HostProgram) -> None:
    """Its file begins with its parent's turns, which are older than itself."""
    goal = program.goal()
    made = goal.created_at // 1_000
    thread, parent = codex_id(made + 50), codex_id(made + 10)
    spawned = {"subagent": {"thread_spawn": {"parent_thread_id": parent}}}
    write(program.transcript, codex_meta(parent), codex_turn(codex_id(made + 20)), codex_count(600, 600))
    write(program.sub_transcript, codex_meta(thread, parent_thread_id=parent, source=spawned))
    write(program.sub_transcript, codex_turn(codex_id(made + 20)), codex_count(600, 600))
    write(program.sub_transcript, codex_turn(codex_id(made + 60)), codex_count(1_000, 400))
    program.call("sub_agent_stop")
    assert used(program, goal).tokens == 1_000
    assert [turn.kind for turn in program.store.turns(goal.id)] == [telic.UsageKind.WORK, telic.UsageKind.SUB_AGENT]


@on_hosts("codex")
def test_a_sub_agent_without_a_stop_of_its_own_is_billed_with_its_session(program: HostProgram) -> None:
    """Its file is known by its first line; another session's is left alone, and so is one that cannot be read."""
    goal = program.goal()
    days = program.folder.parent / "home" / ".codex" / "sessions" / "2026"

    def rollout(day: str, thread: str, session: str) -> Path:
        path = days / day / f"rollout-2026-{day.replace('/', '-')}T02-35-15-{thread}.jsonl"
        write(path, codex_meta(thread, session_id=session), codex_turn("a turn"), codex_record(thread, "r1", 400, 400))
        return path

    own = rollout("11/28", "a-thread", program.session)
    rollout("11/28", "b-helper", program.session)
    rollout("11/29", "a-helper", program.session)
    rollout("11/29", "b-stranger", "another")
    rollout("11/27", "a-stranger", program.session)
    (days / "11/29" / "rollout-none.jsonl").mkdir()
    program.call("stop", transcript_path=str(own))
    program.call("stop", transcript_path=str(own))
    kinds = {turn.key.split("/")[1]: turn.kind for turn in program.store.turns(goal.id)}
    side = telic.UsageKind.SUB_AGENT
    assert kinds == {"a-thread": telic.UsageKind.WORK, "b-helper": side, "a-helper": side}
    assert used(program, goal).tokens == 1_200


def test_the_memory_may_hold_anything(program: HostProgram) -> None:
    """What cannot be understood there is as good as nothing."""
    goal = program.goal()
    write(program.transcript, assistant("msg_1"))
    program.call("stop")
    (memory,) = (program.state / "hooks").iterdir()
    for content in ("", "{", "[]", '{"goal_id": 7, "bookmarks": {"x": 1}}', '{"continuations": -1}', "null"):
        memory.write_text(content)
        assert program.call("prompt") is not None
    assert used(program, goal).turns == 1
    assert Path(memory).stat().st_mode & 0o077 == 0


def test_a_budget_of_money_holds_in_a_session(program: HostProgram) -> None:
    """Each response is priced by its model, what was written to the cache by that price; the session stops then."""
    goal = program.goal(budget=telic.Budget(cost_microunits=2_000))
    write(program.transcript, assistant("msg_1", model="claude-sonnet-4-5"))
    assert "in money" in program.stop("working")
    assert used(program, goal).cost_microunits == 30 + 270 + 338 + 750
    write(program.transcript, assistant("msg_2", model="claude-sonnet-4-5"))
    assert program.stop("working") == ""
    assert program.store.get(goal.id).reason is telic.Reason.BUDGET


@pytest.mark.parametrize("moment", ["prompt", "stop"])
def test_a_budget_of_money_that_nobody_can_measure_is_told_once(program: HostProgram, moment: str) -> None:
    """The session is not kept going, and its tokens count."""
    goal = program.goal(budget=telic.Budget(cost_microunits=10_000))
    write(program.transcript, assistant("msg_1", model="no-such-model"))
    program.call("pre_compact")
    answer = program.call(moment)
    assert "the goal has a budget of money, but the price of" in answer["systemMessage"]
    assert "no-such-model" in answer["systemMessage"]
    assert going_on(answer) == ""
    left = program.store.get(goal.id)
    assert (left.reason, left.tokens_used) == (telic.Reason.FAILED, 1_050)
    assert program.call(moment) is None
    program.store.resume(goal.id, budget=telic.Budget())
    write(program.transcript, assistant("msg_2", model="no-such-model"))
    assert program.stop("working")
