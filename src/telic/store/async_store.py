"""The async front door."""

from telic.store.asynchronous.feed import FeedCalls
from telic.store.asynchronous.goals import GoalCalls
from telic.store.asynchronous.leases import LeaseCalls
from telic.store.asynchronous.ledger import LedgerCalls
from telic.store.asynchronous.moves import MoveCalls
from telic.store.asynchronous.queries import LookingCalls
from telic.store.asynchronous.reports import ReportCalls
from telic.store.asynchronous.verdicts import VerdictCalls


class AsyncGoalStore(GoalCalls, MoveCalls, LedgerCalls, LeaseCalls, VerdictCalls, FeedCalls, ReportCalls, LookingCalls):
    """Goals in one database, for any number of tasks of one event loop, processes and machines.

    Made by `connect_async`. Every mutating call takes a `key`: the same call with the same key happens once, and
    is the safe retry after `OutcomeUnknown`. Every call may raise a `StoreError`; each says what was written.
    """

    async def __aenter__(self) -> "AsyncGoalStore":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
