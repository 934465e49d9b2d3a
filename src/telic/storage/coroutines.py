"""How blocking code runs an operation: the whole trick that lets each rule be written once."""

from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def complete(operation: Coroutine[Any, Any, T]) -> T:
    """What the coroutine returns; it awaits only a blocking transaction and so never suspends."""
    try:
        operation.send(None)
    except StopIteration as stop:
        value: T = stop.value
        return value
    operation.close()
    raise RuntimeError("an operation awaited something other than its transaction")
