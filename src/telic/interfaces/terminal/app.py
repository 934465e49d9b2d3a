"""The application: its screens, and what keeps them fresh."""

from typing import ClassVar

from textual.app import App
from textual.binding import Binding, BindingType

from telic.domain.clock import Clock, SystemClock
from telic.domain.goal import Actor
from telic.domain.lifecycle import NamedActor
from telic.interfaces.terminal.action_screen import ActingScreen
from telic.interfaces.terminal.dialogs import Dialog, Help
from telic.interfaces.terminal.listing import PAGE_ROWS, GoalsScreen
from telic.interfaces.terminal.live import Live, OpenStore


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
