# Generated from src/telic/store/async_store.py: change that, then run `make generate`.

"""The blocking store."""

from telic.store.blocking.feed import FeedMethods
from telic.store.blocking.goals import GoalMethods
from telic.store.blocking.ledger import LedgerMethods
from telic.store.blocking.transitions import TransitionMethods


class GoalStore(GoalMethods, TransitionMethods, LedgerMethods, FeedMethods):
    """Goals in one database, for any number of threads, processes and machines.

    Made by `connect`. Every mutating call takes a `key`: the same call with the same key happens once, and
    is the safe retry after `OutcomeUnknown`. Every call may raise a `StoreError`; each says what was written.
    """

    def __enter__(self) -> "GoalStore":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
