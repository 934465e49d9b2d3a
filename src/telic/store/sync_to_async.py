"""How a service written once, as coroutines over an async store, also runs on a blocking one."""

from typing import Any

from telic.storage.coroutines import complete as complete
from telic.store.goal_store import GoalStore


class Awaited:
    """A blocking store with an async store's face, so that one coroutine serves both; it never suspends on it."""

    def __init__(self, store: GoalStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)
        if not callable(method):
            return method

        async def call(*arguments: Any, **named: Any) -> Any:
            return method(*arguments, **named)

        return call
