"""What goes wrong with a store, as opposed to what it refuses."""

from typing import Final

from telic.domain.errors.base import GoalError


class StoreError(GoalError):
    """The store failed, as opposed to refusing. Subclasses say what was written."""

    code = "store_error"


class StoreBusy(StoreError):
    """Others held the store for longer than the time-out. Nothing was written; a retry is safe."""

    code = "store_busy"
    retryable = True


class StoreUnavailable(StoreError):
    """The store cannot be reached. Nothing was written; a retry is safe."""

    code = "store_unavailable"
    retryable = True


class OutcomeUnknown(StoreError):
    """The store failed while committing: the change may or may not be there.

    Repeat the call with `key`: it then happens exactly once.
    """

    code = "outcome_unknown"
    retryable = True

    def __init__(self, key: str | None) -> None:
        super().__init__(f"the store failed while committing; repeat the call with the key {key!r}")
        self.key = key


class StoreFull(StoreError):
    """The disk, or the database's allowance of it, is full. Nothing was written; retry when there is room."""

    code = "store_full"


class StoreMoved(StoreError):
    """The database file was deleted or replaced under the open store. Nothing was written; open it anew."""

    code = "store_moved"


class StoreCorrupt(StoreError):
    """The database holds what Telic cannot have written. Nothing was written; run `telic doctor`."""

    code = "store_corrupt"


class StoreMisconfigured(StoreError):
    """The path or URL cannot be a Telic store as it stands. Nothing was written; the message says what to mend."""

    code = "store_misconfigured"


class SchemaMismatch(StoreError):
    """The database's schema is newer than this Telic, or not Telic's. Nothing was written; upgrade Telic."""

    code = "schema_mismatch"


class StoreClosed(StoreError):
    """The store was closed before this call. Nothing was written; open a new one."""

    code = "store_closed"


PASSING: Final[tuple[type[StoreError], ...]] = (StoreBusy, StoreUnavailable, StoreFull, OutcomeUnknown)
"""What a store gets over, by itself or with an operator's help: whoever waits for it repeats the call with its key."""
