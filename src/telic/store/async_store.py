"""The async store."""

from telic.store.asynchronous.feed import FeedMethods
from telic.store.asynchronous.goals import GoalMethods
from telic.store.asynchronous.ledger import LedgerMethods
from telic.store.asynchronous.transitions import TransitionMethods


class AsyncGoalStore(GoalMethods, TransitionMethods, LedgerMethods, FeedMethods):
    """Goals in one database, for any number of tasks of one event loop, processes and machines.

    Made by `connect_async`. Every mutating call takes a `key`: the same call with the same key happens once, and
    is the safe retry after `OutcomeUnknown`. Every call may raise a `StoreError`; each says what was written.
    """

    async def __aenter__(self) -> "AsyncGoalStore":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
