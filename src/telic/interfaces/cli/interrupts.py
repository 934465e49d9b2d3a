"""What signals do to a running command: the first ends it cleanly, the second at once."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

from telic.loop.agents.process_group import kill_children

_ENDING: Final = (signal.SIGTERM, signal.SIGHUP)


@contextmanager
def handling_signals(
    *, on_interrupt: Callable[[], None], on_end: Callable[[], None], before_exit: Callable[[], None]
) -> Generator[None]:
    """Ctrl-C calls `on_interrupt`, SIGTERM and SIGHUP call `on_end`.

    Any after that kills the agents with everything they started, and ends the process; `before_exit` comes first.
    """
    loop = asyncio.get_running_loop()
    seen: list[int] = []

    def receive(number: int, first: Callable[[], None]) -> None:
        if seen:
            before_exit()
            kill_children()
            sys.stdout.flush()
            os._exit(128 + number)
        seen.append(number)
        first()

    loop.add_signal_handler(signal.SIGINT, receive, signal.SIGINT, on_interrupt)
    for number in _ENDING:
        loop.add_signal_handler(number, receive, number, on_end)
    try:
        yield
    finally:
        for number in (signal.SIGINT, *_ENDING):
            loop.remove_signal_handler(number)
