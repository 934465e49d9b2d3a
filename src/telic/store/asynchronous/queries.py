"""Looking over many goals, and at one with all that is kept of it."""

from functools import partial
from pathlib import Path

from telic.domain.ids import check_id
from telic.domain.views import GoalCounts, GoalGlance, GoalOverview
from telic.storage.operations import listing, overview
from telic.storage.transaction import Mode
from telic.store.asynchronous.base import StoreBase, aside
from telic.store.backup import back_up


class LookingCalls(StoreBase):
    """Looking over many goals, and at one with all that is kept of it."""

    async def count(self, *, scope: str | None = None) -> GoalCounts:
        """How many goals there are by status, in one scope or in all, each up to 10,000."""
        return await self.run("count", lambda tx: listing.count(tx, scope), Mode.READ)

    async def glance(self, goal_id: str) -> GoalGlance:
        """The goal with who drives it and its open holds: what tells whether its overview changed. Raises as `get`."""
        return await self.run("glance", lambda tx: overview.glance(tx, check_id(goal_id)), Mode.READ)

    async def overview(self, goal_id: str) -> GoalOverview:
        """The goal with its latest events, verdicts, holds and the course of its usage, as of one moment.

        Raises as `get`.
        """
        return await self.run("overview", lambda tx: overview.overview(tx, goal_id), Mode.READ)

    async def backup(self, path: str | Path, *, overwrite: bool = False, verify: bool = True) -> Path:
        """The path of the file, which holds the whole store as it was at some moment since, also while others write.

        It is checked as by `telic doctor` before it bears its name, is private (0600), and survives a power cut from
        then on. A file that is there is replaced only with `overwrite`. To restore it, close every store on the
        former file, and put the backup in its place. PostgreSQL has tools of its own, which the error names.

        Raises:
            InvalidInput: the path cannot be written to, is taken, or is a store in use; or the store is no file.
            StoreCorrupt: the copy is not sound, as the store is not; nothing was kept. `verify=False` keeps it.
            StoreFull, StoreUnavailable: nothing was kept.
        """
        return await aside(partial(back_up, self._driver, path, overwrite=overwrite, verify=verify))
