"""A blocking store as an async one, so that a service that is written once, as coroutines, runs on both."""

from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any, cast

from telic.domain.goal import Goal
from telic.storage.transaction import complete as complete
from telic.store.goal_store import GoalStore

if TYPE_CHECKING:
    from telic.store.async_store import AsyncGoalStore


class SyncToAsyncStore:
    """A blocking store with the methods of an async one; awaiting them never suspends."""

    def __init__(self, store: GoalStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._store, name)

        async def call(*arguments: Any, **named: Any) -> Any:
            return method(*arguments, **named)

        return call

    async def iterate(self, **filters: Any) -> AsyncIterator[Goal]:
        """See `AsyncGoalStore.iterate`."""
        for goal in self._store.iterate(**filters):
            yield goal


def as_async_store(store: GoalStore) -> "AsyncGoalStore":
    """Return the blocking store as an async one, whose coroutines `complete` runs to their end."""
    # The one cast: the blocking methods are generated from the async ones, so each of them is there.
    return cast("AsyncGoalStore", SyncToAsyncStore(store))
