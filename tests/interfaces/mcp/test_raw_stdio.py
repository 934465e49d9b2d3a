"""Standard input and output under clients that misbehave, die, or kill the server."""

import json
import signal
import time
from pathlib import Path

import apsw
import pytest

import telic
from tests.interfaces.mcp.clients import HANDSHAKE, RawStdio, call
from tests.interfaces.running import until


@pytest.fixture
def place(tmp_path: Path) -> str:
    return str(tmp_path / "goals.db")


def _is_json(output: bytes) -> bool:
    return all("jsonrpc" in json.loads(line) for line in output.splitlines())


def test_a_message_that_is_cut_off_does_nothing_and_those_before_it_are_answered(place: str) -> None:
    """All of them come in one write, with the end of the input right behind."""
    with telic.connect(place) as store:
        goal = store.create("Move billing")
        with RawStdio(place) as raw:
            whole = [*HANDSHAKE, call(1, "get_goal"), call(2, "report_progress", goal_id=goal.id, output_tokens=5)]
            cut_off = json.dumps(call(3, "report_progress", goal_id=goal.id, output_tokens=900))[:-20]
            raw.write(("".join(json.dumps(message) + "\n" for message in whole) + cut_off).encode())
            output, errors = raw.end()
        answers = [json.loads(line) for line in output.splitlines()]
        assert sorted(answer["id"] for answer in answers) == [0, 1, 2]
        assert (errors, store.get(goal.id).usage.tokens) == (b"", 5)


def test_garbage_costs_nothing_but_itself(place: str) -> None:
    """No bytes, no text, no depth and no length of a line ends the server, or is answered as a call."""
    with telic.connect(place) as store:
        goal = store.create("Move billing")
        with RawStdio(place) as raw:
            raw.shake_hands()
            raw.write(b"\xff\xfe\x00garbage\n\n{}\n[]\nnull\n" + b"[" * 100_000 + b"\n")
            raw.write(b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"x":"' + b"x" * 10_000_000 + b'"}}\n')
            answer = raw.ask(call(8, "get_goal"))
            assert answer["structuredContent"]["goal"]["id"] == goal.id
            turn = call(9, "report_progress", goal_id=goal.id, key="a")
            raw.send(turn, turn)
            assert [raw.read()["id"] for _ in range(2)] == [9, 9]
            output, _ = raw.end()
            assert _is_json(output)
        assert store.get(goal.id).usage.turns == 1


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, *(pytest.param(each, marks=pytest.mark.long) for each in (signal.SIGINT, signal.SIGHUP))]
)
def test_a_signal_ends_it_cleanly_while_it_waits_for_input(place: str, number: signal.Signals) -> None:
    with RawStdio(place) as raw:
        raw.shake_hands()
        raw.process.send_signal(number)
        assert raw.process.wait(240) == 0
        assert raw.process.stderr is not None
        assert raw.process.stderr.read() == b""


def test_a_client_that_went_away_is_no_failure(place: str) -> None:
    """It reads no more, though it may still write: the server ends, and says nothing of it."""
    with RawStdio(place) as raw:
        raw.shake_hands()
        assert raw.process.stdout is not None
        raw.process.stdout.close()
        raw.send(call(1, "get_goal"), call(2, "get_goal"))
        assert raw.process.wait(240) == 0
        assert raw.process.stderr is not None
        assert raw.process.stderr.read() == b""


def test_a_turn_killed_in_mid_call_and_retried_with_its_key_counts_once(place: str) -> None:
    """At whatever moment it was killed: before it was written, waiting for the database, or after the commit."""
    with telic.connect(place) as store:
        goal = store.create("Move billing")
    turns = [call(1, "report_progress", goal_id=goal.id, output_tokens=10, key=f"turn-{n}") for n in range(3)]
    for turn, seconds in zip(turns, (0.0, 0.005, None), strict=True):
        with RawStdio(place) as raw:
            raw.shake_hands()
            blocker = None if seconds is not None else _holding_the_database(place)
            raw.send(turn)
            time.sleep(0.3 if seconds is None else seconds)
            raw.process.kill()
            raw.process.wait()
            if blocker is not None:
                blocker.close()
    with RawStdio(place) as raw:
        raw.shake_hands()
        for turn in [*turns, *turns]:
            assert raw.ask(turn)["structuredContent"]["outcome"] == "recorded"
    with telic.connect(place) as store:
        assert (store.get(goal.id).usage.turns, store.get(goal.id).usage.tokens) == (3, 30)


def _holding_the_database(place: str) -> apsw.Connection:
    """A writer in another way than Telic's, in the middle of its transaction."""
    connection = apsw.Connection(place)
    connection.execute("BEGIN IMMEDIATE")
    return connection


def test_a_goal_killed_in_mid_call_and_retried_with_its_key_is_there_once(place: str) -> None:
    """Creation, and completion by a server that has shown nothing yet: the key is enough, and the revision."""
    create = call(1, "create_goal", text="Move billing", key="creation")
    with RawStdio(place, "--allow-create") as raw:
        raw.shake_hands()
        raw.send(create)
        with telic.connect(place) as store:
            until(lambda: bool(store.list().goals))
        raw.process.kill()
    with RawStdio(place, "--allow-create") as raw:
        raw.shake_hands()
        goal = raw.ask(create)["structuredContent"]["goal"]
        complete = call(2, "report_complete", summary="done", revision=goal["revision"], key="completion")
        raw.send(complete)
        with telic.connect(place) as store:
            until(lambda: store.get(goal["id"]).is_finished)
        raw.process.kill()
    with RawStdio(place, "--allow-create") as raw:
        raw.shake_hands()
        again = raw.ask(complete)
        assert (again["isError"], again["structuredContent"]["goal"]["status"]) == (False, "completed")
    with telic.connect(place) as store:
        (only,) = store.list().goals
        assert [event.kind.value for event in store.events(only.id)] == ["created", "completed"]
