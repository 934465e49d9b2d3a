"""A hook's patience with itself: a host's session must never hang on it."""

import os
import threading
from collections.abc import Callable
from typing import Final

from telic.integrations.hosts.log import Log

_ENOUGH: Final = 0


class Watchdog:
    """Ends the process, with no answer, when it takes too long: the host then goes on as if there were no hook.

    `before_end` is called then.
    """

    def __init__(self, log: Log) -> None:
        self.before_end: Callable[[], None] = _nothing
        self._log = log
        self._timer: threading.Timer | None = None

    def allow(self, seconds: float) -> None:
        """The process may take so long from now on."""
        self.stop()
        self._timer = threading.Timer(seconds, self._end, [seconds])
        self._timer.daemon = True
        self._timer.start()

    def stop(self) -> None:
        """The process is not ended any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _end(self, seconds: float) -> None:
        try:
            self._log.write(f"no answer within {seconds:.1f} seconds")
            self.before_end()
        finally:
            os._exit(_ENOUGH)


def _nothing() -> None:
    pass
