"""The standard streams, and the only writer to them: nothing passes it that could carry an escape sequence."""

import io
import json
import os
import sys
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, Final, TextIO, cast

from telic.prompt.escape import visible

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_OUTPUT, _ERRORS = 1, 2


class OutputLost(OSError):
    """Standard output could not be written: what the command had to say is lost, and its work is done."""


class ReaderGone(Exception):
    """The program that read the output has closed it."""


_STATUS_STYLES: Final = {"active": "green", "paused": "yellow", "completed": "blue", "cleared": "dim"}


class Terminal:
    """Standard output and standard error, in text or as JSON; each method writes."""

    def __init__(self, *, as_json: bool, output: TextIO | None = None, errors: TextIO | None = None) -> None:
        self.as_json = as_json
        self._output = output or sys.stdout
        self._errors = errors or sys.stderr

    def line(self, text: str = "") -> None:
        """Write one line of text to standard output."""
        self._output.write(visible(text) + "\n")

    def json(self, data: Any) -> None:
        """Write the data as one line of JSON to standard output, ASCII only."""
        # ASCII alone, whatever the terminal's encoding is, and nothing in it can control a terminal.
        self._output.write(json.dumps(data) + "\n")

    def json_or_line(self, data: Any, text: str) -> None:
        """Write the data if output is JSON, else the line of text."""
        if self.as_json:
            self.json(data)
        else:
            self.line(text)

    def raw_json_line(self, line: str) -> None:
        """Write a line that is already JSON in ASCII."""
        self._output.write(line + "\n")

    def hint(self, text: str) -> None:
        """Write a next step to standard error; none for programs."""
        if not self.as_json:
            self._errors.write(f"hint: {visible(text)}\n")

    def error(self, code: str, message: str, *, retryable: bool, hint: str | None) -> None:
        """Write the error to standard error: one line, and one for what to do."""
        if self.as_json:
            data = {"code": code, "message": message, "retryable": retryable, "hint": hint}
            self._errors.write(json.dumps({"error": data}) + "\n")
            return
        self._errors.write(f"telic: {visible(message)}\n")
        if hint is not None:
            self.hint(hint)

    def cursor(self, cursor: str) -> None:
        """Write to standard error where to go on."""
        self._errors.write(
            json.dumps({"cursor": cursor}) + "\n" if self.as_json else f"hint: go on with --after {cursor}\n"
        )

    def flush(self) -> None:
        """Make readable what was written."""
        self._output.flush()
        self._errors.flush()

    @property
    def is_screen(self) -> bool:
        """Return whether a person reads along."""
        return self._output.isatty()

    def status_line(self) -> "StatusLine | None":
        """Return a line that stays below all others and can be rewritten; None where nobody would see it."""
        return StatusLine(self._output) if self.is_screen and not self.as_json else None

    def row(self, cells: Sequence[str], widths: Sequence[int]) -> None:
        """Write cells of these widths on a terminal, and with tabs between them elsewhere."""
        if not self.is_screen:
            self._line_of_cells(cells)
            return
        self.line("  ".join(f"{visible(cell):<{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip())

    def table(
        self,
        columns: Sequence[str],
        rows: Sequence[Sequence[str]],
        *,
        numbers: Collection[str] = (),
        has_total: bool = False,
    ) -> None:
        """Write a table on a terminal, and lines with tabs between the cells elsewhere.

        Columns of numbers are set flush right; with `has_total`, a line goes above the last row. On a terminal a column
        in which nothing stands is left out, and a status has its colour, unless NO_COLOR is set.
        """
        if not self.is_screen:
            for row in [columns, *rows]:
                self._line_of_cells(row)
            return
        from rich import box
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(box=box.SIMPLE_HEAD)
        styles = [_STATUS_STYLES if name == "status" else {} for name in columns]
        places = [place for place in range(len(columns)) if not rows or any(row[place] for row in rows)]
        for place in places:
            name = columns[place]
            # Half an id names nothing, and half a number misleads: other columns give way.
            whole = (
                max(len(visible(row[place])) for row in [columns, *rows]) if name in {columns[0], *numbers} else None
            )
            table.add_column(name, justify="right" if name in numbers else "left", min_width=whole)
        for number, row in enumerate(rows, 1):
            cells = [Text(visible(row[place]), styles[place].get(row[place], "")) for place in places]
            table.add_row(*cells, end_section=has_total and number == len(rows) - 1)
        Console(file=self._output, markup=False, highlight=False, emoji=False).print(table)

    def _line_of_cells(self, cells: Sequence[str]) -> None:
        # A tab in a cell is written out, so that `cut` finds the columns.
        self._output.write("\t".join(visible(cell) for cell in cells) + "\n")


class StatusLine:
    """The last line of a terminal, rewritten twice a second, with lines of text going by above it."""

    def __init__(self, output: TextIO) -> None:
        from rich.console import Console
        from rich.live import Live

        self._text: Callable[[], str] = str
        self._console = Console(file=output, markup=False, highlight=False, emoji=False)
        self._live = Live(
            get_renderable=self._render,
            console=self._console,
            refresh_per_second=2,
            transient=True,
            # Whatever is written passes `visible` here, and nothing by another way.
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()

    def _render(self) -> Any:
        from rich.text import Text

        return Text(visible(self._text()), no_wrap=True, overflow="ellipsis", style="bold")

    def show(self, text: Callable[[], str]) -> None:
        """The line shows what the function returns, each time that it is drawn."""
        self._text = text

    def line(self, text: str) -> None:
        """Write one line of text above it."""
        from rich.text import Text

        self._console.print(Text(visible(text)))

    def close(self) -> None:
        """Remove the line."""
        self._live.stop()


class _Output(io.FileIO):
    def write(self, data: "ReadableBuffer", /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            raise  # Its reader has seen enough.
        except OSError as error:
            raise OutputLost(error.errno, error.strerror) from error


class _Errors(io.FileIO):
    def write(self, data: "ReadableBuffer", /) -> int:
        try:
            return super().write(data)
        except OSError:
            # There is no place left to say so, and the exit code is to stay what it is.
            return memoryview(data).nbytes


def open_standard_streams() -> None:
    """All three streams are open, and a character that a terminal's encoding lacks is shown by its number.

    Output that cannot be written raises OutputLost, also where the stream was closed; a lost error message is no error.
    """
    closed = [number for number in range(3) if not _is_open(number)]
    for number in closed:
        # A file that is opened later must not take the number of a closed stream: it would be written into. The
        # lowest number that is free is taken. What cannot be written tells that output is lost.
        os.open(os.devnull, os.O_RDONLY if number == _OUTPUT else os.O_RDWR)
    if 0 in closed:
        sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = _opened(sys.stdout, _OUTPUT, _Output)
    sys.stderr = _opened(sys.stderr, _ERRORS, _Errors)


def _opened(former: TextIO | None, number: int, kind: type[io.FileIO]) -> TextIO:
    if former is not None and not _is_stream(former, number):
        return former  # A program's own.
    raw = kind(number, "w", closefd=False)
    told = former if isinstance(former, io.TextIOWrapper) else None
    is_unbuffered = told is not None and told.write_through
    return io.TextIOWrapper(
        cast("io.BufferedWriter", raw) if is_unbuffered else io.BufferedWriter(raw),
        encoding=None if told is None else told.encoding,
        errors="backslashreplace",
        line_buffering=number == _ERRORS or raw.isatty(),
        write_through=is_unbuffered,
    )


def _is_stream(stream: TextIO, number: int) -> bool:
    try:
        return isinstance(stream, io.TextIOWrapper) and stream.fileno() == number
    except (OSError, ValueError):
        return False


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
