"""The promises of every store, as async tests over a `store` (async face) and the `clock` it was opened with.

A backend's author imports the modules' names into a test module that has these two fixtures.
"""

import asyncio

# Holds and leases last by the database's clock, which no test can set: so tests have them granted for a moment only.
SHORT_SECONDS = 0.05


async def expire() -> None:
    """Every hold and lease that was granted for `SHORT_SECONDS` has expired."""
    await asyncio.sleep(SHORT_SECONDS * 1.5)
