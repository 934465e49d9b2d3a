"""What every part of the async store works with."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from telic.observability.observer import Observer
from telic.storage.transaction import AsyncDriver
from telic.store.context import Context

T = TypeVar("T")


class StoreBase:
    """A driver, and what the host has set."""

    def __init__(self, driver: AsyncDriver, context: Context) -> None:
        self._driver = driver
        self._context = context

    @property
    def observer(self) -> Observer:
        """What observes the store; it observes nothing where none was given."""
        return self._context.observer

    @property
    def files(self) -> tuple[Path, ...]:
        """The whole paths of the files that the store has, or may have; none where it is on a server or in memory."""
        return self._context.files


async def aside(work: Callable[[], T]) -> T:
    """Return what the work gives, done in a thread: it blocks."""
    return await asyncio.to_thread(work)


async def let_others_run() -> None:
    """Other tasks have had a turn: reads of SQLite never wait, and so would keep them from going on."""
    await asyncio.sleep(0)
