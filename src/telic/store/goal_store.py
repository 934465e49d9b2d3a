# Generated from src/telic/store/async_store.py: change that, then run `make generate`.

"""The blocking front door."""

from telic.store.blocking.feed import FeedCalls
from telic.store.blocking.goals import GoalCalls
from telic.store.blocking.leases import LeaseCalls
from telic.store.blocking.ledger import LedgerCalls
from telic.store.blocking.moves import MoveCalls
from telic.store.blocking.queries import LookingCalls
from telic.store.blocking.reports import ReportCalls
from telic.store.blocking.verdicts import VerdictCalls


class GoalStore(GoalCalls, MoveCalls, LedgerCalls, LeaseCalls, VerdictCalls, FeedCalls, ReportCalls, LookingCalls):
    """Goals in one database, for any number of threads, processes and machines.

    Made by `connect`. Every mutating call takes a `key`: the same call with the same key happens once, and
    is the safe retry after `OutcomeUnknown`. Every call may raise a `StoreError`; each says what was written.
    """

    def __enter__(self) -> "GoalStore":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
