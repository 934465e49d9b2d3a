"""What is remembered of a session between two calls of its hooks, in a small file that may be lost at any time."""

import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final

from telic.domain.errors import InvalidInput
from telic.integrations.hooks.usage import Place
from telic.loop.agents.parsing import Fields, count_of, fields_of, read_values, text_of

_MAX_BYTES: Final = 16 * 1024 * 1024
"""Room for the bookmarks of tens of thousands of sub-agents."""


@dataclass(frozen=True, slots=True)
class Bookmark:
    """How far a transcript was read, and what its reader must know to go on."""

    place: Place
    carry: Fields


@dataclass(slots=True)
class Memory:
    """One session's. `goal_id` is the goal that the present turn works on.

    `continuations` counts how often in a row the turn was kept going; at `wound_down_at`, a revision, the model was
    asked to come to an end.
    """

    file: Path
    goal_id: str | None = None
    continuations: int = 0
    wound_down_at: int = 0
    bookmarks: dict[str, Bookmark] = field(default_factory=dict[str, Bookmark])

    def save(self) -> None:
        """The file says this, wholly; where it cannot be written, nothing is remembered."""
        data = {
            "goal_id": self.goal_id,
            "continuations": self.continuations,
            "wound_down_at": self.wound_down_at,
            "bookmarks": {
                path: {"place": asdict(mark.place), "carry": mark.carry} for path, mark in self.bookmarks.items()
            },
        }
        with suppress(OSError):
            self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(dir=self.file.parent)
            try:
                with os.fdopen(descriptor, "w", encoding="ascii") as unfinished:
                    json.dump(data, unfinished)
                Path(name).replace(self.file)
            except OSError:
                Path(name).unlink(missing_ok=True)
                raise


def state_folder(environment: Mapping[str, str]) -> Path:
    """Where logs and memories are kept: `telic` under XDG's state folder."""
    given = environment.get("XDG_STATE_HOME", "")
    return (Path(given) if given.startswith("/") else Path.home() / ".local" / "state") / "telic"


def recall(folder: Path, host: str, session: str) -> Memory:
    """What is remembered of the session; nothing, where the file is gone or cannot be understood."""
    # Two sessions' names must never meet in one file, whatever characters they are made of.
    file = folder / "hooks" / f"{host}-{sha256(session.encode(errors='surrogatepass')).hexdigest()[:32]}.json"
    try:
        if file.stat().st_size > _MAX_BYTES:
            return Memory(file)
        values = read_values(file.read_bytes())
    except OSError:
        return Memory(file)
    try:
        return _read(file, values[0]) if values else Memory(file)
    except InvalidInput:
        return Memory(file)


def _read(file: Path, data: Fields) -> Memory:
    marks = fields_of(data, "bookmarks")
    return Memory(
        file,
        goal_id=text_of(data, "goal_id"),
        continuations=count_of(data, "continuations") or 0,
        wound_down_at=count_of(data, "wound_down_at") or 0,
        bookmarks={path: _bookmark(fields_of(marks, path)) for path in marks},
    )


def _bookmark(data: Fields) -> Bookmark:
    place = fields_of(data, "place")
    return Bookmark(Place(count_of(place, "offset") or 0, text_of(place, "check") or ""), fields_of(data, "carry"))
