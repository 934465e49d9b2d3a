"""A worker: drives whatever goals are due, of any scope, beside any number of workers on any machine."""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from telic.domain.errors import GoalError, InvalidNumber, LeaseLost, StoreClosed, StoreError
from telic.domain.events import EventKind, FeedEvent
from telic.domain.goal import Actor, Goal, Reason
from telic.domain.lease import Lease
from telic.domain.limits import MAX_NOTE_CHARS
from telic.loop.agents.protocol import kept_tail
from telic.loop.change_listener import ChangeListener
from telic.loop.goal_loop import GoalLoop
from telic.store.async_store import AsyncGoalStore

_CLAIMABLE: Final = frozenset({EventKind.CREATED, EventKind.RESUMED})
_SHORTEST_PAUSE_SECONDS: Final = 0.5

Trouble = Callable[[Goal | None, Exception], None]


def keep_quiet(_goal: Goal | None, _error: Exception) -> None:
    """Do nothing with the trouble: the listener where none was given."""


@dataclass(slots=True, kw_only=True)
class Worker:
    """Claims active goals that nobody drives, those served longest ago first, and drives up to `concurrency` at once.

    Goals whose time to wake has come are woken. `make_loop` gives each goal a loop of its own; where it raises a
    `GoalError`, or the agent anything that is none, the goal is paused as failed with that error as its note.
    Where nothing is due the worker looks again with each goal that becomes active, and at least every
    `longest_pause_seconds`. `on_trouble` hears of what went wrong with a goal, or with the store.

    Raises:
        InvalidNumber: a number is out of its range.
    """

    store: AsyncGoalStore
    make_loop: Callable[[Goal], GoalLoop]
    holder: str
    concurrency: int = 1
    lease_seconds: float = 30.0
    longest_pause_seconds: float = 5.0
    on_trouble: Trouble = keep_quiet
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
            async with ChangeListener(self.store, self._hears) as listener:
                await self._work(listener, stopped)
        finally:
            stopped.cancel()
            for task in self._driving:
                task.cancel()
            await asyncio.gather(*self._driving, return_exceptions=True)

    def _hears(self, event: FeedEvent) -> bool:
        """A goal's loop is told of every change; whether the worker should look for goals."""
        loop = self._loops.get(event.event.goal_id)
        if loop is not None:
            loop.poke()
        return event.event.kind in _CLAIMABLE

    async def _work(self, listener: ChangeListener, stopped: "asyncio.Task[Any]") -> None:
        pause = _SHORTEST_PAUSE_SECONDS
        while not stopped.done():
            free = self.concurrency - len(self._driving)
            leases = await self._claim(free) if free else []
            for lease in leases:
                self._driving.add(asyncio.create_task(self._run_leased(lease)))
            pause = _SHORTEST_PAUSE_SECONDS if leases else min(pause * 2, self.longest_pause_seconds)
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
            return await self.store.claim_due(holder=self.holder, ttl_seconds=self.lease_seconds, limit=free)
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
        """The goal waits for a person: to claim it again at once would fail alike, and for ever."""
        kind = "" if isinstance(error, GoalError) else f"{type(error).__name__}: "
        note = kept_tail(f"{kind}{error}", MAX_NOTE_CHARS)
        try:
            await self.store.pause(goal.id, reason=Reason.FAILED, note=note, actor=Actor.SYSTEM)
        except GoalError as trouble:
            self.on_trouble(goal, trouble)
        with suppress(GoalError):
            await self.store.release_lease(lease)
