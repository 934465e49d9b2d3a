# Generated from src/telic/store/async_store.py: change that, then run `make generate`.

"""The blocking store, and a watch over everything that is committed to it."""

import time
from collections.abc import Hashable

from telic.domain.errors import PASSING
from telic.store.blocking.feed import FeedMethods
from telic.store.blocking.goals import GoalMethods
from telic.store.blocking.ledger import LedgerMethods
from telic.store.blocking.transitions import TransitionMethods


class GoalStore(GoalMethods, TransitionMethods, LedgerMethods, FeedMethods):
    """Goals in one database, for any number of threads, processes and machines.

    Made by `connect`. Every mutating call takes a `key`: the same call with the same key happens once, and
    is the safe retry after `OutcomeUnknown`. Every call may raise a `StoreError`; each says what was written.
    """

    def __enter__(self) -> "GoalStore":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class ChangeWatcher:
    """A watch over a whole store, for one task; the task itself finds out what changed.

    On SQLite a change is noticed within 40 ms. On PostgreSQL an event is noticed at once, and anything else within
    a second, because once a second everything counts as changed.
    """

    def __init__(self, store: GoalStore) -> None:
        self._changes = store.changes()
        self._seen: Hashable = None

    def mark(self) -> None:
        """Every commit from now on counts as a change; call this before reading."""
        try:
            self._seen = self._changes.token()
        except PASSING:
            self._seen = None

    def wait(self, seconds: float) -> None:
        """Wait until there may have been a change since `mark`, but no longer than so many seconds."""
        if self._seen is None:
            time.sleep(min(seconds, 0.5))
            return
        self._changes.wait(self._seen, seconds)

    def close(self) -> None:
        """The watch is over. Closing twice does nothing."""
        self._changes.close()
