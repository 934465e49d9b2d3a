"""How a change of an SQLite file is noticed: by looking at its version, which costs microseconds."""

import asyncio
import time
from collections.abc import Callable, Hashable, Iterator
from typing import Final

from telic.domain.errors import StoreBusy, StoreUnavailable

POLL_SECONDS: Final = 0.04
"""Twenty-five looks a second cost half a percent of a core, and find a change after 20 ms on average."""


class _Version:
    """Asks for the version that SQLite gives a file with every commit of any process."""

    def __init__(self, version: Callable[[], Hashable]) -> None:
        self.token = version

    def pauses(self, token: Hashable, seconds: float) -> Iterator[float]:
        """How long to sleep before each next look, until the version is another or the seconds are over."""
        deadline = time.monotonic() + seconds
        while self._is_still(token) and (left := deadline - time.monotonic()) > 0:
            yield min(POLL_SECONDS, left)

    def _is_still(self, token: Hashable) -> bool:
        try:
            return self.token() == token
        except (StoreBusy, StoreUnavailable):
            # Nobody can tell now; whoever waits looks again when the time is over.
            return True

    def close(self) -> None:
        """See `Changes.close`; it holds nothing of its own."""


class SqliteChanges(_Version):
    """See `Changes`."""

    def wait(self, token: Hashable, seconds: float) -> None:
        """See `Changes.wait`."""
        for pause in self.pauses(token, seconds):
            time.sleep(pause)


class AsyncSqliteChanges(_Version):
    """See `AsyncChanges`."""

    async def wait(self, token: Hashable, seconds: float) -> None:
        """See `Changes.wait`."""
        for pause in self.pauses(token, seconds):
            await asyncio.sleep(pause)
        # A look at a file whose readers are locked out may outlast the time: whoever could end that has a turn.
        await asyncio.sleep(0)
