"""What stays after a hook's call: the memory of its session, and lines of the log in place of any output.

A session's memory is a small file that may be lost at any time. A call that takes long is ended.
"""

import json
import os
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

from telic.domain.errors import InvalidInput
from telic.integrations.hosts.usage_sources import home
from telic.loop.agents.json_reader import Fields, count_of, fields_of, read_values, text_of
from telic.loop.agents.usage_records import FilePlace
from telic.prompt import visible

_MAX_BYTES: Final = 16 * 1024 * 1024
"""Room for the bookmarks of tens of thousands of sub-agents."""

_MAX_LOG_BYTES: Final = 1024 * 1024
_MAX_LINE_CHARS: Final = 500
_PRIVATE_FOLDER: Final = 0o700
_PRIVATE_FILE: Final = 0o600
_MOST_OTHERS: Final = 50


@dataclass(frozen=True, slots=True)
class TranscriptBookmark:
    """The place up to which a transcript was read, and what its reader must know to go on."""

    place: FilePlace
    carry: Fields


@dataclass(slots=True)
class SessionMemory:
    """One session's. `goal_id` is the goal that the present turn works on.

    `continuations` counts how often in a row the turn was kept going; at `wound_down_at`, a revision, the model was
    asked to come to an end. `told` names the goal and revision that the model knows; while `is_unanswered`, it was
    told before any answer. The user has not read yet of `lost_claim`, one that came to nothing; of `unpriced`, a goal
    that was paused since its price is unknown; and what is `unsaid`, as that the budget of the goal `unmeasured` cannot
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
        """Note in the memory where the session works, whose goal it works on, and whether the session continues."""
        self.folder = os.path.realpath(folder)
        self.scope = scope or self.scope
        self.is_over = is_over

    def save(self) -> None:
        """The memory is in its file as a whole; if the file cannot be written, nothing is remembered."""
        with suppress(OSError):
            private_folder(self.file.parent)
            write_whole(self.file, json.dumps(asdict(self) | {"file": None}))


def write_whole(path: Path, text: str) -> None:
    """The file holds the text, with the mode that it had; a reader sees this or what was there before.

    Raises:
        OSError: it cannot be written; nothing is changed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else _PRIVATE_FILE
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as unfinished:
            unfinished.write(text.encode())
            os.fchmod(descriptor, mode)
            unfinished.flush()
            os.fsync(descriptor)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def private_folder(folder: Path) -> None:
    """The folder exists. Folders that were made for it are readable by their owner alone, whatever the umask is.

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
    """Return the folder of logs and memories: `telic` under XDG's state folder; of a user without a home, nowhere."""
    given = environment.get("XDG_STATE_HOME", "")
    return (Path(given) if given.startswith("/") else home() / ".local" / "state") / "telic"


def load_memory(folder: Path, host: str, session: str) -> SessionMemory:
    """Return what is remembered of the session; nothing, where the file is gone or cannot be understood."""
    # Two sessions' names must never meet in one file, whatever characters they are made of.
    file = folder / "hooks" / f"{host}-{sha256(session.encode(errors='surrogatepass')).hexdigest()[:32]}.json"
    memory = _load(file)
    memory.session = session
    return memory


def others(folder: Path, host: str, own: SessionMemory) -> Iterator[SessionMemory]:
    """Yield what is remembered of the host's other sessions, the last used first; at most fifty."""
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


def _read(file: Path, data: Fields) -> SessionMemory:
    """Return the memory with every field that the file has in the field's own type."""
    memory = SessionMemory(file)
    for each in fields(SessionMemory):
        if each.type is int:
            setattr(memory, each.name, count_of(data, each.name) or 0)
        elif each.type is bool:
            setattr(memory, each.name, data.get(each.name) is True)
        elif each.type == str | None:
            setattr(memory, each.name, text_of(data, each.name))
    marks = fields_of(data, "bookmarks")
    memory.bookmarks = {path: _bookmark(fields_of(marks, path)) for path in marks}
    return memory


def _bookmark(data: Fields) -> TranscriptBookmark:
    place = fields_of(data, "place")
    return TranscriptBookmark(
        FilePlace(count_of(place, "offset") or 0, text_of(place, "check") or ""), fields_of(data, "carry")
    )


@dataclass(frozen=True, slots=True)
class HookLog:
    """A file that grows to 1 MiB; then it is the former one, and a new one begins."""

    file: Path
    host: str

    def write(self, text: str) -> None:
        """Append the line to the log, if it can be written."""
        with suppress(OSError):
            private_folder(self.file.parent)
            if self.file.exists() and self.file.stat().st_size >= _MAX_LOG_BYTES:
                self.file.replace(self.file.with_suffix(".log.1"))
            now = datetime.now(UTC).isoformat(timespec="seconds")
            descriptor = os.open(self.file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _PRIVATE_FILE)
            # The mask of the process may have taken bits away when the file was made.
            os.fchmod(descriptor, _PRIVATE_FILE)
            with os.fdopen(descriptor, "a", encoding="utf-8", errors="backslashreplace") as lines:
                lines.write(f"{now} {self.host} {visible(text[:_MAX_LINE_CHARS])}\n")


def log_of(environment: Mapping[str, str], host: str) -> HookLog:
    """The user's log, whose lines name the host."""
    return HookLog(state_folder(environment) / "hooks.log", host)


class HookWatchdog:
    """Ends the process, with no answer, when it takes too long: the host then goes on as if there were no hook.

    `before_end` is called then.
    """

    def __init__(self, log: HookLog) -> None:
        self.before_end: Callable[[], object] = bool
        self._log = log
        self._timer: threading.Timer | None = None

    def allow(self, seconds: float) -> None:
        """Restart the time: the process may take this many seconds from now on."""
        self.stop()
        self._timer = threading.Timer(seconds, self._end, [seconds])
        self._timer.daemon = True
        self._timer.start()

    def stop(self) -> None:
        """The process is not ended any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _end(self, seconds: float) -> None:
        try:
            self._log.write(f"no answer within {seconds:.1f} seconds")
            self.before_end()
        finally:
            # 0 and no answer: the host goes on as if there were no hook.
            os._exit(0)
