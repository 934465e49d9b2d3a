"""The ledger added up."""

from telic.domain.clock import Instant
from telic.domain.report import UsageFilter, UsageGrouping, UsageReport
from telic.storage.transaction import Mode
from telic.store.asynchronous.base import let_others_run
from telic.store.asynchronous.ended import EndedCalls
from telic.store.usage_report import Reporter


class ReportCalls(EndedCalls):
    """The ledger added up."""

    async def usage(
        self,
        *,
        by: UsageGrouping = UsageGrouping.GOAL,
        scope: str | None = None,
        goal_id: str | None = None,
        since: Instant | None = None,
        until: Instant | None = None,
        limit: int = 1000,
    ) -> UsageReport:
        """What was consumed, of one goal or one scope or all, by goal, scope, kind, model or day in UTC.

        Of turns recorded at or after `since` and before `until`, in microseconds since the epoch. The `limit`
        (1 to 100,000) groups with the most tokens are named, of days the latest; the total has all. Sums are
        exact, however large. The ledger is read in small parts, which hold up nobody: turns recorded meanwhile may
        be in the report or not. A whole ledger by goal or scope costs as many reads as there are goals; any other
        report as many as there are turns. What expired holds of goals that have ended may have cost is counted first,
        as estimates.

        Raises:
            GoalNotFound, InvalidInput: an argument is unusable.
        """
        reporter = Reporter(UsageFilter(by=by, scope=scope, goal_id=goal_id, since=since, until=until, limit=limit))
        await self._count_expired_of_ended(goal_id)
        while reporter.is_unfinished:
            reporter.took(await self._driver.run(reporter.next_step, Mode.READ, None))
            await let_others_run()
        return reporter.report()
