"""What a forked child must do with what it inherited."""

import os
import weakref
from collections.abc import Callable


def after_fork(target: object, method: str) -> None:
    """In every forked child, `target.method()` is called, as long as the target lives."""
    reference: Callable[[], object | None] = weakref.ref(target)

    def call() -> None:
        living = reference()
        if living is not None:
            getattr(living, method)()

    os.register_at_fork(after_in_child=call)
