"""The questions before something is done, and the page of help; Escape leaves every dialog."""

from collections.abc import Callable, Sequence
from typing import ClassVar, Final, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Footer, Input, OptionList, Static
from textual.widgets.option_list import Option

from telic.domain.errors import GoalError
from telic.interfaces.terminal.formatting import literal

HELP: Final = """\
The list has every goal by pages, newest first. It is live: what any
process changes appears by itself.

  ↑ ↓ j k   move                    Enter  one goal's page
  ← →       page before, next       g      the first page
  /         find in the texts       f      the next status, then all
  s         order of the page       o      only this goal's scope, or all

With --allow-write, on the list and on a goal's page:

  p  pause      r  resume           b  set the budget: 4M 40turns $5 90m
  c  clear      a  approve          x  reject (both on a goal's page)

It is done to the goal as the screen showed it. If anybody changed it
meanwhile, nothing is done, and the last line says so. The history keeps
the actor “operator” and your name.

  Ctrl+P    themes, light and dark  q      quit"""


Answer = TypeVar("Answer")


class Dialog(ModalScreen[Answer]):
    """A box in the middle of the screen."""

    DEFAULT_CSS = """
    Dialog { align: center middle; }
    Dialog > VerticalScroll {
        width: 76; max-width: 100%; height: auto; max-height: 100%;
        border: round $primary; background: $surface; padding: 0 1;
    }
    Dialog .problem { color: $text-error; }
    Dialog OptionList { height: auto; max-height: 12; }
    Dialog Footer { dock: none; background: $surface; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "leave it")]

    def __init__(self, *parts: Widget) -> None:
        super().__init__()
        self._parts = parts

    def compose(self) -> ComposeResult:
        """Return the box with its parts, and the keys."""
        with VerticalScroll(can_focus=False):
            yield from self._parts
            yield Footer(show_command_palette=False, compact=True)

    def action_leave(self) -> None:
        """Nothing is done."""
        self.dismiss(None)


def _text(lines: Sequence[str]) -> Static:
    return Static(Content("\n".join(map(literal, lines))))


class Question(Dialog[str]):
    """Asks for a line of text, which `check` may refuse; Enter gives it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "submit", "do it", priority=True)]

    def __init__(
        self,
        lines: Sequence[str],
        label: str,
        value: str = "",
        check: Callable[[str], object] | None = None,
        most_chars: int = 1_000,
    ) -> None:
        self._input = Input(value, max_length=most_chars, compact=True)
        self._check = check
        self._problem = Static(classes="problem", markup=False)
        super().__init__(_text(lines), Static(Content(label)), self._input, self._problem)

    def on_mount(self) -> None:
        """The line can be typed."""
        self._input.focus()

    def action_submit(self) -> None:
        """The answer is given, unless it is refused."""
        try:
            if self._check is not None:
                self._check(self._input.value)
        except GoalError as error:
            self._problem.update(Content(literal(str(error))))
        else:
            self.dismiss(self._input.value)


class Confirmation(Dialog[bool]):
    """Asks for a yes that no habit gives: Enter is none."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "confirm", "yes, for good"),
        Binding("n", "leave", "no"),
    ]

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__(_text(lines))

    def action_confirm(self) -> None:
        """The answer is yes."""
        self.dismiss(True)


class Choice(Dialog[int]):
    """Asks for one of several; gives its place."""

    def __init__(self, title: str, options: Sequence[str]) -> None:
        choices = OptionList(*(Option(Content(literal(option))) for option in options))
        super().__init__(Static(Content(title)), choices)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """The option is the answer."""
        self.dismiss(event.option_index)


class Help(Dialog[None]):
    """All keys, and what to know."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("question_mark,q,enter", "leave", "back", show=False)]

    def __init__(self) -> None:
        super().__init__(Static(Content(HELP)))
