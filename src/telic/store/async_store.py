"""The async store, and a watch over everything that is committed to it."""

import asyncio
from collections.abc import Hashable

from telic.domain.errors import PASSING
from telic.store.asynchronous.feed import FeedMethods
from telic.store.asynchronous.goals import GoalMethods
from telic.store.asynchronous.ledger import LedgerMethods
from telic.store.asynchronous.transitions import TransitionMethods


class AsyncGoalStore(GoalMethods, TransitionMethods, LedgerMethods, FeedMethods):
    """Goals in one database, for any number of tasks of one event loop, processes and machines.

    Made by `connect_async`. Every mutating call takes a `key`: the same call with the same key happens once, and
    is the safe retry after `OutcomeUnknown`. Every call may raise a `StoreError`; each says what was written.
    """

    async def __aenter__(self) -> "AsyncGoalStore":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


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
