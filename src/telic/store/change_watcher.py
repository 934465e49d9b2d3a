"""Noticing that anybody may have committed anything: also turns and holds, which the feed of events does not tell."""

import asyncio
from collections.abc import Hashable

from telic.domain.errors import PASSING
from telic.store.async_store import AsyncGoalStore


class Observer:
    """One watch over a whole store, for one task; what changed is for the task to find out.

    On SQLite a change is noticed within 40 ms. On PostgreSQL an event is noticed at once, and anything else within
    a second, in which whatever is looked at counts as changed.
    """

    def __init__(self, store: AsyncGoalStore) -> None:
        self._changes = store.changes()
        self._seen: Hashable = None

    def note(self) -> None:
        """What is committed from now on counts as a change; say so before looking."""
        try:
            self._seen = self._changes.token()
        except PASSING:
            self._seen = None

    async def wait(self, seconds: float) -> None:
        """There may be a change since `note`, or the seconds are over."""
        if self._seen is None:
            await asyncio.sleep(min(seconds, 0.5))
            return
        await self._changes.wait(self._seen, seconds)

    def close(self) -> None:
        """What it holds is let go. Idempotent."""
        self._changes.close()
