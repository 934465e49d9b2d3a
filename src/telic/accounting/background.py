"""The two jobs beside a host without an event loop, one that writes and one that watches: threads of their own."""

import atexit
import contextlib
import threading
import weakref
from collections.abc import Callable
from typing import Any

from telic.accounting.base import EXIT_SECONDS, FLUSH_PAUSE_SECONDS, WATCH_SECONDS, AccountingBase


class Background:
    """Runs an accounting's jobs, wakes the one that writes, and lets it wait and call out."""

    def __init__(self) -> None:
        self._work = threading.Event()
        self._writer: threading.Thread | None = None
        self._watcher: threading.Thread | None = None

    def start(self, accounting: AccountingBase) -> None:
        """Both jobs run, and the end of the program closes the accounting."""

        def write() -> None:
            try:
                accounting.write()
            finally:
                accounting.close_files()

        self._writer = threading.Thread(target=write, name="telic-accounting", daemon=True)
        self._watcher = threading.Thread(target=accounting.watch, name="telic-accounting-watch", daemon=True)
        self._writer.start()
        self._watcher.start()
        reference = weakref.ref(accounting)
        self._at_exit = lambda: _close(reference)
        atexit.register(self._at_exit)

    @property
    def is_running(self) -> bool:
        """Whether the jobs were started in this process."""
        return self._writer is not None

    def is_writer(self) -> bool:
        """Return whether the caller is the job that writes, which cannot wait for itself."""
        return threading.current_thread() is self._writer

    def end(self, timeout_seconds: float) -> None:
        """Both jobs have ended, or the seconds are over."""
        if self._writer is not None and not self.is_writer():
            self._writer.join(timeout_seconds + FLUSH_PAUSE_SECONDS)
            with contextlib.suppress(AttributeError):
                atexit.unregister(self._at_exit)
        if self._watcher is not None and self._watcher is not threading.current_thread():
            self._watcher.join(2 * WATCH_SECONDS)

    def wake(self) -> None:
        """The job that writes looks for work now, or as soon as it rests."""
        if not self._work.is_set():
            self._work.set()

    @property
    def is_woken(self) -> bool:
        """Whether `wake` was called since the last rest."""
        return self._work.is_set()

    def rest(self, seconds: float) -> None:
        """Somebody called `wake`, or the seconds are over."""
        self._work.wait(seconds)
        self._work.clear()

    def call(self, callback: Callable[[], Any]) -> None:
        """The host's callback was called."""
        callback()

    def offload(self, function: Callable[[], None]) -> None:
        """The function, which waits for the disk, has returned."""
        function()


def _close(reference: "weakref.ref[AccountingBase]") -> None:
    accounting = reference()
    if accounting is not None:
        accounting.close(EXIT_SECONDS)
