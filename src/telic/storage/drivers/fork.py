"""What happens to a store when its process forks."""

import os
import weakref
from collections.abc import Callable
from typing import Protocol


class Forked(Protocol):
    """What must be at rest when the process forks, and is two afterwards."""

    def before_fork(self) -> None:
        """Nothing is under way, and nothing begins."""
        ...

    def after_fork_in_parent(self) -> None:
        """Work goes on."""
        ...

    def after_fork_in_child(self) -> None:
        """What is the parent's is let go; the child makes its own when it needs it."""
        ...


def watch_forks(target: Forked) -> None:
    """As long as the target lives, it is told of every fork."""
    reference = weakref.ref(target)

    def tell(method: Callable[[Forked], None]) -> None:
        living = reference()
        if living is not None:
            method(living)

    os.register_at_fork(
        before=lambda: tell(lambda living: living.before_fork()),
        after_in_parent=lambda: tell(lambda living: living.after_fork_in_parent()),
        after_in_child=lambda: tell(lambda living: living.after_fork_in_child()),
    )
