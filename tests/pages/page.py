"""A page as its reader pastes it: commands for the shell, programs for Python, files to save, and what is printed."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```(?:\n\n```text\n(.*?)^```)?", re.MULTILINE | re.DOTALL)
"""A block, and the block of text that stands directly below it: what it prints."""
_FILE = re.compile(r"^# (\S+\.\w+)\n")


@dataclass(frozen=True)
class Command:
    """A line for the shell, with what the page says that it prints; None where the page does not say."""

    line: str
    prints: str | None


@dataclass(frozen=True)
class Program:
    """A block for the Python session; `typed` are the answers that the page shows at a prompt."""

    code: str
    prints: str | None

    @property
    def typed(self) -> list[str]:
        """Return what the reader types while it runs."""
        return re.findall(r"^> (.*)$", self.prints or "", re.MULTILINE)


@dataclass(frozen=True)
class SavedFile:
    """A block that the reader saves under the name in its first line."""

    name: str
    content: str


def steps(page: Path) -> Iterator[Command | Program | SavedFile]:
    """Yield what a reader does, in the page's order."""
    for language, text, printed in _BLOCK.findall(page.read_text()):
        if language in ("console", "bash"):
            yield from _commands(text)
        elif language == "python" and (named := _FILE.match(text)):
            yield SavedFile(named[1], text)
        elif language == "python":
            yield Program(text, printed or None)


def _commands(block: str) -> Iterator[Command]:
    """Lines that begin with `$ ` are typed, with the lines that a backslash joins to them; the others are printed."""
    for typed, printed in re.findall(r"^\$ ((?:.*\\\n)*.*)\n?((?:(?!\$ ).*\n)*)", block, re.MULTILINE):
        yield Command(typed, printed or None)
