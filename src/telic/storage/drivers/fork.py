"""Stores whose process forks (ADR 9)."""

import os
import weakref
from collections.abc import Callable
from typing import Protocol


class Forked(Protocol):
    """Something that must be at rest when the process forks; work goes on in the parent.

    The child leaves to the parent what is the parent's, and makes its own when it needs it.
    """

    def before_fork(self) -> None: ...
    def after_fork_in_parent(self) -> None: ...
    def after_fork_in_child(self) -> None: ...


def watch_forks(target: Forked) -> None:
    """As long as the target lives, its methods are called at every fork."""
    reference = weakref.ref(target)

    def at_fork(method: str) -> Callable[[], None]:
        # What is registered can never be taken back, so it must not keep the target alive.
        return lambda: getattr(reference(), method, lambda: None)()

    os.register_at_fork(
        before=at_fork("before_fork"),
        after_in_parent=at_fork("after_fork_in_parent"),
        after_in_child=at_fork("after_fork_in_child"),
    )
