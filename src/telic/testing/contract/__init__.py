"""The promises of every store, as async tests over a `store` (async face) and the `clock` it was opened with.

A backend's author imports the modules' names into a test module that has these two fixtures.
"""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

# Holds and leases last by the database's clock, which no test can set: so tests have them granted for a moment only.
SHORT_SECONDS = 0.05


async def expire() -> None:
    """Every hold and lease that was granted for `SHORT_SECONDS` has expired."""
    await asyncio.sleep(SHORT_SECONDS * 1.5)


async def refuses(error: type[Exception], *calls: Awaitable[object] | Callable[[], Awaitable[object]]) -> None:
    """Fail unless each of the calls raises the error; functions are called here, since some raise at once."""
    for call in calls:
        with pytest.raises(error):
            await (call() if callable(call) else call)
