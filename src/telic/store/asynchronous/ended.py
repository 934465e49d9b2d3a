"""What goals that have ended owe to the ledger."""

from contextlib import suppress
from functools import partial

from telic.domain.errors import StoreError
from telic.storage.operations import estimates
from telic.storage.transaction import Mode
from telic.store.asynchronous.base import StoreBase


class EndedCalls(StoreBase):
    """Counting what goals that have ended may have cost, for whoever looks at that."""

    async def _count_expired_of_ended(self, goal_id: str | None) -> None:
        """Expired holds of goals that have ended, or of this one if it has, are in the ledger, if the store lets it."""
        with suppress(StoreError):
            is_needed = partial(estimates.has_ended_overdue, goal_id=goal_id)
            if await self._driver.run(is_needed, Mode.READ, None):
                count = partial(estimates.count_expired_of_ended, at=self._context.now(), goal_id=goal_id)
                await self._driver.run(count, Mode.ATOMIC, None)
