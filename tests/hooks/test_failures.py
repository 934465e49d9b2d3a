"""Whatever goes wrong, a hook ends with 0 and no answer, soon, and says why in its log."""

import json
import os
import socket
import sqlite3
import subprocess
import sys
import time

import pytest

import telic
from tests.hooks.conftest import TELIC, HostProgram, on_hosts
from tests.hooks.transcripts import write
from tests.support.postgres_server import PostgresServer

EVERY = ("claude-code", "codex", "goose", "gemini", "copilot")


@on_hosts(*EVERY)
def test_payloads_that_cannot_be_understood(program: HostProgram) -> None:
    """Nothing, cut, no JSON, no object, without an event or session, of wrong types, or of a newer kind."""
    program.goal()
    whole = json.dumps(program.payload("stop")).encode()
    unusable = [b"", whole[: len(whole) // 2], b"\xff\xfe\x00", b"[1]", b"null", b"{}", b"[" * 100_000, b"12"]
    unusable.append(json.dumps(program.payload("stop", session_id=None)).encode())
    unusable.append(json.dumps(program.payload("stop", session_id=["s"])).encode())
    event = {"hook_event_name": "AnEventOfTomorrow", "event": "AnEventOfTomorrow"}
    unusable.append(json.dumps(program.payload("stop", **event)).encode())
    for payload in unusable:
        assert program.send(payload) is None
    assert program.store.list(scope=program.scope).goals[0].revision == 1


@on_hosts(*EVERY)
def test_unknown_fields_and_wrong_types_beside_the_point_are_ignored(program: HostProgram) -> None:
    program.goal()
    strange = {"stop_hook_active": "yes", "transcript_path": 7, "cwd": "\0", "more": {"of": ["tomorrow"]}}
    assert program.stop(**strange)


def test_a_huge_payload_is_refused_in_bounded_memory(program: HostProgram) -> None:
    program.goal()
    payload = json.dumps(program.payload("prompt", prompt="x" * (17 * 1024 * 1024))).encode()
    assert program.send(payload) is None
    assert "cannot be understood" in program.log
    large = json.dumps(program.payload("prompt", prompt="x" * (8 * 1024 * 1024))).encode()
    assert program.send(large) is not None


def test_a_host_that_never_closes_its_end_gets_no_answer(program: HostProgram) -> None:
    """The hook gives up when its time is over."""
    program.goal()
    command = [TELIC, "hook", "claude-code", "--answer-seconds", "0.5"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=program.environment()) as process:
        assert process.stdin is not None
        assert process.wait(240) == 0
        assert process.stdout is not None
        assert process.stdout.read() == b""
    assert "no answer within 0.5 seconds" in program.log


def test_a_store_that_is_away_or_unusable(program: HostProgram) -> None:
    """No server, no database, a folder, an unreadable URL: each in its time, and no password in the log."""
    places = [
        "postgresql://user:geheim@127.0.0.1:1/goals",
        str(program.folder),
        "mysql://user:geheim@host/goals",
        "postgresql://user:geheim@[",
    ]
    for place in places:
        program.variables["TELIC_STORE"] = place
        assert program.call("prompt") is None
    assert len(program.log.splitlines()) == len(places)
    assert "geheim" not in program.log


def test_postgresql_and_a_server_that_answers_nothing(program: HostProgram, own_server: PostgresServer) -> None:
    """The goal is told from PostgreSQL; a server that accepts the connection and is silent delays nobody."""
    with telic.connect(own_server.url()) as store:
        store.create("in PostgreSQL", scope=program.scope)
    program.variables["TELIC_STORE"] = own_server.url()
    assert "in PostgreSQL" in json.dumps(program.call("prompt"))
    program.answer_seconds = 10
    with socket.create_server(("127.0.0.1", 0)) as silent:
        program.variables["TELIC_STORE"] = f"postgresql://user@127.0.0.1:{silent.getsockname()[1]}/goals"
        assert program.call("prompt") is None
    assert program.log


@pytest.mark.parametrize("damage", ["garbage", "newer", "locked"])
def test_a_damaged_newer_or_locked_database(program: HostProgram, damage: str) -> None:
    program.goal()
    program.store.close()
    program.answer_seconds = 10
    holder = None
    if damage == "garbage":
        program.location.write_bytes(b"no database " * 1_000)
    if damage == "newer":
        with sqlite3.connect(program.location) as database:
            database.execute("UPDATE schema_version SET version = 999 WHERE version = 1")
    if damage == "locked":
        script = (
            f"import sqlite3, time; database = sqlite3.connect({str(program.location)!r}, isolation_level=None);"
            "database.execute('BEGIN EXCLUSIVE'); print(1, flush=True); time.sleep(3600)"
        )
        holder = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
        assert holder.stdout is not None
        holder.stdout.readline()
    try:
        answer = program.call("stop")
    finally:
        if holder is not None:
            holder.kill()
            holder.communicate()
    assert answer is None
    assert program.log


def test_a_state_folder_that_cannot_be_written_changes_nothing(program: HostProgram) -> None:
    """Nothing can be remembered or logged then; the goal is told all the same."""
    program.goal()
    blocked = program.folder / "a file"
    blocked.write_text("")
    program.variables["XDG_STATE_HOME"] = str(blocked)
    assert program.call("prompt") is not None
    assert program.stop()
    assert program.send(b"{") is None


def test_a_reader_that_is_gone_is_no_failure(program: HostProgram) -> None:
    program.goal()
    reading, writing = os.pipe()
    os.close(reading)
    command = [TELIC, "hook", "claude-code"]
    payload = json.dumps(program.payload("prompt")).encode()
    result = subprocess.run(
        command, input=payload, stdout=writing, stderr=subprocess.PIPE, env=program.environment(), timeout=60
    )
    os.close(writing)
    assert (result.returncode, result.stderr) == (0, b"")


@pytest.mark.parametrize("output", ["closed", "full"])
def test_an_output_that_takes_nothing_is_no_failure(program: HostProgram, output: str) -> None:
    """Also at the end of the process, when Python would write once more what was left."""
    program.goal()
    redirection = ">&-" if output == "closed" else ">/dev/full"
    command = ["sh", "-c", f'"$1" hook claude-code {redirection}', "sh", str(TELIC)]
    payload = json.dumps(program.payload("prompt")).encode()
    result = subprocess.run(command, input=payload, capture_output=True, env=program.environment(), timeout=60)
    assert (result.returncode, result.stderr) == (0, b"")
    assert program.store.list(scope=program.scope).goals


def test_a_folder_that_is_deleted_is_no_failure(program: HostProgram) -> None:
    """The host was started in it."""
    program.goal()
    command = ["sh", "-c", 'mkdir gone; cd gone; rmdir ../gone; exec "$1" hook claude-code', "sh", str(TELIC)]
    payload = json.dumps(program.payload("prompt", cwd=None)).encode()
    environment = program.environment()
    result = subprocess.run(
        command, input=payload, capture_output=True, env=environment, cwd=program.folder, timeout=60
    )
    assert (result.returncode, result.stderr) == (0, b"")
    assert b"Move billing" in result.stdout


@on_hosts(*EVERY)
def test_a_user_without_a_home_is_no_failure(program: HostProgram) -> None:
    """As in a container that runs under any number: nothing is remembered then."""
    program.goal()
    script = "import pwd; pwd.getpwuid = {}.__getitem__\n"
    script += "import sys; sys.argv = ['telic', 'hook', sys.argv[1]]\n"
    script += "from telic.interfaces.cli.__main__ import main; main()"
    environment = program.environment()
    del environment["HOME"], environment["XDG_STATE_HOME"]
    for store in (True, False):
        if not store:
            del environment["TELIC_STORE"]
        for moment in ("prompt", "stop"):
            command = [sys.executable, "-c", script, program.name]
            payload = json.dumps(program.payload(moment)).encode()
            result = subprocess.run(command, input=payload, capture_output=True, env=environment, timeout=60)
            assert (result.returncode, result.stderr) == (0, b"")
            assert bool(result.stdout) == (store and (moment == "stop" or program.name in _TOLD_BY_PROMPTS))


_TOLD_BY_PROMPTS = ("claude-code", "codex", "gemini")


def test_a_missing_extra_is_told_by_the_log_alone(program: HostProgram) -> None:
    """Exit code 2 would block the session, and hosts show others' messages at each prompt."""
    script = (
        "import sys; sys.modules['click'] = None; sys.argv = ['telic', 'hook', 'claude-code'];"
        "from telic.interfaces.cli.__main__ import main; main()"
    )
    command = [sys.executable, "-c", script]
    result = subprocess.run(command, input=b"{}", capture_output=True, env=program.environment(), timeout=60)
    assert (result.returncode, result.stdout, result.stderr) == (0, b"", b"")
    assert "telic[cli]" in program.log


def test_a_store_that_is_missing_is_named_in_the_log_and_not_made(program: HostProgram) -> None:
    missing = program.folder / "not there.db"
    program.options = ["--store", str(missing)]
    assert program.call("prompt") is None
    assert str(missing) in program.log
    assert len(program.log.splitlines()) == 1
    assert not missing.exists()
    program.options = []
    program.variables = {"TELIC_STORE": ""}
    assert program.call("stop") is None
    assert not (program.folder.parent / "home").exists() or not list((program.folder.parent / "home").rglob("*.db"))


@on_hosts("claude-code", "codex", "copilot")
def test_a_claim_that_a_locked_store_lost_is_told_at_the_next_chance(program: HostProgram) -> None:
    """Once, beside what the host is answered anyhow; hosts that show nothing to their users are told nothing."""
    program.goal()
    script = (
        f"import sqlite3, time; database = sqlite3.connect({str(program.location)!r}, isolation_level=None);"
        "database.execute('BEGIN EXCLUSIVE'); print(1, flush=True); time.sleep(300)"
    )
    if program.name == "copilot":
        write(program.transcript, {"type": "assistant.message", "data": {"content": "TELIC: complete"}})
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        program.answer_seconds = 10
        assert program.call("stop", "Done.\nTELIC: complete") is None
        program.answer_seconds = 100
        holder.kill()
    answer = program.call("prompt")
    if program.name == "copilot":
        assert answer is None
        return
    assert "TELIC: complete, came to nothing" in answer["systemMessage"]
    assert "Move billing" in json.dumps(answer)
    program.call("stop")
    assert "systemMessage" not in program.call("prompt")


@pytest.mark.parametrize("mask", [0o000, 0o077, 0o777])
def test_what_is_remembered_is_its_owners_alone(program: HostProgram, mask: int) -> None:
    """Whatever the process's mask: transcripts' names, and what a hook could not do."""
    program.goal()
    former = os.umask(mask)
    try:
        program.call("stop")
        program.send(b"{")
    finally:
        os.umask(former)
    for path in program.state.rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path
    assert program.log


def test_a_killed_hook_leaves_nothing_in_the_way(program: HostProgram) -> None:
    """Killed while it checks, as a host does at its time-out: the same session may go on at once."""
    goal = program.goal(criteria=[telic.Criterion.command(["sleep", "3600"])])
    payload = json.dumps(program.payload("stop", "TELIC: complete")).encode()
    command = [TELIC, "hook", "claude-code"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=program.environment()) as process:
        assert process.stdin is not None
        process.stdin.write(payload)
        process.stdin.close()
        deadline = time.monotonic() + 240
        while program.store.lease(goal.id).worker is None:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.kill()
        process.wait()
    assert program.stop()


@pytest.mark.parametrize(
    "arguments",
    [
        ["cursor"],
        [],
        ["claude-code", "--no-such-option"],
        ["claude-code", "--check-seconds", "0"],
        ["claude-code", "--answer-seconds", "0"],
        ["claude-code", "--max-continuations", "many"],
        ["claude-code", "--judge-model", "a:b", "--judge-command", "true"],
        ["claude-code", "--judge-command", "'"],
    ],
)
def test_a_wrong_command_line_never_ends_with_2(arguments: list[str]) -> None:
    """Exit code 2 would block the host's session; 1 is a failure that hosts show and pass over."""
    result = subprocess.run([TELIC, "hook", *arguments], input=b"{}", capture_output=True, timeout=60)
    assert result.returncode == 1
    assert result.stdout == b""
    assert result.stderr.startswith(b"telic: ")
    assert b"Traceback" not in result.stderr


def test_a_hook_loads_little() -> None:
    """Neither the other commands nor what only checks need."""
    script = (
        "import sys; from telic.interfaces.cli import hook;"
        "libraries = ('asyncio', 'rich', 'psycopg', 'platformdirs');"
        "print(sorted(name for name in sys.modules if name.split('.')[0] in libraries"
        " or name.startswith(('telic.services.transfer', 'telic.loop.verification', 'telic.interfaces.cli.goals'))))"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
