"""For users' test suites and for authors of backends: a clock to set, temporary stores, the contract suite."""

from collections.abc import Generator
from contextlib import contextmanager

from telic.domain.clock import MICRO, Clock, Instant
from telic.store.connect import SyncToAsyncStore, connect
from telic.store.goal_store import GoalStore

__all__ = ["FakeClock", "SyncToAsyncStore", "temporary_store"]


class FakeClock:
    """Gives the time that a test has set, in microseconds since the epoch; it may jump either way."""

    def __init__(self, microseconds: int = 1_800_000_000_000_000) -> None:
        self.microseconds = microseconds

    def now(self) -> Instant:
        """The present instant."""
        return Instant(self.microseconds)

    def advance(self, seconds: float) -> None:
        """The time is this much later; earlier, for a negative number."""
        self.microseconds += round(seconds * MICRO)


@contextmanager
def temporary_store(*, clock: Clock | None = None, model_may_create: bool = False) -> Generator[GoalStore]:
    """Inside, an empty store in memory, as fast as a store gets; it is gone afterwards."""
    with connect(":memory:", clock=clock, model_may_create=model_may_create) as store:
        yield store
