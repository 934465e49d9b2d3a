"""How tests let holds and leases expire: their clock cannot be set, so they are granted for a moment only."""

import asyncio

SHORT_SECONDS = 0.05


async def expire() -> None:
    """What was granted for `SHORT_SECONDS` has expired."""
    await asyncio.sleep(SHORT_SECONDS * 1.5)
