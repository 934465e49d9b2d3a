"""Noticing changes of an SQLite file in an event loop; apart, since asyncio takes as long to load as all the rest."""

import asyncio
from collections.abc import Hashable

from telic.storage.drivers.sqlite_changes import POLL_SECONDS, VersionWatch


class AsyncSqliteChanges(VersionWatch):
    """See `AsyncChanges`."""

    async def wait(self, token: Hashable, seconds: float) -> None:
        """See `Changes.wait`."""
        for pause, told in self.pauses(token, seconds):
            if told is None:
                await asyncio.sleep(pause)
            else:
                await _readable(told.descriptor, pause)
        # A look at a file whose readers are locked out may outlast the time: whoever could end that has a turn.
        await asyncio.sleep(0)


async def _readable(descriptor: int, seconds: float) -> None:
    """The descriptor can be read, or the seconds are over."""
    loop = asyncio.get_running_loop()
    is_readable = asyncio.Event()
    try:
        loop.add_reader(descriptor, is_readable.set)
    except NotImplementedError:
        await asyncio.sleep(min(seconds, POLL_SECONDS))
        return
    try:
        async with asyncio.timeout(seconds):
            await is_readable.wait()
    except TimeoutError:
        return
    finally:
        loop.remove_reader(descriptor)
