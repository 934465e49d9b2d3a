"""One command run to its end, with everything it started: bounded output, bounded time, nothing left behind.

The command leads a process group of its own. However the run ends – by itself, by time-out, by cancellation, by an
error in a callback, by the death of this process – the whole group is asked to stop, and killed if it does not. A
process that leaves the group (`setsid`) is beyond reach, and may keep running; it cannot keep the run from ending.
"""

import asyncio
import hashlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from telic.domain.clock import MICRO
from telic.domain.errors import InvalidInput, LeaseLost
from telic.loop.agents.process_group import Deadline, group_lives, present_deadline, signal_group, watchdog

TAIL_BYTES: Final = 65_536

OnChunk = Callable[[bytes], None]

DEFAULT_GRACE_SECONDS: Final = 5.0
"""The seconds that a process group may take to stop when asked, before it is killed."""

_CHUNK_BYTES: Final = 65_536
_DRAIN_SECONDS: Final = 1.0
_KILL_SECONDS: Final = 10.0
_SHORTEST_NAP_SECONDS: Final = 0.001
_LONGEST_NAP_SECONDS: Final = 0.05


class BoundedOutput:
    """The last bytes of an output, its length and its SHA-256; the rest is dropped."""

    def __init__(self, tail_bytes: int = TAIL_BYTES) -> None:
        self._tail_bytes = tail_bytes
        self._tail = bytearray()
        self._hash = hashlib.sha256()
        self.length = 0

    def take(self, chunk: bytes) -> None:
        """The output ends with this chunk."""
        self.length += len(chunk)
        self._hash.update(chunk)
        self._tail += chunk
        if len(self._tail) > 2 * self._tail_bytes:
            del self._tail[: -self._tail_bytes]

    @property
    def tail(self) -> bytes:
        """The last bytes."""
        return bytes(self._tail[-self._tail_bytes :])

    @property
    def sha256(self) -> str:
        """The hash of all output, in hexadecimal."""
        return self._hash.hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessResult:
    """How a run ended, and its output.

    `exit_code` is negative for a signal, as in `subprocess`, and None where the run timed out. `output_tail` has the
    last bytes of standard output, `errors_tail` those of standard error; `output_bytes` and `output_sha256` are of all
    standard output. With merged errors both streams are output.
    """

    exit_code: int | None
    output_tail: bytes
    output_bytes: int
    output_sha256: str
    errors_tail: bytes
    elapsed_microseconds: int

    @property
    def timed_out(self) -> bool:
        """Whether the run was ended by its time-out."""
        return self.exit_code is None


async def run_process(
    argv: Sequence[str],
    *,
    cwd: Path,
    timeout_seconds: float,
    stdin: bytes | None = None,
    environment: Mapping[str, str] | None = None,
    merge_errors: bool = False,
    on_chunk: OnChunk | None = None,
    grace_seconds: float = DEFAULT_GRACE_SECONDS,
    tail_bytes: int = TAIL_BYTES,
) -> ProcessResult:
    """The command has ended, and no process of its group is left.

    Within a loop's turn or check nothing of it outlives the worker's lease, also where this process stands still. No
    shell reads `argv`. Without `stdin` it reads end of file; `environment` is the whole of it, or None for this
    process's own. `on_chunk` is called in the event loop with each piece of output; where it raises, the command
    is killed and the exception passes. Memory does not grow with the output.

    Raises:
        OSError: the command could not be started, or the folder is not there.
        InvalidInput: the command is empty or holds a NUL character, or the time-out is not above 0.
        LeaseLost: the lease under which it ran has ended, and the command with it.
    """
    deadline = _checked(argv, timeout_seconds)
    output, errors, started = BoundedOutput(tail_bytes), BoundedOutput(tail_bytes), time.monotonic()
    process = _start(argv, cwd, environment, stdin is not None, merge_errors)
    run = _ProcessRun(process, stdin or b"", _both(output.take, on_chunk), errors.take)
    exited = await _to_its_end(process, run, deadline, started + timeout_seconds, grace_seconds)
    return ProcessResult(
        exit_code=process.returncode if exited else None,
        output_tail=output.tail,
        output_bytes=output.length,
        output_sha256=output.sha256,
        errors_tail=errors.tail,
        elapsed_microseconds=int((time.monotonic() - started) * MICRO),
    )


async def _to_its_end(
    process: subprocess.Popen[bytes], run: "_ProcessRun", deadline: Deadline, until: float, grace_seconds: float
) -> bool:
    """Wait until the group has ended, and return whether its leader ended by itself before `until`."""
    guarding = ExitStack()
    try:
        guarding.enter_context(watchdog(process.pid, grace_seconds, deadline))
        exited = await run.exited_by(until)
    finally:
        # The watchdog stays until the group is gone, also where ending it fails.
        with guarding:
            await _await_despite_cancellation(asyncio.create_task(run.end(grace_seconds)))
    run.raise_failure()
    if deadline.has_passed and process.returncode < 0:
        raise LeaseLost("the lease ran out while the command ran, and it was killed")
    return exited


def _checked(argv: Sequence[str], timeout_seconds: float) -> Deadline:
    if not argv or any("\0" in word for word in argv):
        raise InvalidInput("a command has at least one word, and no NUL character")
    if not timeout_seconds > 0:
        raise InvalidInput("timeout_seconds must be above 0")
    deadline = present_deadline()
    if deadline.has_passed:
        raise LeaseLost("the lease ran out before the command was started")
    return deadline


def _both(first: OnChunk, second: OnChunk | None) -> OnChunk:
    def take(chunk: bytes) -> None:
        first(chunk)
        if second is not None:
            second(chunk)

    return take


def _start(
    argv: Sequence[str], cwd: Path, environment: Mapping[str, str] | None, has_stdin: bool, merge_errors: bool
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        list(argv),
        bufsize=0,
        stdin=subprocess.PIPE if has_stdin else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if merge_errors else subprocess.PIPE,
        cwd=cwd,
        env=environment,
        start_new_session=True,
    )


async def _await_despite_cancellation(ending: "asyncio.Task[None]") -> None:
    # Also when this task is cancelled meanwhile: the processes must be gone before the cancellation passes.
    cancelled: asyncio.CancelledError | None = None
    while not ending.done():
        try:
            await asyncio.shield(ending)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
    ending.result()


class _ProcessRun:
    """A started command, its pipes served by the event loop."""

    def __init__(self, process: subprocess.Popen[bytes], stdin: bytes, on_output: OnChunk, on_errors: OnChunk) -> None:
        self._process = process
        self._loop = asyncio.get_running_loop()
        self._failure: BaseException | None = None
        self._unwritten = memoryview(stdin)
        self._readers: dict[IO[bytes], OnChunk] = {}
        for pipe, take in ((process.stdout, on_output), (process.stderr, on_errors)):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)
                self._readers[pipe] = take
                self._loop.add_reader(pipe.fileno(), self._read, pipe)
        if process.stdin is not None:
            os.set_blocking(process.stdin.fileno(), False)
            self._loop.add_writer(process.stdin.fileno(), self._write, process.stdin)

    def raise_failure(self) -> None:
        """Raise what a callback has raised, if one has."""
        if self._failure is not None:
            raise self._failure

    async def exited_by(self, deadline: float) -> bool:
        """Return whether the leader ended before the deadline, a moment of the monotonic clock."""
        return await self._wait_until(self._leader_has_ended, deadline)

    async def end(self, grace_seconds: float) -> None:
        """The group is stopped, the rest of its output is taken, and its pipes are closed."""
        try:
            if not self._group_is_gone():
                signal_group(self._process.pid, signal.SIGTERM)
                await self._wait_until(self._group_is_gone, time.monotonic() + grace_seconds)
                signal_group(self._process.pid, signal.SIGKILL)
                await self._wait_until(self._group_is_gone, time.monotonic() + _KILL_SECONDS)
            self._drain(time.monotonic() + _DRAIN_SECONDS)
        finally:
            for pipe in list(self._readers):
                self._close_reader(pipe)
            if self._process.stdin is not None:
                self._close_writer(self._process.stdin)

    async def _wait_until(self, condition: Callable[[], bool], deadline: float) -> bool:
        nap = _SHORTEST_NAP_SECONDS
        while not condition():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            await asyncio.sleep(min(nap, left))
            nap = min(nap * 2, _LONGEST_NAP_SECONDS)
        return True

    def _leader_has_ended(self) -> bool:
        self.raise_failure()
        return self._process.poll() is not None

    def _group_is_gone(self) -> bool:
        return self._process.poll() is not None and not group_lives(self._process.pid)

    def _read(self, pipe: IO[bytes]) -> bool:
        """Return whether there may be more to read."""
        try:
            chunk = os.read(pipe.fileno(), _CHUNK_BYTES)
        except BlockingIOError:
            return False
        if not chunk:
            self._close_reader(pipe)
            return False
        self._hand_over(pipe, chunk)
        return True

    def _hand_over(self, pipe: IO[bytes], chunk: bytes) -> None:
        if self._failure is None:
            try:
                self._readers[pipe](chunk)
            except Exception as error:
                self._failure = error

    def _drain(self, deadline: float) -> None:
        # A process that left the group may write on for ever, and is not waited for.
        for pipe in list(self._readers):
            while time.monotonic() < deadline and self._read(pipe):
                pass

    def _write(self, pipe: IO[bytes]) -> None:
        try:
            written = os.write(pipe.fileno(), self._unwritten[:_CHUNK_BYTES]) if self._unwritten else 0
        except BlockingIOError:
            return
        except OSError:
            # The command has closed its input, which it may.
            self._close_writer(pipe)
            return
        self._unwritten = self._unwritten[written:]
        if not self._unwritten:
            self._close_writer(pipe)

    def _close_reader(self, pipe: IO[bytes]) -> None:
        if self._readers.pop(pipe, None) is not None:
            self._loop.remove_reader(pipe.fileno())
            pipe.close()

    def _close_writer(self, pipe: IO[bytes]) -> None:
        if not pipe.closed:
            self._loop.remove_writer(pipe.fileno())
            pipe.close()
