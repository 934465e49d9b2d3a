"""Running commands: whatever they do, the run ends, memory is bounded, and nothing is left."""

import asyncio
import hashlib
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from telic.domain.errors import InvalidInput
from telic.loop.agents import process
from telic.loop.agents.output_follower import LineSplitter
from telic.loop.agents.process import BoundedOutput, ProcessResult, run_process
from telic.loop.agents.process_group import group_lives

ANNOUNCE = "import os, sys, time, signal\ndef tell(pid): os.write(1, b'%d\\n' % pid)\n"


async def run(code: str, **options: Any) -> ProcessResult:
    defaults = {"cwd": Path.cwd(), "timeout_seconds": 240.0, "grace_seconds": 0.3}
    return await run_process([sys.executable, "-c", ANNOUNCE + code], **(defaults | options))


async def run_until_timed_out(code: str, *, told: int, **options: Any) -> ProcessResult:
    """Run with a time-out long enough for so many lines, whatever this machine needs for them."""
    for timeout_seconds in (0.5, 2.0, 8.0, 32.0):
        result = await run(code, timeout_seconds=timeout_seconds, **options)
        if result.output_tail.count(b"\n") >= told:
            return result
    return await run(code, timeout_seconds=120.0, **options)


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(") ")[2][0] not in "ZX"


def children() -> list[str]:
    own = f"/proc/{os.getpid()}/task/{os.getpid()}/children"
    return Path(own).read_text().split() if Path(own).exists() else []


def descriptors() -> int:
    return len(list(Path("/dev/fd").iterdir()))


class Announced(list[int]):
    """The process ids that a command printed, and when the first of them came."""

    def __init__(self) -> None:
        super().__init__()
        self.came = asyncio.Event()

    def take(self, chunk: bytes) -> None:
        self.extend(map(int, chunk.split()))
        self.came.set()


async def test_a_command_runs_to_its_end() -> None:
    result = await run("print('out'); print('err', file=sys.stderr); sys.exit(3)")
    assert (result.exit_code, result.timed_out) == (3, False)
    assert (result.output_tail, result.errors_tail) == (b"out\n", b"err\n")
    assert result.output_sha256 == hashlib.sha256(b"out\n").hexdigest()
    assert result.elapsed_microseconds > 0


async def test_merged_errors_are_output() -> None:
    result = await run("print('out', flush=True); print('err', file=sys.stderr)", merge_errors=True)
    assert (result.output_tail, result.errors_tail) == (b"out\nerr\n", b"")


async def test_the_environment_and_the_folder_are_those_given(tmp_path: Path) -> None:
    code = "print(os.environ.get('COLOUR'), os.environ.get('HOME'), os.getcwd())"
    result = await run(code, environment={"COLOUR": "blue"}, cwd=tmp_path)
    assert result.output_tail.decode().split() == ["blue", "None", str(tmp_path)]


async def test_without_input_there_is_end_of_file() -> None:
    assert (await run("print(repr(sys.stdin.read()))")).output_tail == b"''\n"


async def test_a_gigabyte_of_output_leaves_memory_as_it_was() -> None:
    """A gigabyte passes; the whole is hashed; the two ends are kept; memory grows by less than 16 MB."""
    code = "block = b'x' * 65536\nfor _ in range(16384): os.write(1, block)\nos.write(1, b'end')"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = await run(code, timeout_seconds=60.0, tail_bytes=1000)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert result.output_bytes == 2**30 + 3
    assert result.output_tail == b"x" * 997 + b"end"
    assert grown * (1 if sys.platform == "darwin" else 1024) < 16_000_000


async def test_other_tasks_go_on_while_output_pours_in() -> None:
    turns = 0

    async def heartbeat() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0.01)
            turns += 1

    beating = asyncio.create_task(heartbeat())
    pouring = asyncio.create_task(run("while True: os.write(1, b'x' * 65536)", timeout_seconds=3600))
    while turns < 20:
        assert not pouring.done()
        await asyncio.sleep(0.01)
    for task in (beating, pouring):
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pouring


async def test_much_input_and_much_output_at_once() -> None:
    """Neither pipe blocks the other."""
    data = os.urandom(3_000_000)
    code = "os.write(2, b'e' * 200000)\nwhile data := os.read(0, 1000): os.write(1, data)"
    result = await run(code, stdin=data)
    assert result.output_sha256 == hashlib.sha256(data).hexdigest()


async def test_a_command_that_never_reads_its_input_ends() -> None:
    assert (await run("print('done')", stdin=b"x" * 1_000_000)).output_tail == b"done\n"


async def test_a_command_that_hangs_is_killed_with_its_input_unread() -> None:
    result = await run("time.sleep(3600)", stdin=b"x" * 1_000_000, timeout_seconds=0.3)
    assert (result.exit_code, result.timed_out) == (None, True)


async def test_a_command_that_closes_its_output_and_stays_is_killed() -> None:
    result = await run("os.close(1); os.close(2); time.sleep(3600)", timeout_seconds=0.4)
    assert result.timed_out


async def test_a_command_may_end_well_when_asked_to() -> None:
    """What it prints on the way out is heard."""
    code = (
        "signal.signal(signal.SIGTERM, lambda *_: (print('bye', flush=True), sys.exit(0)))\n"
        "print('ready', flush=True)\nwhile True: time.sleep(1)"
    )
    result = await run_until_timed_out(code, told=1, grace_seconds=240.0)
    assert (result.timed_out, result.output_tail) == (True, b"ready\nbye\n")


async def test_a_command_that_ignores_the_request_is_killed() -> None:
    code = "signal.signal(signal.SIGTERM, signal.SIG_IGN); tell(os.getpid()); time.sleep(3600)"
    result = await run_until_timed_out(code, told=1)
    assert result.timed_out
    assert not lives(int(result.output_tail))


GRANDCHILDREN = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
ready, announce = os.pipe()
for _ in range(3):
    if os.fork() == 0:
        if os.fork() == 0:
            tell(os.getpid())
            os.write(announce, b"x")
            time.sleep(3600)
        os._exit(0)
announced = 0
while announced < 3:
    announced += len(os.read(ready, 3))
"""


@pytest.mark.parametrize("leader", ["is timed out", "has ended"])
async def test_grandchildren_die(leader: str) -> None:
    if leader == "has ended":
        result = await run(GRANDCHILDREN + "sys.exit(0)")
    else:
        result = await run_until_timed_out(GRANDCHILDREN + "time.sleep(3600)", told=3)
    pids = [int(pid) for pid in result.output_tail.split()]
    assert len(pids) == 3
    assert not any(map(lives, pids))


async def test_a_daemon_that_holds_the_pipe_does_not_hold_the_run() -> None:
    """It has left the group, and is not waited for."""
    code = (
        "tell(os.getpid())\nif os.fork() == 0:\n    os.setsid(); tell(os.getpid()); time.sleep(3600)\ntime.sleep(0.5)"
    )
    result = await run(code)
    os.kill(int(result.output_tail.split()[1]), 9)


async def test_a_daemon_that_writes_without_end_does_not_hold_the_run() -> None:
    code = "if os.fork() == 0:\n    os.setsid()\n    while True: os.write(1, b'x' * 65536)\ntime.sleep(0.3)"
    assert (await run(code)).exit_code == 0


async def test_cancellation_kills_everything() -> None:
    pids = Announced()
    code = GRANDCHILDREN.replace("range(3)", "range(1)") + "time.sleep(3600)"
    task = asyncio.create_task(run(code, on_chunk=pids.take))
    await asyncio.wait_for(pids.came.wait(), 240)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not any(map(lives, pids))


async def test_cancelling_again_and_again_does_not_save_it() -> None:
    pids = Announced()
    code = "signal.signal(signal.SIGTERM, signal.SIG_IGN); tell(os.getpid()); time.sleep(3600)"
    task = asyncio.create_task(run(code, on_chunk=pids.take))
    await asyncio.wait_for(pids.came.wait(), 240)
    while not task.done():
        task.cancel()
        await asyncio.sleep(0.02)
    assert task.cancelled()
    assert not lives(pids[0])


async def test_an_error_in_the_callback_kills_the_command() -> None:
    pids: list[int] = []

    def refuse(chunk: bytes) -> None:
        pids.append(int(chunk))
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        await run("tell(os.getpid()); time.sleep(3600)", on_chunk=refuse)
    assert not lives(pids[0])


async def test_neither_zombies_nor_descriptors_are_left() -> None:
    """Whether the run ends by itself, by time-out, by an error, or never begins."""
    await run("pass")
    before, known = descriptors(), children()
    await run("print('x')", stdin=b"x" * 1_000_000)
    await run("time.sleep(3600)", stdin=b"x" * 1_000_000, timeout_seconds=0.2)
    with pytest.raises(ValueError, match="invalid literal"):
        await run("print('x')", on_chunk=lambda chunk: [int(chunk)].clear())
    with pytest.raises(FileNotFoundError):
        await run("pass", cwd=Path("/no/such/folder"))
    assert descriptors() == before
    assert children() == known


@pytest.mark.parametrize(
    ("argv", "cwd"), [(["/no/such/command"], "/"), (["true"], "/no/such/folder")], ids=["command", "folder"]
)
async def test_what_is_not_there_cannot_be_run(argv: list[str], cwd: str) -> None:
    with pytest.raises(FileNotFoundError):
        await run_process(argv, cwd=Path(cwd), timeout_seconds=1)


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
async def test_a_time_out_must_be_above_nothing(timeout: float) -> None:
    with pytest.raises(InvalidInput):
        await run("pass", timeout_seconds=timeout)


@pytest.mark.parametrize("argv", [[], ["echo", "a\0b"]])
async def test_unusable_commands_are_refused(argv: list[str]) -> None:
    with pytest.raises(InvalidInput):
        await run_process(argv, cwd=Path.cwd(), timeout_seconds=1)


async def test_what_was_printed_before_the_end_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when the command has ended before anybody listened."""
    start = process._start

    def start_late(*arguments: Any) -> Any:
        started = start(*arguments)
        time.sleep(0.5)
        return started

    monkeypatch.setattr(process, "_start", start_late)
    result = await run("os.write(2, b'e' * 50000); os.write(1, b'o' * 50000)")
    assert (len(result.output_tail), len(result.errors_tail)) == (50_000, 50_000)


def test_a_group_of_zombies_does_not_live() -> None:
    """Orphans that nobody reaps, as in many containers, do not hold up the end of a turn."""
    unreaped = subprocess.Popen(["sleep", "0.2"], start_new_session=True)
    assert group_lives(unreaped.pid)
    deadline = time.monotonic() + 240
    while group_lives(unreaped.pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not group_lives(unreaped.pid)
    assert unreaped.returncode is None
    assert unreaped.wait() == 0
    assert not group_lives(unreaped.pid)


def test_bounded_output_keeps_both_ends() -> None:
    output = BoundedOutput(tail_bytes=4)
    for chunk in (b"a", b"bcdef", b"", b"ghijklmnop", b"q"):
        output.take(chunk)
    assert (output.tail, output.length) == (b"nopq", 17)
    assert output.sha256 == hashlib.sha256(b"abcdefghijklmnopq").hexdigest()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_lines_do_not_depend_on_the_chunks(size: int) -> None:
    text = b"one\r\n\ntoo long a line\nexactly8\nlast"
    splitter = LineSplitter(max_line_bytes=9)
    lines = [line for start in range(0, len(text), size) for line in splitter.split(text[start : start + size])]
    assert [*lines, *splitter.finish()] == [b"one", b"", b"exactly8", b"last"]
    assert splitter.dropped == 1
