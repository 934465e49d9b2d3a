"""The list of goals."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from telic.domain.errors import InvalidInput
from telic.domain.goal import GoalStatus, Reason
from telic.domain.lease import LeaseState
from telic.domain.lifecycle import REASONS
from telic.domain.views import MAX_COUNTED, GoalCounts, GoalOrder, GoalPage
from telic.interfaces.web.pages import AppState, state_of
from telic.services.insight import list_goals

PAGE_SIZE: Final = 50
Word = TypeVar("Word", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class ListQuery:
    """A query of the list; its names are those of the page's address."""

    scope: str | None = None
    status: GoalStatus | None = None
    reason: Reason | None = None
    search: str | None = None
    worker: str | None = None
    order: GoalOrder = GoalOrder.NEWEST
    cursor: str | None = None

    def address(self, **changed: Any) -> str:
        """Return the address of the list with these changes; it begins at the first page unless a cursor is given."""
        wanted = {field.name: getattr(self, field.name) for field in fields(self)} | {"cursor": None} | changed
        given = {name: str(value) for name, value in wanted.items() if value is not None}
        if given["order"] == GoalOrder.NEWEST:
            del given["order"]
        return "/" + (f"?{urlencode(given)}" if given else "")

    @property
    def live_address(self) -> str:
        """Return the address of the stream of its changes."""
        return "/live" + self.address(cursor=self.cursor)

    @property
    def is_narrowed(self) -> bool:
        """Return whether some goals are left out."""
        return any((self.scope, self.status, self.reason, self.search, self.worker))


def parse_query(parameters: Mapping[str, str], pinned_scope: str | None) -> ListQuery:
    """Return the query that an address means; what is empty is not asked for.

    Raises:
        InvalidInput: a part of it means nothing.
    """
    given = {name: value.strip() for name, value in parameters.items() if value.strip()}
    return ListQuery(
        scope=pinned_scope or given.get("scope"),
        status=_word(GoalStatus, "status", given.get("status")),
        reason=_word(Reason, "reason", given.get("reason")),
        search=given.get("search"),
        worker=given.get("worker"),
        order=_word(GoalOrder, "order", given.get("order")) or GoalOrder.NEWEST,
        cursor=given.get("cursor"),
    )


def _word(kind: type[Word], name: str, given: str | None) -> Word | None:
    try:
        return None if given is None else kind(given)
    except ValueError:
        raise InvalidInput(f"{given!r} is no {name} of goals; it is one of {', '.join(kind)}") from None


class ListView:
    """The list as fragments: the counts, the rows one by one, and the way to the next page."""

    def __init__(self, state: AppState, query: ListQuery) -> None:
        self._store = state.store
        self._pages = state.pages
        self._query = query
        self._rows: dict[str, tuple[object, str]] = {}
        self._around: dict[str, str] = {}

    async def look(self) -> Mapping[str, str]:
        """See `LiveView.look`."""
        page, counts = await self._read()
        rows = {entry.goal.id: self._row(entry) for entry in page.entries}
        around = self._draw_around(page, counts)
        former_rows, former_around = self._rows, self._around
        self._rows, self._around = rows, around
        changed = {name: text for name, text in around.items() if former_around.get(name) != text}
        # One row is sent for a goal that changed. Where goals came or went, the others have moved too.
        if list(rows) != list(former_rows) or not former_around:
            return changed | {"goals": self._body()}
        return changed | {f"goal-{name}": row[1] for name, row in rows.items() if row != former_rows[name]}

    def whole(self) -> Mapping[str, str]:
        """See `LiveView.whole`."""
        return self._around | {"goals": self._body()} if self._around else {}

    async def _read(self) -> tuple[GoalPage, GoalCounts]:
        query = self._query
        page = await list_goals(
            self._store,
            scope=query.scope,
            status=query.status,
            reason=query.reason,
            text=query.search,
            worker=query.worker,
            order=query.order,
            cursor=query.cursor,
            limit=PAGE_SIZE,
        )
        return page, await self._store.count(scope=query.scope)

    def _row(self, entry: LeaseState) -> tuple[object, str]:
        shown = (entry.goal, entry.worker)
        former = self._rows.get(entry.goal.id)
        if former is not None and former[0] == shown:
            return former
        return shown, self._pages.draw("row.html", entry=entry, goal=entry.goal, query=self._query)

    def _draw_around(self, page: GoalPage, counts: GoalCounts) -> dict[str, str]:
        is_empty = not page.entries
        return {
            "counts": self._pages.draw("counts.html", counts=asdict(counts), most=MAX_COUNTED, query=self._query),
            "pager": self._pages.draw("pager.html", page=page, query=self._query, is_empty=is_empty),
        }

    def _body(self) -> str:
        rows = "".join(text for _, text in self._rows.values())
        return f'<tbody id="goals" role="rowgroup">{rows}</tbody>'


async def show_list(request: Request) -> Response:
    """Return the page."""
    state = state_of(request)
    query = parse_query(request.query_params, state.settings.scope)
    view = ListView(state, query)
    await view.look()
    return state.pages.respond(
        request,
        "list.html",
        query=query,
        statuses=list(GoalStatus),
        reasons={status: sorted(reasons) for status, reasons in REASONS.items() if reasons},
        orders=list(GoalOrder),
        live_address=query.live_address,
        fragments=view.whole(),
    )
