"""`telic watch` as a process of its own: what others commit, and how it ends."""

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import telic
from tests.interfaces.shell import TELIC, Shell


@contextmanager
def watching(store: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A `telic watch` that has begun to look; it is ended with the test."""
    process = subprocess.Popen(
        [TELIC, "watch", "--store", store, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def next_line(process: subprocess.Popen[str]) -> str:
    """The next line that the process prints, however long that takes: the test has a time-out."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, "it has ended"
    return line


def begun(store: str) -> str:
    """The cursor from which everything that follows is seen."""
    with telic.connect(store) as opened:
        return opened.cursor()


@pytest.fixture
def place(location: str) -> str:
    """A store on each database, its first goal there."""
    with telic.connect(location) as store:
        store.create("before")
    return location


def test_each_event_of_another_process_is_a_line(place: str) -> None:
    """Each event that another process commits is one flushed line; scopes are kept apart."""
    with watching(place, "--json", "--after", begun(place)) as process:
        other = Shell(place)
        other("create", "elsewhere", "--scope", "other")
        goal = other.json("create", "here", "--replace")
        line: dict[str, Any] = json.loads(next_line(process))
        while line["event"]["kind"] != "created":
            line = json.loads(next_line(process))
        assert list(line) == ["cursor", "scope", "event"]
        assert (line["event"]["goal_id"], line["scope"]) == (goal["id"], "default")
        other("pause", goal["id"], "--note", "tea")
        while (line["event"]["goal_id"], line["event"]["kind"]) != (goal["id"], "paused"):
            line = json.loads(next_line(process))
        assert line["event"]["data"]["note"] == "tea"
        assert process.poll() is None


def test_ctrl_c_tells_where_to_go_on(place: str) -> None:
    """Exit code 130, the cursor on standard error, and from there nothing is lost or told twice."""
    with telic.connect(place) as store, watching(place, "--all-scopes", "--json", "--after", store.cursor()) as process:
        store.create("one", scope="a")
        assert json.loads(next_line(process))["scope"] == "a"
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=240)
        assert (process.returncode, rest) == (130, "")
        cursor = json.loads(errors)["cursor"]
        store.create("two", scope="b")
    with watching(place, "--all-scopes", "--json", "--after", cursor) as process:
        assert json.loads(next_line(process))["scope"] == "b"


def test_without_json_the_cursor_is_a_hint(place: str) -> None:
    """Nothing came, and still it can be continued; a person reads what is watched."""
    with watching(place, "--after", begun(place)) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "hint: watching scope default; Ctrl-C ends it\n"
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=240)
    assert (process.returncode, output) == (130, "")
    assert errors.startswith("hint: go on with --after ")
    cursor = errors.split()[-1]
    with telic.connect(place) as store:
        assert len(store.events(after=cursor)) == 0


def test_a_killed_watcher_goes_on_after_its_last_line(place: str) -> None:
    """Each line carries its cursor, so even `kill -9` loses nothing."""
    with telic.connect(place) as store, watching(place, "--all-scopes", "--json", "--after", store.cursor()) as process:
        for number in range(5):
            store.create(f"goal {number}", scope=f"scope {number}")
        seen = [json.loads(next_line(process)) for _ in range(3)]
        process.kill()
        process.wait(timeout=240)
        again = list(store.watch(after=seen[-1]["cursor"], idle_seconds=0.2))
    assert [line["scope"] for line in seen] + [event.scope for event in again] == [f"scope {n}" for n in range(5)]


def test_a_closed_pipe_ends_it_quietly(place: str) -> None:
    """`telic watch | head -1`: the next event finds nobody who reads, and that is no failure."""
    with telic.connect(place) as store, watching(place, "--all-scopes", "--after", store.cursor()) as process:
        store.create("one", scope="a")
        assert "created" in next_line(process)
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
        store.create("two", scope="b")
        assert process.wait(timeout=240) == 0
        assert process.stderr is not None
        assert process.stderr.read() == "hint: watching every scope; Ctrl-C ends it\n"


def test_it_ends_when_nothing_comes(shell: Shell) -> None:
    """After the idle seconds, with exit code 0; one goal alone can be watched."""
    goal = shell.json("create", "x")
    cursor = json.loads(shell("watch", "--idle", "0.1", "--json").stderr)["cursor"]
    shell("create", "another", "--scope", "b")
    shell("pause", goal["id"])
    lines = shell("watch", goal["id"], "--after", cursor, "--idle", "0.1").stdout.splitlines()
    assert [line.split("\t")[1:5] for line in lines] == [[goal["id"][-12:], "default", "paused", "user"]]
    assert shell.error("watch", "--after", "zzz", "--idle", "0.1", expect=2)["code"] == "invalid_cursor"
    assert shell.error("watch", "--idle", "-1", expect=2)["code"] == "usage"


def test_a_watch_may_begin_with_what_came_since(shell: Shell) -> None:
    """A moment, or how long ago: older events are not shown, and it goes on from the same cursor."""
    goal = shell.json("create", "before the watch")
    shell("pause", goal["id"])
    said = shell("watch", "--since", "1h", "--idle", "0.1", "--json")
    assert [json.loads(line)["event"]["kind"] for line in said.stdout.splitlines()] == ["created", "paused"]
    later = shell("watch", "--since", "2100-01-01", "--idle", "0.1", "--json")
    assert later.stdout == ""
    assert json.loads(later.stderr)["cursor"] == json.loads(said.stderr)["cursor"]
    assert shell.error("watch", "--since", "1h", "--after", "x", "--idle", "0.1", expect=2)["code"] == "invalid_input"
