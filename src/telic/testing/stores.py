"""Stores for tests."""

from collections.abc import Generator
from contextlib import contextmanager

from telic.domain.clock import Clock
from telic.store.connect import SyncToAsyncStore, connect
from telic.store.goal_store import GoalStore

__all__ = ["SyncToAsyncStore", "temporary_store"]


@contextmanager
def temporary_store(*, clock: Clock | None = None, model_may_create: bool = False) -> Generator[GoalStore]:
    """Inside, an empty store in memory, as fast as a store gets; it is gone afterwards."""
    with connect(":memory:", clock=clock, model_may_create=model_may_create) as store:
        yield store
