"""Processes to race, stop and kill, and what must be true of a database whatever happened to them.

Workers are forked from a process that has no store open, and open their own: that is far faster than starting
an interpreter for each, and leaves no SQLite connection to inherit.
"""

import multiprocessing
import os
import signal
import time
import traceback
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn

import apsw

import telic
from telic.domain.history import GoalHistory, replay
from telic.storage.transaction import Mode
from telic.testing import SyncToAsyncStore

COLOURS = ("blocking", "async")
UNSPECIFIC = {"GoalError", "StoreError"}
_TEST_PROCESS = os.getpid()


def fork() -> int:
    """`os.fork`, without newer Pythons' warning about threads, which these tests are about."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


class Worker:
    """A forked process that runs one function and reports what it returned.

    It leads a process group, so that whatever it forks in turn ends with the test as well. It is reaped by
    `close` only, so that until then its id is nobody else's.
    """

    def __init__(self, body: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self._receiver, sender = multiprocessing.Pipe(duplex=False)
        self._leads_group = os.getpid() == _TEST_PROCESS
        self.pid = fork()
        if self._leads_group:
            # By both, so that neither can be ahead of it.
            os.setpgid(self.pid, self.pid)
        if self.pid == 0:
            self._receiver.close()
            _run(body, arguments, sender)
        sender.close()

    def result(self, timeout_seconds: float = 240) -> Any:
        """What the function returned; a test failure where it raised, died or took too long."""
        assert self._receiver.poll(timeout_seconds), f"a worker gave no answer within {timeout_seconds} s"
        try:
            succeeded, value = self._receiver.recv()
        except EOFError:
            raise AssertionError("a worker died without an answer") from None
        self.wait()
        assert succeeded, f"a worker failed:\n{value}"
        return value

    def stop(self) -> None:
        """The process stands still until `kill`."""
        os.kill(self.pid, signal.SIGSTOP)
        self.wait_until_stopped()

    def wait_until_stopped(self) -> None:
        """Returns once the process stands still; a test failure where it ends instead."""
        outcome = os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        assert outcome is not None
        assert outcome.si_code == os.CLD_STOPPED

    def kill(self) -> None:
        """The process is gone, by SIGKILL; what it forked lives on."""
        os.kill(self.pid, signal.SIGKILL)
        self.wait()

    def wait(self) -> bool:
        """Whether it was a signal that ended the process, which is gone."""
        outcome = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        assert outcome is not None
        return outcome.si_code != os.CLD_EXITED

    def close(self) -> None:
        """The process is gone with all that it forked, and so is the pipe to it. Idempotent."""
        if self._receiver.closed:
            return
        if self._leads_group:
            os.killpg(self.pid, signal.SIGKILL)
        else:
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self._receiver.close()


def _run(body: Callable[..., Any], arguments: tuple[Any, ...], sender: Connection) -> NoReturn:
    try:
        try:
            sender.send((True, body(*arguments)))
        except BaseException:
            sender.send((False, traceback.format_exc()))
    finally:
        os._exit(0)


class Crew:
    """All workers of a test; those that still run at its end are killed."""

    def __init__(self) -> None:
        self._workers: list[Worker] = []

    def start(self, body: Callable[..., Any], *arguments: Any) -> Worker:
        worker = Worker(body, arguments)
        self._workers.append(worker)
        return worker

    def race(self, body: Callable[..., Any], arguments: list[tuple[Any, ...]]) -> list[Any]:
        """What `body` returned for each tuple of arguments, all begun at the same moment in processes of their own."""
        line = StartingLine()
        workers = [self.start(_run_from_line, line, body, each) for each in arguments]
        line.start()
        return [worker.result() for worker in workers]

    def close(self) -> None:
        for worker in self._workers:
            worker.close()


class StartingLine:
    """Holds processes back until the one who made it says go."""

    def __init__(self) -> None:
        self._go_reader, self._go_writer = os.pipe()
        self._ready_reader, self._ready_writer = os.pipe()

    def wait(self) -> None:
        """In a child: it is ready; returns once the parent and all other children have let go of the line."""
        os.write(self._ready_writer, b".")
        os.close(self._go_writer)
        os.read(self._go_reader, 1)

    def wait_until_ready(self, children: int) -> None:
        """In the parent: returns once so many children stand at the line."""
        while children:
            children -= len(os.read(self._ready_reader, children))

    def start(self) -> None:
        """In the parent: go."""
        for end in (self._go_writer, self._go_reader, self._ready_writer, self._ready_reader):
            os.close(end)


def _run_from_line(line: StartingLine, body: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    line.wait()
    return body(*arguments)


async def open_store(location: str | Path, colour: str, **options: Any) -> Any:
    """A store of either colour behind the async face."""
    if colour == "async":
        return await telic.connect_async(location, **options)
    return SyncToAsyncStore(telic.connect(location, **options))


@asynccontextmanager
async def opened(location: str | Path, colour: str, **options: Any) -> AsyncIterator[Any]:
    """`open_store`, closed at the end."""
    store = await open_store(location, colour, **options)
    try:
        yield store
    finally:
        await store.close()


def hold_the_write_lock(location: str, may_enter: Path, entered: Path) -> None:
    """Once the file `may_enter` is there, goes into a write transaction, makes `entered`, and stays for ever."""
    store = telic.connect(location)
    wait_for(may_enter)
    stay_in_a_transaction(store, entered, 3600)


def stay_in_a_transaction(store: telic.GoalStore, entered: Path, seconds: float) -> None:
    """The store is inside a write transaction for that long, from when the file `entered` is there."""

    def stand_still() -> None:
        entered.touch()
        time.sleep(seconds)

    async def stay(transaction: Any) -> None:
        stand_still()

    store.run("stay", stay, Mode.ATOMIC)


def wait_for(path: Path, timeout_seconds: float = 240) -> None:
    """Returns once another process has made the file."""
    deadline = time.monotonic() + timeout_seconds
    while not path.exists():
        assert time.monotonic() < deadline, f"{path.name} was not made within {timeout_seconds} s"
        time.sleep(0.001)


def new_goal(location: str | Path, text: str = "survive") -> str:
    """The id of a goal in a store that is closed again."""
    with telic.connect(location) as store:
        return store.create(text).id


def name_of(error: BaseException) -> str:
    """The name of a public and specific error of Telic; a test failure for any other."""
    name = type(error).__name__
    assert isinstance(error, telic.GoalError), f"{name} is no GoalError: {error}"
    assert name in telic.errors.__all__, f"{name} is not public: {error}"
    assert name not in UNSPECIFIC, f"{name} says too little: {error}"
    return name


def history_of(store: telic.GoalStore, goal_id: str) -> GoalHistory:
    """The goal's whole history, of which every hash and sum is right and which makes the stored goal."""
    events: list[telic.Event] = []
    while page := store.events(goal_id, after=len(events)):
        events.extend(page)
    turns: list[telic.Turn] = []
    while rows := store.turns(goal_id, after=len(turns)):
        turns.extend(rows)
    history = replay(goal_id, events, turns)
    assert history.goal == store.get(goal_id)
    return history


def checked_history(location: str | Path, goal_id: str) -> GoalHistory:
    """`history_of` a store that nobody has open any more, whose SQLite file is whole."""
    with telic.connect(location) as store:
        history = history_of(store, goal_id)
    if "://" not in str(location):
        require_integrity(location)
    return history


def require_integrity(path: str | Path) -> None:
    """Nothing happens where SQLite finds the file whole."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        assert connection.pragma("integrity_check") == "ok"
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    finally:
        connection.close()
