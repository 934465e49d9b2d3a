"""Noticing that anything may have been committed, by anybody: also turns and holds, which are no events of the feed."""

import asyncio
from collections.abc import Hashable

from telic.domain.errors import PASSING
from telic.store.async_store import AsyncGoalStore


class ChangeWatcher:
    """A watch over a whole store, for one task; the task itself finds out what changed.

    On SQLite a change is noticed within 40 ms. On PostgreSQL an event is noticed at once, and anything else within
    a second, because once a second everything counts as changed.
    """

    def __init__(self, store: AsyncGoalStore) -> None:
        self._changes = store.changes()
        self._seen: Hashable = None

    def mark(self) -> None:
        """Every commit from now on counts as a change; call this before reading."""
        try:
            self._seen = self._changes.token()
        except PASSING:
            self._seen = None

    async def wait(self, seconds: float) -> None:
        """Wait until there may have been a change since `mark`, but no longer than so many seconds."""
        if self._seen is None:
            await asyncio.sleep(min(seconds, 0.5))
            return
        await self._changes.wait(self._seen, seconds)

    def close(self) -> None:
        """The watch is over. Closing twice does nothing."""
        self._changes.close()
