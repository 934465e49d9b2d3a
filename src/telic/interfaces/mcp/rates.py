"""How often a client may ask, and a stranger may guess."""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

_MOST_STRANGERS: Final = 1_000


class Bucket:
    """At most `burst` at once, and `per_second` in the long run."""

    def __init__(self, *, burst: float, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._burst = burst
        self._per_second = per_second
        self._left = burst
        self._at = clock()

    def take(self) -> bool:
        """Whether one more is allowed now; then it is counted."""
        now = self._clock()
        self._left = min(self._burst, self._left + (now - self._at) * self._per_second)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Rates:
    """One bucket for those who have the token, and one for each address that shows a wrong one."""

    def __init__(self, *, requests_per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known = Bucket(burst=2 * requests_per_second, per_second=requests_per_second, clock=clock)
        self._strangers: OrderedDict[str, Bucket] = OrderedDict()

    def allows_client(self) -> bool:
        """Whether a request that carries the token is served."""
        return self._known.take()

    def allows_stranger(self, address: str) -> bool:
        """Whether a request from there is still told that its token is wrong."""
        bucket = self._strangers.pop(address, None) or Bucket(burst=20, per_second=1, clock=self._clock)
        self._strangers[address] = bucket
        if len(self._strangers) > _MOST_STRANGERS:
            self._strangers.popitem(last=False)
        return bucket.take()
