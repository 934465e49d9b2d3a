"""Until when a worker's commands may run: then its lease ends, and another worker may be at work in their folder."""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final


class Deadline:
    """A moment of the monotonic clock, which all processes of a machine share; each renewal of a lease moves it."""

    def __init__(self, at: float = float("inf")) -> None:
        self.at = at
        self._listeners: set[Callable[[float], None]] = set()

    @property
    def has_passed(self) -> bool:
        """Whether nothing may run any more."""
        return time.monotonic() >= self.at

    def move(self, at: float) -> None:
        """What runs may run until this moment; whoever sees to it was told."""
        self.at = at
        for tell in list(self._listeners):
            tell(at)

    @contextmanager
    def told_to(self, tell: Callable[[float], None]) -> Generator[None]:
        """Inside, each move is told."""
        self._listeners.add(tell)
        try:
            yield
        finally:
            self._listeners.discard(tell)

    def apply(self) -> None:
        """It holds for every command that the present context starts from now on."""
        _PRESENT.set(self)


_PRESENT: Final[ContextVar[Deadline | None]] = ContextVar("telic_deadline", default=None)


def present_deadline() -> Deadline:
    """The one that was applied in this context; one that never passes where none was."""
    return _PRESENT.get() or Deadline()
