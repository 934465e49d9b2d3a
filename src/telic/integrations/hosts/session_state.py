"""What is remembered of a session between two calls of its hooks, in a small file that may be lost at any time."""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final

from telic.domain.errors import InvalidInput
from telic.integrations.hosts.transcripts import FilePlace, home
from telic.loop.agents.json_reader import Fields, count_of, fields_of, read_values, text_of

_MAX_BYTES: Final = 16 * 1024 * 1024
"""Room for the bookmarks of tens of thousands of sub-agents."""

_PRIVATE_FOLDER: Final = 0o700
_PRIVATE_FILE: Final = 0o600
_MOST_OTHERS: Final = 50


@dataclass(frozen=True, slots=True)
class TranscriptBookmark:
    """How far a transcript was read, and what its reader must know to go on."""

    place: FilePlace
    carry: Fields


@dataclass(slots=True)
class SessionMemory:
    """One session's. `goal_id` is the goal that the present turn works on.

    `continuations` counts how often in a row the turn was kept going; at `wound_down_at`, a revision, the model was
    asked to come to an end. `told` names the goal and revision that the model knows; while `is_unanswered`, it was
    told before any answer. The user has not heard yet of `lost_claim`, one that came to nothing; of `unpriced`, a goal
    that was paused since its price is unknown; and of what is `unsaid`, that the budget of the goal `unmeasured` cannot
    hold. The session `tells_usage` once a response of its own was read; until then `untold_hold` is the hold that the
    last stop's estimate settled. `session`, `folder`, `scope` and `last_response` tell whose the memory is, so that the
    next session of the same conversation finds its goal; `has_looked` for such a goal, it was `offered` its scope, or
    has `adopted` it. The session `is_over` where its host said so.
    """

    file: Path
    goal_id: str | None = None
    continuations: int = 0
    wound_down_at: int = 0
    told: str | None = None
    is_unanswered: bool = False
    lost_claim: str | None = None
    unpriced: str | None = None
    unmeasured: str | None = None
    unsaid: str | None = None
    tells_usage: bool = False
    untold_hold: str | None = None
    session: str | None = None
    folder: str | None = None
    scope: str | None = None
    last_response: str | None = None
    has_looked: bool = False
    offered: str | None = None
    adopted: str | None = None
    is_over: bool = False
    bookmarks: dict[str, TranscriptBookmark] = field(default_factory=dict[str, TranscriptBookmark])

    def note_session(self, folder: Path, scope: str | None, is_over: bool) -> None:
        """The memory tells where its session works, on whose goal if there is one, and whether it goes on."""
        self.folder = os.path.realpath(folder)
        self.scope = scope or self.scope
        self.is_over = is_over

    def save(self) -> None:
        """The file says this, wholly; where it cannot be written, nothing is remembered."""
        data = asdict(self) | {"file": None}
        with suppress(OSError):
            private_folder(self.file.parent)
            descriptor, name = tempfile.mkstemp(dir=self.file.parent)
            try:
                os.fchmod(descriptor, _PRIVATE_FILE)
                with os.fdopen(descriptor, "w", encoding="ascii") as unfinished:
                    json.dump(data, unfinished)
                Path(name).replace(self.file)
            except OSError:
                Path(name).unlink(missing_ok=True)
                raise


def private_folder(folder: Path) -> None:
    """The folder is there, and it and those above it are their owner's alone where new, whatever the process's mask.

    Raises:
        OSError: it cannot be made.
    """
    if folder.is_dir():
        return
    if folder.parent != folder:
        private_folder(folder.parent)
    folder.mkdir(mode=_PRIVATE_FOLDER, exist_ok=True)
    folder.chmod(_PRIVATE_FOLDER)


def state_folder(environment: Mapping[str, str]) -> Path:
    """Where logs and memories are kept: `telic` under XDG's state folder; of a user without a home, nowhere."""
    given = environment.get("XDG_STATE_HOME", "")
    return (Path(given) if given.startswith("/") else home() / ".local" / "state") / "telic"


def load_memory(folder: Path, host: str, session: str) -> SessionMemory:
    """What is remembered of the session; nothing, where the file is gone or cannot be understood."""
    # Two sessions' names must never meet in one file, whatever characters they are made of.
    file = folder / "hooks" / f"{host}-{sha256(session.encode(errors='surrogatepass')).hexdigest()[:32]}.json"
    memory = _load(file)
    memory.session = session
    return memory


def others(folder: Path, host: str, own: SessionMemory) -> Iterator[SessionMemory]:
    """What is remembered of the host's other sessions, the last used first; at most fifty."""
    try:
        files = [each for each in (folder / "hooks").glob(f"{host}-*.json") if each != own.file]
        files.sort(key=lambda each: each.stat().st_mtime, reverse=True)
    except OSError:
        return
    yield from map(_load, files[:_MOST_OTHERS])


def _load(file: Path) -> SessionMemory:
    try:
        if file.stat().st_size > _MAX_BYTES:
            return SessionMemory(file)
        values = read_values(file.read_bytes())
    except OSError:
        return SessionMemory(file)
    try:
        return _read(file, values[0]) if values else SessionMemory(file)
    except InvalidInput:
        return SessionMemory(file)


_TEXTS: Final = (
    "goal_id",
    "told",
    "lost_claim",
    "unpriced",
    "unmeasured",
    "unsaid",
    "untold_hold",
    "session",
    "folder",
    "scope",
    "last_response",
    "offered",
    "adopted",
)
_COUNTS: Final = ("continuations", "wound_down_at")
_TRUTHS: Final = ("is_unanswered", "tells_usage", "has_looked", "is_over")


def _read(file: Path, data: Fields) -> SessionMemory:
    marks = fields_of(data, "bookmarks")
    memory = SessionMemory(file, bookmarks={path: _bookmark(fields_of(marks, path)) for path in marks})
    for name in _TEXTS:
        setattr(memory, name, text_of(data, name))
    for name in _COUNTS:
        setattr(memory, name, count_of(data, name) or 0)
    for name in _TRUTHS:
        setattr(memory, name, data.get(name) is True)
    return memory


def _bookmark(data: Fields) -> TranscriptBookmark:
    place = fields_of(data, "place")
    return TranscriptBookmark(
        FilePlace(count_of(place, "offset") or 0, text_of(place, "check") or ""), fields_of(data, "carry")
    )
