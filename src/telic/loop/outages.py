"""Outlasting what passes by itself: a store that is away, or locked, or full."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from telic.domain.errors import PASSING

T = TypeVar("T")

_RETRY_SECONDS: Final = 0.5
_LONGEST_RETRY_SECONDS: Final = 10.0


async def outlasting(call: Callable[[], Awaitable[T]]) -> T:
    """What the call gives, made again for as long as the store is away; it must be repeatable."""
    pause = _RETRY_SECONDS
    while True:
        try:
            return await call()
        except PASSING:
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_RETRY_SECONDS)
