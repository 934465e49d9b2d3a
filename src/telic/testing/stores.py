"""Stores for tests."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from telic.domain.clock import Clock
from telic.services.connect import connect
from telic.services.store import GoalStore


@contextmanager
def temporary_store(*, clock: Clock | None = None, model_may_create: bool = False) -> Generator[GoalStore]:
    """Inside, an empty store in memory, as fast as a store gets; it is gone afterwards."""
    with connect(":memory:", clock=clock, model_may_create=model_may_create) as store:
        yield store


class Awaited:
    """A blocking store with an async store's face, so that one test body serves both."""

    def __init__(self, store: GoalStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._store, name)

        async def call(*arguments: Any, **named: Any) -> Any:
            return method(*arguments, **named)

        return call
