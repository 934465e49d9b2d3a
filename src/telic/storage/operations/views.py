"""Views for readers: pages of many goals at a bounded cost, their counts, and one goal with all that is kept of it."""

from dataclasses import dataclass
from typing import Final

from telic.domain.errors import InvalidCursor
from telic.domain.goal import GoalStatus, Reason
from telic.domain.ids import check_id
from telic.domain.lifecycle import check_status
from telic.domain.limits import MAX_COUNTER, MAX_TEXT_CHARS, check_name, check_page_size, check_text
from telic.domain.views import MAX_COUNTED, GoalCounts, GoalOrder, GoalOverview, GoalPage, GoalPeek, UsagePoint
from telic.storage.operations.goals import fold_case
from telic.storage.operations.leases import lease
from telic.storage.operations.verdicts import standing
from telic.storage.records import event_from_row, hold_from_row, lease_state_from_row, record_from_row
from telic.storage.transaction import Row, Transaction, Value

LOOKED_AT: Final = 20_000
"""One page looks at so many goals where no index finds what is asked for: some tens of milliseconds."""

_NO_END: Final = 2**63 - 2
"""Above every number: what an index finds needs no end to the search, and no statement to ask for it."""

EVENTS_LOOKED_AT: Final = 5_000
"""As many events take as long: each one's goal is somewhere else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GoalFilter:
    """The goals that a page shows, and their order."""

    scope: str | None = None
    status: GoalStatus | None = None
    reason: Reason | None = None
    text: str | None = None
    worker: str | None = None
    order: GoalOrder = GoalOrder.NEWEST
    cursor: str | None = None
    limit: int = 50

    def parameters(self) -> dict[str, Value]:
        """Return the parameters of every statement of a listing, or raise InvalidInput if a filter is unusable."""
        return {
            "limit": check_page_size(self.limit) + 1,
            "text": None if self.text is None else fold_case(check_text("text", self.text, MAX_TEXT_CHARS)),
            "reason": None if self.reason is None else self.reason.value,
            "worker": None if self.worker is None else check_name("worker", self.worker),
        }

    def indexed(self) -> dict[str, Value]:
        """Return the filters that an index serves."""
        scope = None if self.scope is None else check_name("scope", self.scope)
        return {"scope": scope, "status": None if self.status is None else check_status(self.status).value}

    @property
    def is_searched_for(self) -> bool:
        """Whether goals must be looked at one by one."""
        others = (self.text, self.reason, self.worker)
        return self.order is GoalOrder.CHANGED or any(other is not None for other in others)

    def position(self) -> int | None:
        """Return where the page begins, or raise InvalidCursor if another listing made the cursor, or none."""
        if self.cursor is None:
            return None
        order, _, digits = self.cursor.partition("-") if isinstance(self.cursor, str) else ("", "", "")
        if order != self.order.value or not (digits.isascii() and digits.isdigit() and len(digits) < 19):
            raise InvalidCursor("the cursor was not made by this listing of goals")
        return int(digits)

    def page(self, rows: list[Row], span: "_Span") -> GoalPage:
        """Return the page of the rows that were found in the span."""
        shown = rows[: self.limit]
        is_full = len(rows) > self.limit
        position = shown[-1][0] if is_full else span.end
        cursor = None if position is None else f"{self.order.value}-{position}"
        entries = tuple(lease_state_from_row(row[1:]) for row in shown)
        return GoalPage(entries, cursor, is_cut_short=not is_full and cursor is not None)


@dataclass(frozen=True, slots=True)
class _Span:
    """The numbers strictly between which a page looks, and where the next one goes on if this one is not full."""

    above: int
    below: int
    end: int | None


async def list_goals(tx: Transaction, wanted: GoalFilter) -> GoalPage:
    """Return one page of the goals that match, with their workers."""
    parameters, indexed, position = wanted.parameters(), wanted.indexed(), wanted.position()
    span = _span(wanted, position, await _last(tx, wanted.order) if wanted.is_searched_for else _NO_END)
    between: dict[str, Value] = {"above": span.above, "below": span.below}
    if wanted.order is GoalOrder.CHANGED:
        rows = await tx.all("goals.list_changed", parameters | indexed | between)
    else:
        given = {name: value for name, value in indexed.items() if value is not None}
        rows = await tx.all(_statement(wanted), parameters | given | between)
    return wanted.page(rows, span)


def _statement(wanted: GoalFilter) -> str:
    statement = "goals.list" + ("_oldest" if wanted.order is GoalOrder.OLDEST else "")
    statement += "" if wanted.scope is None else "_in_scope"
    return statement + ("" if wanted.status is None else "_with_status")


async def _last(tx: Transaction, order: GoalOrder) -> int:
    row = await tx.one_or_none("goals.newest_numbers", {})
    assert row is not None
    return int(row[1] if order is GoalOrder.CHANGED else row[0])


def _span(wanted: GoalFilter, position: int | None, last: int) -> _Span:
    if wanted.order is GoalOrder.OLDEST:
        above = 0 if position is None else position
        below = above + LOOKED_AT + 1 if wanted.is_searched_for else last + 1
        return _Span(above, below, below - 1 if below <= last else None)
    below = last + 1 if position is None else min(position, last + 1)
    most = EVENTS_LOOKED_AT if wanted.order is GoalOrder.CHANGED else LOOKED_AT
    above = max(0, below - 1 - most) if wanted.is_searched_for else 0
    return _Span(above, below, above + 1 if above > 0 else None)


async def count(tx: Transaction, scope: str | None) -> GoalCounts:
    """Return how many goals there are by status, as far as it is worth counting."""
    if scope is None:
        each = [{"status": status.value, "limit": MAX_COUNTED} for status in GoalStatus]
        rows = [await tx.all("goals.count_with_status", asked) for asked in each]
        return GoalCounts(*(int(row[0]) for (row,) in rows))
    row = await tx.one_or_none("goals.count_in_scope", {"scope": check_name("scope", scope), "limit": MAX_COUNTED})
    assert row is not None
    return GoalCounts(*(int(number or 0) for number in row))


EVENTS_SHOWN: Final = 100
HOLDS_SHOWN: Final = 50
POINTS_SHOWN: Final = 120
LINES_READ: Final = 20_000
"""Of a longer ledger the newest lines are added up, so that looking at a goal stays cheap."""


async def peek(tx: Transaction, goal_id: str) -> GoalPeek:
    """Return the goal, its worker, and its open holds."""
    state = await lease(tx, goal_id)
    rows = await tx.all("holds.unsettled", {"id": state.goal.id, "limit": HOLDS_SHOWN})
    return GoalPeek(state, tuple(hold_from_row(row) for row in rows))


async def overview(tx: Transaction, goal_id: str) -> GoalOverview:
    """Return the goal with its history's end, how its criteria stand, and the course of its usage."""
    seen = await peek(tx, check_id(goal_id))
    latest: dict[str, Value] = {"id": goal_id, "before": MAX_COUNTER, "limit": EVENTS_SHOWN}
    return GoalOverview(
        peek=seen,
        criteria=await standing(tx, seen.goal),
        events=tuple(map(event_from_row, await tx.all("events.before", latest))),
        usage=await _usage(tx, goal_id),
    )


async def _usage(tx: Transaction, goal_id: str) -> tuple[UsagePoint, ...]:
    row = await tx.one_or_none("records.get", {"id": goal_id})
    assert row is not None
    lines = record_from_row(row).ledger_count
    after = max(0, lines - LINES_READ)
    together = max(1, -(-(lines - after) // POINTS_SHOWN))
    rows = await tx.all("turns.course", {"id": goal_id, "after": after, "lines": together})
    return tuple(UsagePoint(*point[1:]) for point in rows)
