"""A worker: its name, its claims, and how it drives the goals that are due, beside any number of other workers."""

import asyncio
import os
import random
import re
import signal
import socket
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from telic.domain.errors import GoalError, InvalidNumber, LeaseHeld, LeaseLost, StoreClosed, StoreError
from telic.domain.events import EventKind, FeedEvent
from telic.domain.goal import Actor, Goal, Reason
from telic.domain.lease import Lease
from telic.domain.limits import MAX_NOTE_CHARS
from telic.loop.agents.process_group import (
    GOAL_VARIABLE,
    group_lives,
    groups_started_with,
    process_lives,
    signal_group,
)
from telic.loop.agents.protocol import storable_tail
from telic.loop.goal_loop import GoalLoop
from telic.store.async_store import AsyncGoalStore

_NAME: Final = re.compile(r"(.*):([1-9][0-9]{0,9}):([0-9a-f]{12})")
_HOST_CHARS: Final = 100
_NAPS: Final = 100
_NAP_SECONDS: Final = 0.02
_RETRY_SECONDS: Final = 1.0
_CLAIMABLE: Final = frozenset({EventKind.CREATED, EventKind.RESUMED})
_SHORTEST_PAUSE_SECONDS: Final = 0.5


def own_name() -> str:
    """Return `host:process:machine`, this worker's name.

    No other process has it, until the process's number comes again on the same started machine.
    """
    return f"{socket.gethostname()[:_HOST_CHARS]}:{os.getpid()}:{_machine()}"


def _machine() -> str:
    # The start of the machine and the namespace of processes: numbers of processes mean something only within both.
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return sha256(f"{boot} {Path('/proc/self/ns/pid').readlink()}".encode()).hexdigest()[:12]
    except OSError:
        return f"{uuid.getnode():012x}"


def _is_dead(worker: str) -> bool:
    """Return whether the worker is known to have ended; of other machines nothing is known."""
    match = _NAME.fullmatch(worker)
    if match is None or (match[1], match[3]) != (socket.gethostname()[:_HOST_CHARS], _machine()):
        return False
    return not process_lives(int(match[2]))


async def claim_for_loop(store: AsyncGoalStore, goal_id: str, *, worker: str, ttl_seconds: float) -> Lease:
    """The goal is claimed. The lease of a dead worker of this machine is not waited for, and its agents have ended.

    Raises:
        LeaseHeld: another worker drives the goal; the error says who.
        GoalNotActive, GoalNotFound, StoreError: nothing is claimed; see `AsyncGoalStore.claim`.
    """
    try:
        return await store.claim(goal_id, worker=worker, ttl_seconds=ttl_seconds)
    except LeaseHeld as held:
        if held.worker is None or not _is_dead(held.worker):
            raise
        # A worker may always claim its own lease again: under the dead one's name its lease can be given back.
        left = await store.claim(goal_id, worker=held.worker, ttl_seconds=ttl_seconds)
        await _end_left_agents(goal_id)
    with suppress(LeaseLost):
        await store.release_lease(left)
    return await store.claim(goal_id, worker=worker, ttl_seconds=ttl_seconds)


async def _end_left_agents(goal_id: str) -> None:
    # The watchdog of a dead worker ends its agent too, but waits as long as an expiring lease would leave it.
    groups = await asyncio.to_thread(groups_started_with, {GOAL_VARIABLE: goal_id})
    for number in (signal.SIGTERM, signal.SIGKILL) if groups else ():
        for group in groups:
            signal_group(group, number)
        await _until_gone(groups)


async def _until_gone(groups: Sequence[int]) -> None:
    for _ in range(_NAPS):
        if not any(group_lives(group) for group in groups):
            return
        await asyncio.sleep(_NAP_SECONDS)


class ChangeListener:
    """While entered, wakes its waiter with each event for which `on_event` is True. It outlasts the store's absence."""

    def __init__(
        self, store: AsyncGoalStore, on_event: Callable[[FeedEvent], bool], *, goal_id: str | None = None
    ) -> None:
        self._store = store
        self._on_event = on_event
        self._goal_id = goal_id
        self._changed = asyncio.Event()
        self._listening: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "ChangeListener":
        self._listening = asyncio.create_task(self._listen())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._listening is not None
        self._listening.cancel()
        await asyncio.wait({self._listening})

    async def changed(self) -> None:
        """Return once there was such an event since this was last awaited."""
        await self._changed.wait()
        self._changed.clear()

    async def wait(self, seconds: float) -> None:
        """Return once there was such an event, or the seconds have passed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.changed()

    async def _listen(self) -> None:
        while True:
            try:
                async for event in self._store.watch(goal_id=self._goal_id):
                    if self._on_event(event):
                        self._changed.set()
                return
            except StoreClosed:
                return
            except StoreError:
                await asyncio.sleep(_RETRY_SECONDS)


def ignore_trouble(_goal: Goal | None, _error: Exception) -> None:
    """Do nothing with the trouble: the listener where none was given."""


@dataclass(slots=True, kw_only=True)
class Worker:
    """Claims active goals that nobody drives, those served longest ago first, and drives up to `concurrency` at once.

    Goals whose time to wake has come are woken. `make_loop` gives each goal a loop of its own; where it raises a
    `GoalError`, or the agent any other error, the goal is paused as failed with that error as its note.
    Where nothing is due the worker looks again with each goal that becomes active, and at least every
    `longest_pause_seconds`. `on_trouble` is called when something goes wrong with a goal, or with the store. `name`
    is the worker's name on its leases.

    Raises:
        InvalidNumber: a number is out of its range.
    """

    store: AsyncGoalStore
    make_loop: Callable[[Goal], GoalLoop]
    name: str
    concurrency: int = 1
    lease_seconds: float = 30.0
    longest_pause_seconds: float = 5.0
    on_trouble: Callable[[Goal | None, Exception], None] = ignore_trouble
    _stopping: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _loops: dict[str, GoalLoop] = field(default_factory=dict[str, GoalLoop], init=False)
    _driving: set["asyncio.Task[None]"] = field(default_factory=set["asyncio.Task[None]"], init=False)

    def __post_init__(self) -> None:
        if not 1 <= self.concurrency <= 1_000:
            raise InvalidNumber("concurrency must be from 1 to 1,000")
        if not _SHORTEST_PAUSE_SECONDS <= self.longest_pause_seconds <= 3_600:
            raise InvalidNumber("longest_pause_seconds must be from 0.5 to 3,600")

    def stop(self) -> None:
        """`run` comes to its end: running turns are cancelled, and other workers may go on with their goals at once."""
        self._stopping.set()

    async def run(self) -> None:
        """Goals were driven until `stop`, or until this task was cancelled; nothing that was started still runs.

        No goal was paused by the end of its worker. Neither a goal that another worker has taken over nor a store
        that is away ends it before.

        Raises:
            StoreClosed: the store was closed.
        """
        stopped: asyncio.Task[Any] = asyncio.ensure_future(self._stopping.wait())
        try:
            async with ChangeListener(self.store, self._on_event) as listener:
                await self._work(listener, stopped)
        finally:
            stopped.cancel()
            for task in self._driving:
                task.cancel()
            await asyncio.gather(*self._driving, return_exceptions=True)

    def _on_event(self, event: FeedEvent) -> bool:
        """Notify the loop of the goal that has changed, and return whether the worker should look for goals."""
        loop = self._loops.get(event.event.goal_id)
        if loop is not None:
            loop.notice_change()
        return event.event.kind in _CLAIMABLE

    async def _work(self, listener: ChangeListener, stopped: "asyncio.Task[Any]") -> None:
        pause = _SHORTEST_PAUSE_SECONDS
        while not stopped.done():
            free = self.concurrency - len(self._driving)
            leases = await self._claim(free) if free else []
            for lease in leases:
                self._driving.add(asyncio.create_task(self._run_leased(lease)))
            pause = _SHORTEST_PAUSE_SECONDS if leases else min(pause * 2, self.longest_pause_seconds)
            # Many workers that looked at the same moment would ask the store in step for ever.
            await self._rest(listener, stopped, pause * random.uniform(0.75, 1))

    async def _rest(self, listener: ChangeListener, stopped: "asyncio.Task[Any]", seconds: float) -> None:
        rung: asyncio.Task[Any] = asyncio.ensure_future(listener.changed())
        try:
            await asyncio.wait({rung, stopped, *self._driving}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            rung.cancel()
        self._driving -= {task for task in self._driving if task.done()}

    async def _claim(self, free: int) -> list[Lease]:
        try:
            return await self.store.claim_due(worker=self.name, ttl_seconds=self.lease_seconds, limit=free)
        except StoreClosed:
            raise
        except StoreError as error:
            self.on_trouble(None, error)
            return []

    async def _run_leased(self, lease: Lease) -> None:
        goal = lease.goal
        try:
            loop = self._loops[goal.id] = self.make_loop(goal)
            await loop.run_until_rest(lease)
        except (LeaseLost, StoreError) as error:
            self.on_trouble(goal, error)
        except Exception as error:
            self.on_trouble(goal, error)
            await self._give_up(goal, lease, error)
        finally:
            self._loops.pop(goal.id, None)

    async def _give_up(self, goal: Goal, lease: Lease, error: Exception) -> None:
        # Paused, it waits for a person: to claim it again at once would fail alike, and for ever.
        kind = "" if isinstance(error, GoalError) else f"{type(error).__name__}: "
        note = storable_tail(f"{kind}{error}", MAX_NOTE_CHARS)
        try:
            await self.store.pause(goal.id, reason=Reason.FAILED, note=note, actor=Actor.SYSTEM)
        except GoalError as trouble:
            self.on_trouble(goal, trouble)
        with suppress(GoalError):
            await self.store.release_lease(lease)
