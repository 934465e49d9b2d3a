"""For users' test suites and for authors of backends: a clock to set, temporary stores, the contract suite."""

from telic.testing.clock import FakeClock
from telic.testing.stores import SyncToAsyncStore, temporary_store

__all__ = ["FakeClock", "SyncToAsyncStore", "temporary_store"]
