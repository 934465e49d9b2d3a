"""Writers of one SQLite file take turns: nobody is left behind, and who waits leaves the processor to who writes."""

import errno
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from telic.domain.errors import StoreBusy
from telic.storage.drivers import turnstile
from telic.storage.drivers.turnstile import Turnstile

GENEROUS_SECONDS = 120.0


class FakeTime:
    """A clock that moves by what is slept, and remembers it."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.pauses: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += max(seconds, 1e-6)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    """The turnstile's clock."""
    fake = FakeTime()
    monkeypatch.setattr(turnstile, "time", SimpleNamespace(monotonic=fake.monotonic, sleep=fake.sleep))
    return fake


def test_who_waits_longer_looks_less_often(tmp_path: Path, clock: FakeTime) -> None:
    """In a second of waiting a process looks some dozens of times, not thousands, and is told at its deadline."""
    holder, waiter = Turnstile(tmp_path / "goals.db"), Turnstile(tmp_path / "goals.db")
    holder.enter(clock.now + 1)
    deadline = clock.now + 1
    with pytest.raises(StoreBusy):
        waiter.enter(deadline)
    assert deadline <= clock.now <= deadline + 0.01
    assert len(clock.pauses) < 100
    assert max(clock.pauses) <= turnstile._LONGEST_PAUSE_SECONDS
    assert sum(clock.pauses[-5:-1]) > sum(clock.pauses[:4])
    holder.leave()
    waiter.enter(clock.now + 1)
    waiter.leave()
    for each in (holder, waiter):
        each.close()


def test_who_was_refused_holds_up_nobody(tmp_path: Path, clock: FakeTime) -> None:
    """A process that gave up at the gate, or at the floor, has left both."""
    holder, refused, other = (Turnstile(tmp_path / "goals.db") for _ in range(3))
    holder.enter(clock.now + 1)
    with pytest.raises(StoreBusy):
        refused.enter(clock.now + 0.1)
    holder.leave()
    other.enter(clock.now)
    other.leave()
    for each in (holder, refused, other):
        each.close()


def test_a_writer_goes_on_for_its_time_and_then_waits_behind_others(tmp_path: Path, clock: FakeTime) -> None:
    """While somebody waits at the gate, it may write on for some milliseconds and no longer."""
    writer, waiting = Turnstile(tmp_path / "goals.db"), Turnstile(tmp_path / "goals.db")
    writer.enter(clock.now + 1)
    assert waiting._lock(turnstile._TAKE_GATE)
    writer.leave()
    writer.enter(clock.now + 1)
    writer.leave()
    clock.now += 2 * turnstile.TURN_SECONDS
    with pytest.raises(StoreBusy):
        writer.enter(clock.now + 0.1)
    waiting._lock(turnstile._GIVE_GATE)
    writer.enter(clock.now + 1)
    for each in (writer, waiting):
        each.close()


def test_nobody_is_left_behind_by_those_that_never_stop(tmp_path: Path) -> None:
    """Four writers write without a pause until a fifth has had ten turns."""
    has_had_its_turns = threading.Event()

    def write_on() -> None:
        own = Turnstile(tmp_path / "goals.db")
        while not has_had_its_turns.is_set():
            own.enter(time.monotonic() + GENEROUS_SECONDS)
            own.leave()
        own.close()

    writers = [threading.Thread(target=write_on) for _ in range(4)]
    for writer in writers:
        writer.start()
    late = Turnstile(tmp_path / "goals.db")
    try:
        for _ in range(10):
            late.enter(time.monotonic() + GENEROUS_SECONDS)
            late.leave()
    finally:
        has_had_its_turns.set()
        for writer in writers:
            writer.join()
        late.close()


def test_who_waits_is_let_through_in_order(tmp_path: Path) -> None:
    """By their tickets, whoever looks first when the turn is free."""
    holder = Turnstile(tmp_path / "goals.db")
    holder.enter(time.monotonic() + GENEROUS_SECONDS)
    order: list[int] = []

    def write(number: int) -> None:
        own = Turnstile(tmp_path / "goals.db")
        own.enter(time.monotonic() + GENEROUS_SECONDS)
        order.append(number)
        own.leave()
        own.close()

    writers = []
    for number in range(1, 6):
        writers.append(threading.Thread(target=write, args=[number]))
        writers[-1].start()
        while holder._counters()[0] < number:
            time.sleep(0.001)
    holder.leave()
    for writer in writers:
        writer.join()
    holder.close()
    assert order == [1, 2, 3, 4, 5]


def test_a_process_that_is_stopped_in_the_queue_is_passed_over(tmp_path: Path, clock: FakeTime) -> None:
    """Those behind it wait for a moment once, and not again; when it goes on, it is let through as well."""
    stopped, first, second = (Turnstile(tmp_path / "goals.db") for _ in range(3))
    ticket = stopped._take_ticket()
    blocking = Turnstile(tmp_path / "goals.db")
    blocking.enter(clock.now + 1)
    clock.pauses.clear()
    first._wait_in_queue(behind := first._take_ticket(), clock.now + GENEROUS_SECONDS)
    assert sum(clock.pauses) >= turnstile.STUCK_SECONDS
    first._let_next_come(behind)
    clock.pauses.clear()
    second._wait_in_queue(second._take_ticket(), clock.now + GENEROUS_SECONDS)
    stopped._wait_in_queue(ticket, clock.now + GENEROUS_SECONDS)
    assert clock.pauses == []
    for each in (stopped, first, second, blocking):
        each.close()


def test_a_process_that_died_in_the_queue_holds_up_nobody(tmp_path: Path, clock: FakeTime) -> None:
    """Its ticket went with it."""
    dead, waiting = Turnstile(tmp_path / "goals.db"), Turnstile(tmp_path / "goals.db")
    dead._take_ticket()
    dead.close()
    waiting._wait_in_queue(waiting._take_ticket(), clock.now + GENEROUS_SECONDS)
    assert clock.pauses == []
    waiting.close()


def test_where_no_ticket_can_be_had_writers_take_turns_all_the_same(
    tmp_path: Path, clock: FakeTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full, or a process was stopped while it took one."""
    stopped, holder, waiting = (Turnstile(tmp_path / "goals.db") for _ in range(3))
    holder.enter(clock.now)
    assert stopped._lock(turnstile._TAKE_DISPENSER)
    for _ in range(2):
        with pytest.raises(StoreBusy):
            waiting.enter(clock.now + 1)
        stopped.close()
        monkeypatch.setattr(turnstile.os, "pwrite", _full)
    holder.leave()
    waiting.enter(clock.now)
    for each in (holder, waiting):
        each.close()


def _full(*_: object) -> int:
    raise OSError(errno.ENOSPC, "no space left on device")


def test_what_is_noted_and_the_tickets_leave_each_other_alone(tmp_path: Path) -> None:
    own = Turnstile(tmp_path / "goals.db")
    assert own.read_note() == b""
    own._let_next_come(own._take_ticket())
    own.write_note(b"noted at length")
    own.write_note(b"noted")
    assert own.read_note().strip() == b"noted"
    assert own._counters() == (1, 1)
    assert own._take_ticket() == 2
    assert own.read_note().strip() == b"noted"
    own.close()
