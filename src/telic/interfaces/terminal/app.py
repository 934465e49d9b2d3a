"""The application of telic top, its first screen, and what keeps its screens fresh."""

from collections import deque
from dataclasses import dataclass, replace
from typing import ClassVar, Final

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Static

from telic.domain.clock import Clock, SystemClock
from telic.domain.goal import Actor, Goal, GoalStatus
from telic.domain.lifecycle import NamedActor
from telic.domain.views import GoalPage
from telic.interfaces.terminal.action_screen import ActingScreen, ScreenHost
from telic.interfaces.terminal.dialogs import Dialog, Help, Question
from telic.interfaces.terminal.formatting import GoalTable, literal
from telic.interfaces.terminal.goal_screen import GoalScreen
from telic.interfaces.terminal.live import Live, OpenStore
from telic.services.insight import ListOrder, list_goals
from telic.wording.amounts import counted

PAGE_ROWS: Final = 100
_PAGES_REMEMBERED: Final = 10_000


@dataclass(frozen=True, slots=True)
class ListFilter:
    """Which goals are listed, in which order on a page."""

    scope: str | None = None
    status: GoalStatus | None = None
    text: str | None = None
    order: ListOrder = ListOrder.NEWEST


class GoalsScreen(ActingScreen):
    """The list of goals."""

    DEFAULT_CSS = """
    GoalsScreen GoalTable { height: 1fr; scrollbar-size-vertical: 1; overflow-x: hidden; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "open", key_display="⏎", priority=True),
        Binding("slash", "find", "find", key_display="/"),
        Binding("f", "filter", "status"),
        Binding("s", "sort", "sort"),
        Binding("o", "only_scope", "scope", show=False),
        Binding("right", "next_page", "next page", show=False, priority=True),
        Binding("left", "former_page", "page before", show=False, priority=True),
        Binding("g", "first_page", "first page", show=False),
        Binding("escape", "unfilter", "all", show=False),
    ]

    def __init__(self, host: ScreenHost, scope: str | None, clock: Clock, page_rows: int = PAGE_ROWS) -> None:
        super().__init__(host)
        self._pinned_scope = scope
        self._clock = clock
        self._page_rows = page_rows
        self._view = ListFilter(scope)
        self._cursors: deque[str | None] = deque([None], maxlen=_PAGES_REMEMBERED)
        self._page = 1
        self._listing: GoalPage | None = None
        self._table = GoalTable()
        self._heading = Static(id="heading")

    def compose(self) -> ComposeResult:
        """Return the heading, the list, and the keys."""
        yield self._heading
        yield self._table
        yield from self.compose_foot()

    def on_mount(self) -> None:
        """The first page is asked for."""
        self._show_heading()
        self.look_soon()

    @property
    def chosen(self) -> Goal | None:
        """The goal under the cursor, as it is shown."""
        return self._table.chosen

    @property
    def ordinary_line(self) -> str:
        """Which page, in which order, and whether goals may be changed."""
        if self._listing is None:
            return "the store is asked"
        goals = counted(len(self._listing.entries), "goal") if self._listing.entries else "no goals"
        more = " · → more" if self._listing.next_cursor else ""
        who = f"as {self.host.operator}" if self.host.operator is not None else "read-only"
        order = f" by {self._view.order}" if self._view.order is not ListOrder.NEWEST else ""
        return f"page {self._page}{order} · {goals}{more} · {who}"

    async def look(self) -> None:
        """The page shows what the store has. Raises as `list_goals`."""
        view, cursor = self._view, self._cursors[-1]
        listing = await self.host.live.ask(
            lambda store: list_goals(
                store,
                scope=view.scope,
                status=view.status,
                text=view.text,
                order=view.order,
                cursor=cursor,
                limit=self._page_rows,
            )
        )
        # An answer that comes after the next question was asked is out of date.
        if (view, cursor) == (self._view, self._cursors[-1]):
            self._listing = listing
            self._show()

    def _show(self) -> None:
        if self._listing is not None:
            self._table.show_rows(self._listing.entries, self._clock.now())
        self._show_heading()
        self.show_line()

    def _show_heading(self) -> None:
        view = self._view
        parts = [
            "telic top",
            f"scope {view.scope}" if view.scope is not None else "every scope",
            view.status.value if view.status is not None else "every status",
            *([f"with “{view.text}”"] if view.text else []),
        ]
        self._heading.update(Content.styled(literal(" · ".join(parts)), "bold"))

    def _look_at(self, view: ListFilter) -> None:
        self._view = view
        self._cursors = deque([None], maxlen=_PAGES_REMEMBERED)
        self._page = 1
        self._table.start_over()
        self.tell("")
        self._show_heading()
        self.look_soon()

    def action_open(self) -> None:
        """The goal's own page is shown."""
        if self.chosen is not None:
            self.tell("")
            self.app.push_screen(GoalScreen(self.host, self.chosen, self._clock))

    def action_find(self) -> None:
        """Only goals with a text are listed."""
        self.run_worker(self._find(), group="operate", exclusive=True)

    async def _find(self) -> None:
        question = Question(["Goals whose text has this in it"], "Text, or nothing for all:", self._view.text or "")
        typed = await self.app.push_screen_wait(question)
        if typed is not None:
            self._look_at(replace(self._view, text=typed.strip() or None))

    def action_filter(self) -> None:
        """The next status is listed, and after the last one all."""
        statuses = [None, *GoalStatus]
        place = statuses.index(self._view.status) + 1
        self._look_at(replace(self._view, status=statuses[place % len(statuses)]))

    def action_sort(self) -> None:
        """The goals are in the next order."""
        orders = list(ListOrder)
        order = orders[(orders.index(self._view.order) + 1) % len(orders)]
        self._look_at(replace(self._view, order=order))

    def action_only_scope(self) -> None:
        """Only the goal's scope is listed, or all again."""
        if self._pinned_scope is not None:
            self.tell("only this scope was asked for: --scope", is_problem=True)
        elif self._view.scope is not None:
            self._look_at(replace(self._view, scope=None))
        elif self.chosen is not None:
            self._look_at(replace(self._view, scope=self.chosen.scope))

    def action_unfilter(self) -> None:
        """All goals are listed."""
        self._look_at(ListFilter(self._pinned_scope, order=self._view.order))

    def action_next_page(self) -> None:
        """The next page is shown, if there is one."""
        if self._listing is not None and self._listing.next_cursor not in (None, self._cursors[-1]):
            self._cursors.append(self._listing.next_cursor)
            self._turn_to(self._page + 1)

    def action_former_page(self) -> None:
        """The page before is shown, if there is one."""
        if len(self._cursors) > 1:
            self._cursors.pop()
            self._turn_to(self._page - 1)

    def action_first_page(self) -> None:
        """The first page is shown."""
        self._look_at(self._view)

    def _turn_to(self, page: int) -> None:
        self._page = page
        self._listing = None
        self.tell("")
        self._table.start_over()
        self.look_soon()


class TopApp(App[None]):
    """The goals of a store, live; without an operator nothing can be changed.

    Whoever makes the application opens `live` before it runs, and closes it afterwards.

    Raises:
        InvalidInput: the operator's name is none.
    """

    TITLE = "telic top"
    CSS = """
    #heading { height: 1; background: $panel; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    #standing { height: 1; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark", "help", "help", key_display="?"),
        Binding("q", "quit", "quit"),
        Binding("ctrl+c", "quit", show=False, priority=True),
    ]

    def __init__(
        self,
        open_store: OpenStore,
        *,
        scope: str | None = None,
        operator: str | None = None,
        clock: Clock | None = None,
        page_rows: int = PAGE_ROWS,
    ) -> None:
        super().__init__()
        self.operator = None if operator is None else NamedActor(Actor.OPERATOR, operator).name
        self.live = Live(open_store, scope)
        self._list = GoalsScreen(self, scope, clock or SystemClock(), page_rows)

    def on_mount(self) -> None:
        """The list is shown, and kept fresh."""
        self.push_screen(self._list)
        self.run_worker(self.live.follow(), group="follow")
        self.run_worker(self.live.keep_fresh(self._look), group="fresh")

    async def _look(self) -> None:
        # A dialog may lie above the screen that is kept fresh.
        shown = [screen for screen in self.screen_stack if isinstance(screen, ActingScreen)]
        if shown:
            try:
                await shown[-1].look()
            finally:
                self.call_later(shown[-1].show_line)

    def action_help(self) -> None:
        """The page of help is shown."""
        if not isinstance(self.screen, Dialog):
            self.push_screen(Help())
