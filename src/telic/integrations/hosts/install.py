"""Which of a host's files must say what for `telic hook` to be called, and how they are changed.

A file is changed as a whole or not at all, and its former content kept beside it.
"""

import glob
import json
import os
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeVar
from urllib.parse import parse_qs, urlsplit

from telic.domain.errors import InvalidInput
from telic.integrations.hosts.session_state import write_whole
from telic.integrations.hosts.settings import Hooks, telic_handlers, with_handlers, with_hooks, without_hooks
from telic.storage.connect import sqlite_path

T = TypeVar("T")

CHECKING_SECONDS: Final = 600
"""The time that the host waits for the hook which checks a goal's criteria."""

_QUICK_SECONDS: Final = 10
_INJECTING: Final = {"SessionStart": _QUICK_SECONDS, "UserPromptSubmit": _QUICK_SECONDS, "Stop": CHECKING_SECONDS}
_COUNTING: Final = {"SubagentStop": _QUICK_SECONDS, "PreCompact": _QUICK_SECONDS, "SessionEnd": _QUICK_SECONDS}
_GOOSE_PLUGIN: Final = {
    "name": "telic",
    "version": "1.0.0",
    "description": "Keeps a turn going until the goal is verified",
}
_MAX_BYTES: Final = 16 * 1024 * 1024
_COPY: Final = ".before-telic-"
_BY_HAND: Final = "docs/howto/hosts.md shows what to write into its settings"


@dataclass(frozen=True, slots=True)
class _HookFiles:
    """A host's file of hooks, below the user's or the project's folder, and which hooks Telic wants in it."""

    file: str
    hooks: Hooks
    note: str
    home_variable: str | None = None
    manifest: str | None = None


_HOOK_FILES: Final[Mapping[str, _HookFiles]] = MappingProxyType(
    {
        "claude-code": _HookFiles(
            ".claude/settings.json",
            _INJECTING | _COUNTING,
            "Claude Code reads it at the next start; /hooks shows it",
            home_variable="CLAUDE_CONFIG_DIR",
        ),
        "codex": _HookFiles(
            ".codex/hooks.json",
            _INJECTING | _COUNTING,
            "Codex runs no hook before you trust it: type /hooks there; codex exec never asks, and needs "
            "--dangerously-bypass-hook-trust until you have",
            home_variable="CODEX_HOME",
        ),
        "goose": _HookFiles(
            ".agents/plugins/telic/hooks/hooks.json",
            {"UserPromptSubmit": _QUICK_SECONDS, "Stop": CHECKING_SECONDS, "SessionEnd": _QUICK_SECONDS},
            "goose takes no context from hooks: the model hears of the goal when it first stops, or from the file that "
            "GOOSE_MOIM_MESSAGE_FILE names",
            manifest=".agents/plugins/telic/plugin.json",
        ),
    }
)


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file's content, and what it is to be; None where there is no file.

    `outdated` are copies that are of no more use, since the file holds the same again; `keeps_copy` where the former
    content is to be kept.
    """

    path: Path
    before: str | None
    after: str | None
    outdated: tuple[Path, ...] = ()
    keeps_copy: bool = True

    @property
    def is_needed(self) -> bool:
        """Something differs."""
        return self.before != self.after


@dataclass(frozen=True, slots=True)
class InstallPlan:
    """The changes to a host's files, and what its user should know."""

    changes: tuple[FileChange, ...]
    note: str


def plan_install(
    host: str, folder: Path, command: str, environment: Mapping[str, str] | None = None, *, least_seconds: int = 0
) -> InstallPlan:
    """Return the changes that install the command as the host's hooks, below the user's or a project's folder.

    With `environment`, the folder is the user's, and the host's own variable may name another. The host waits for each
    hook for `least_seconds`, or longer.

    Raises:
        InvalidInput: the host's files are not written by Telic, or cannot be understood; nothing is changed.
    """
    place, file, before, first = _found(host, folder, environment)
    hooks = {event: max(seconds, least_seconds) for event, seconds in place.hooks.items()}
    after = _edited(file, lambda: with_hooks(first.text or "", host, command, hooks))
    # The copy of what was there before Telic is still the right one after a second installation.
    changes = [FileChange(file, before, after, keeps_copy=not first.is_known)]
    if place.manifest is not None:
        manifest = folder / place.manifest
        held = read(manifest)
        changes.append(FileChange(manifest, held, _manifest() if held is None else held))
    return InstallPlan(tuple(change for change in changes if change.is_needed), place.note)


def plan_removal(host: str, folder: Path, environment: Mapping[str, str] | None = None) -> InstallPlan:
    """Return the changes that take Telic's hooks out of the host's files again, and leave them as they were before.

    Raises:
        InvalidInput: as `plan_install`.
    """
    place, file, before, first = _found(host, folder, environment)
    after = first.text
    changes = [FileChange(file, before, after, first.copies, keeps_copy=not first.is_known)]
    if place.manifest is not None:
        manifest = folder / place.manifest
        held = read(manifest)
        is_plugin_empty = after is None or not after.strip() or not json.loads(after)
        changes = [replace(changes[0], after=None if is_plugin_empty else after)]
        changes.append(FileChange(manifest, held, None if is_plugin_empty and held == _manifest() else held))
    return InstallPlan(tuple(change for change in changes if change.is_needed), "")


@dataclass(frozen=True, slots=True)
class _BeforeTelic:
    """The text of a file before Telic, None where it was not there; `is_known` where it is that to the character.

    `copies` are those that hold the same.
    """

    text: str | None
    is_known: bool
    copies: tuple[Path, ...] = ()


def _before_telic(file: Path, text: str, host: str) -> _BeforeTelic:
    """Return what the file held before: a copy of it, if it is that copy with Telic's hooks and nothing else."""
    handlers = telic_handlers(text, host)
    if not handlers:
        return _BeforeTelic(text, is_known=False)
    known = [(copy, held) for copy in copies(file) if (held := _held(copy, host)) is not None]
    for _, held in known:
        if with_handlers(held, handlers) == text:
            return _BeforeTelic(held, True, tuple(copy for copy, other in known if other == held))
    if with_handlers("", handlers) == text:
        return _BeforeTelic(None, is_known=True)
    return _BeforeTelic(without_hooks(text, host), is_known=False)


def _held(copy: Path, host: str) -> str | None:
    """Return what the copy holds, or None where it cannot be read, or has Telic's hooks itself."""
    try:
        held = read(copy)
        return held if held is None or not held.strip() or not telic_handlers(held, host) else None
    except InvalidInput:
        return None


def _found(
    host: str, folder: Path, environment: Mapping[str, str] | None
) -> tuple[_HookFiles, Path, str | None, _BeforeTelic]:
    """Return which files the host has, the one of its hooks, what that holds, and what it held before Telic."""
    place = _HOOK_FILES.get(host)
    if place is None:
        raise InvalidInput(f"Telic writes the settings of {', '.join(_HOOK_FILES)}; for {host!a}, {_BY_HAND}")
    named = (environment or {}).get(place.home_variable or "")
    file = Path(named).expanduser() / Path(place.file).name if named else folder / place.file
    text = read(file)
    if text is None:
        return place, file, None, _BeforeTelic(None, is_known=False)
    return place, file, text, _edited(file, lambda: _before_telic(file, text, host))


def _edited(file: Path, edit: Callable[[], T]) -> T:
    try:
        return edit()
    except InvalidInput as error:
        raise InvalidInput(f"{file} is left as it is: {error}") from error


def _manifest() -> str:
    return json.dumps(_GOOSE_PLUGIN, indent=2) + "\n"


_POSTGRESQL = ("postgresql", "postgres")


def for_settings(location: str) -> str:
    """Return the store's absolute path, or its URL.

    Raises:
        InvalidInput: it is a URL with a password, or none that can be read.
        StoreMisconfigured: nothing can be opened by it.
    """
    try:
        parts = urlsplit(location)
        if "://" not in location or parts.scheme not in _POSTGRESQL:
            return str(Path(sqlite_path(location)).absolute())
        has_password = bool(parts.password) or "password" in parse_qs(parts.query)
    except ValueError:
        raise InvalidInput("the store's URL cannot be read: postgresql://user@host/database") from None
    if has_password:
        raise InvalidInput(
            "a URL with a password does not belong into settings: give --store the URL without the password, and put it"
            " into ~/.pgpass (mode 600), where it is found; TELIC_STORE does not reach every host"
        )
    return location


def read(path: Path) -> str | None:
    """Return the file's content, line endings as they are, or None where there is none.

    Raises:
        InvalidInput: it cannot be read, is no regular file, or no UTF-8.
    """
    try:
        if not path.exists() and not path.is_symlink():
            return None
        if not path.is_file() or path.stat().st_size > _MAX_BYTES:
            raise InvalidInput(f"{path} is no file that could be changed")
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error


def apply(change: FileChange) -> Path | None:
    """Change the file, and return the copy of its former content.

    It keeps its mode; where it is a link, what the link leads to is changed. A file that is to be gone, which Telic
    alone had written, leaves no copy, and no folder that it was alone in. Outdated copies are gone.

    Raises:
        InvalidInput: it was changed meanwhile, or cannot be written; nothing is changed.
    """
    if read(change.path) != change.before:
        raise InvalidInput(f"{change.path} was changed meanwhile; try again")
    path = Path(os.path.realpath(change.path))
    try:
        if change.after is None:
            path.unlink()
            with suppress(OSError):
                path.parent.rmdir()
            return None
        backup = _keep_copy(path, change.before) if change.keeps_copy and change.before is not None else None
        write_whole(path, change.after)
        for copy in change.outdated:
            copy.unlink(missing_ok=True)
    except OSError as error:
        raise InvalidInput(f"{path} cannot be written: {error.strerror}") from error
    return backup


def copies(path: Path) -> list[Path]:
    """Return the copies that were kept of the file, the last one first."""
    real = Path(os.path.realpath(path))
    found = real.parent.glob(f"{glob.escape(real.name)}{_COPY}*")
    numbered = [(int(number), each) for each in found if (number := each.name.rpartition("-")[2]).isdecimal()]
    return [each for _, each in sorted(numbered, reverse=True)]


def _keep_copy(path: Path, text: str) -> Path:
    for number in count(1):
        backup = path.with_name(f"{path.name}{_COPY}{number}")
        # Never written over: another process may keep its copy at the same time.
        with suppress(FileExistsError):
            descriptor = os.open(backup, os.O_WRONLY | os.O_CREAT | os.O_EXCL, stat.S_IMODE(path.stat().st_mode))
            with os.fdopen(descriptor, "wb") as copy:
                copy.write(text.encode())
            return backup
    raise AssertionError("numbers do not end")
