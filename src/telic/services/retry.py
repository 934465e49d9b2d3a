"""Retries calls of a store that is away, locked or full, since such failures may pass by themselves."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from telic.domain.errors import PASSING

T = TypeVar("T")

_PAUSE_SECONDS: Final = 0.5
_LONGEST_PAUSE_SECONDS: Final = 10.0


async def retry(
    call: Callable[[], Awaitable[T]],
    *,
    seconds: float = float("inf"),
    longest_pause_seconds: float = _LONGEST_PAUSE_SECONDS,
    after_pause: Callable[[], Awaitable[object]] | None = None,
) -> T:
    """Return the call's result; while the store is away, retry for so many seconds.

    The call must be repeatable: it reads, or has a key, or changes nothing the second time. Pauses double up to the
    longest one; `after_pause` is awaited after each, and ends the retrying by raising.

    Raises:
        StoreBusy, StoreUnavailable, StoreFull, OutcomeUnknown: the store was away for longer.
    """
    until, pause = time.monotonic() + seconds, _PAUSE_SECONDS
    while True:
        try:
            return await call()
        except PASSING:
            # Only between attempts: a call that is under way is never cut off.
            if time.monotonic() >= until:
                raise
            await asyncio.sleep(pause)
            pause = min(pause * 2, longest_pause_seconds)
            if after_pause is not None:
                await after_pause()
