# Generated from src/telic/services/async_store.py: change that, then run `make generate`.

"""The blocking front door."""

from telic.services.blocking.feed import FeedCalls
from telic.services.blocking.goals import GoalCalls
from telic.services.blocking.leases import LeaseCalls
from telic.services.blocking.ledger import LedgerCalls
from telic.services.blocking.looking import LookingCalls
from telic.services.blocking.moves import MoveCalls
from telic.services.blocking.reports import ReportCalls
from telic.services.blocking.verdicts import VerdictCalls


class GoalStore(GoalCalls, MoveCalls, LedgerCalls, LeaseCalls, VerdictCalls, FeedCalls, ReportCalls, LookingCalls):
    """Goals in one database, for any number of threads, processes and machines.

    Made by `connect`. Every mutating call takes a `key`: the same call with the same key happens once, and
    is the safe retry after `OutcomeUnknown`. Every call may raise a `StoreError`; each says what was written.
    """

    def __enter__(self) -> "GoalStore":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """The database is let go; calls already made are finished first. Idempotent."""
        self._driver.close()
