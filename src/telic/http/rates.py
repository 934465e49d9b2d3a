"""How often clients may ask, and how often an address may guess."""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

_MAX_ADDRESSES: Final = 1_000
_GUESSES: Final = 20


class TokenBucket:
    """At most `burst` at once, and `per_second` in the long run."""

    def __init__(self, *, burst: float, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._burst = burst
        self._per_second = per_second
        self._left = burst
        self._at = clock()

    def take(self) -> bool:
        """Return whether one more is allowed now; then it is counted."""
        now = self._clock()
        self._left = min(self._burst, self._left + (now - self._at) * self._per_second)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def give_back(self) -> None:
        """One that was taken is not counted."""
        self._left = min(self._burst, self._left + 1)


class RequestRates:
    """One bucket for all clients that were let in, and one for each address whose credentials were refused."""

    def __init__(
        self, *, requests_per_second: float, guesses: int = _GUESSES, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._guesses = guesses
        self._clients = TokenBucket(burst=2 * requests_per_second, per_second=requests_per_second, clock=clock)
        self._strangers: OrderedDict[str, TokenBucket] = OrderedDict()

    def allows_client(self) -> bool:
        """Return whether one more request of a client that was let in is served."""
        return self._clients.take()

    def guesses_of(self, address: str) -> TokenBucket:
        """Return what counts the guesses of the address; of many addresses the oldest is forgotten."""
        bucket = self._strangers.pop(address, None) or TokenBucket(burst=self._guesses, per_second=1, clock=self._clock)
        self._strangers[address] = bucket
        if len(self._strangers) > _MAX_ADDRESSES:
            self._strangers.popitem(last=False)
        return bucket
