"""How many goals have each status: counted once, then kept by what the feed says has changed."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from telic.domain.goal import GoalStatus
from telic.storage.operations import feed
from telic.storage.transaction import Driver, Mode

_MOST_PAGES: Final = 10
"""When more has changed than so many thousand events, counting anew costs less than reading them."""


class StatusCounter:
    """The numbers of one store's goals, read on a connection of its own, in whatever thread asks.

    It costs what has changed since it was asked last, however many goals there are.
    """

    def __init__(self, opening: Callable[[], Driver]) -> None:
        self._opening = opening
        self._lock = threading.Lock()
        self._driver: Driver | None = None
        self._is_closed = False
        self._counts: Counter[GoalStatus] = Counter()
        self._cursor: str | None = None

    def counts(self) -> Mapping[GoalStatus, int]:
        """How many goals have each status; none where the store was closed.

        Raises:
            StoreError: the store does not answer.
        """
        with self._lock:
            if self._is_closed:
                return {}
            if self._driver is None:
                self._driver = self._opening()
            if self._cursor is None or not self._has_caught_up(self._driver, self._cursor):
                self._counts, self._cursor = self._driver.run(feed.status_counts, Mode.READ, None)
            return {status: self._counts[status] for status in GoalStatus}

    @property
    def store_id(self) -> str:
        """Which database it is, once it was counted."""
        return (self._cursor or "").partition("/")[0]

    def _has_caught_up(self, driver: Driver, cursor: str) -> bool:
        for _ in range(_MOST_PAGES):
            page = driver.run(partial(feed.status_moves, after=cursor), Mode.READ, None)
            for source, target in page.moves:
                self._counts[target] += 1
                if source is not None:
                    self._counts[source] -= 1
            self._cursor = cursor = page.cursor
            if page.is_last:
                return True
        return False

    def close(self) -> None:
        """Its connection is let go. Idempotent."""
        with self._lock:
            self._is_closed = True
            if self._driver is not None:
                self._driver.close()
                self._driver = None
