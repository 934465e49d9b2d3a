"""Which of a host's files must say what for `telic hook` to be called."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from telic.domain.errors import InvalidInput
from telic.integrations.hooks.files import Change, read
from telic.integrations.hooks.settings import Hooks, with_hooks, without_hooks

CHECKING_SECONDS: Final = 600
"""How long the host waits for the hook that checks a goal's criteria."""

_QUICK_SECONDS: Final = 10
_INJECTING: Final = {"SessionStart": _QUICK_SECONDS, "UserPromptSubmit": _QUICK_SECONDS, "Stop": CHECKING_SECONDS}
_COUNTING: Final = {"SubagentStop": _QUICK_SECONDS, "PreCompact": _QUICK_SECONDS, "SessionEnd": _QUICK_SECONDS}
_GOOSE_PLUGIN: Final = {
    "name": "telic",
    "version": "1.0.0",
    "description": "Keeps a turn going until the goal is verified",
}
_BY_HAND: Final = "docs/howto/hosts.md shows what to write into its settings"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a host keeps its hooks, below the user's or the project's folder, and which Telic wants."""

    file: str
    hooks: Hooks
    note: str
    home_variable: str | None = None
    manifest: str | None = None


_PLACES: Final[Mapping[str, _Place]] = MappingProxyType(
    {
        "claude-code": _Place(
            ".claude/settings.json",
            _INJECTING | _COUNTING,
            "Claude Code reads it at the next start; /hooks shows it",
            home_variable="CLAUDE_CONFIG_DIR",
        ),
        "codex": _Place(
            ".codex/hooks.json",
            _INJECTING,
            "Codex runs no hook before you trust it: type /hooks there",
            home_variable="CODEX_HOME",
        ),
        "goose": _Place(
            ".agents/plugins/telic/hooks/hooks.json",
            {"UserPromptSubmit": _QUICK_SECONDS, "Stop": CHECKING_SECONDS, "SessionEnd": _QUICK_SECONDS},
            "goose takes no context from hooks: the model hears of the goal when it first stops, or from the file that "
            "GOOSE_MOIM_MESSAGE_FILE names",
            manifest=".agents/plugins/telic/plugin.json",
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Plan:
    """The changes to a host's files, and what its user should know."""

    changes: tuple[Change, ...]
    note: str


def plan_install(host: str, folder: Path, command: str, environment: Mapping[str, str] | None = None) -> Plan:
    """What installs the command as the host's hooks, below the user's or a project's folder.

    With `environment`, the folder is the user's, and the host's own variable may name another.

    Raises:
        InvalidInput: the host's files are not written by Telic, or cannot be understood; nothing is changed.
    """
    place = _place(host)
    file = _file(place, folder, environment)
    before = read(file)
    changes = [Change(file, before, _edited(file, lambda: with_hooks(before or "", host, command, place.hooks)))]
    if place.manifest is not None:
        manifest = folder / place.manifest
        held = read(manifest)
        changes.append(Change(manifest, held, _manifest() if held is None else held))
    return Plan(tuple(change for change in changes if change.is_needed), place.note)


def plan_removal(host: str, folder: Path, environment: Mapping[str, str] | None = None) -> Plan:
    """What takes Telic's hooks out of the host's files again.

    Raises:
        InvalidInput: as `plan_install`.
    """
    place = _place(host)
    file = _file(place, folder, environment)
    before = read(file)
    after = None if before is None else _edited(file, lambda: without_hooks(before, host))
    changes = [Change(file, before, after)]
    if place.manifest is not None:
        manifest = folder / place.manifest
        held = read(manifest)
        is_plugin_empty = after is None or not json.loads(after)
        changes = [Change(file, before, None if is_plugin_empty else after)]
        changes.append(Change(manifest, held, None if is_plugin_empty and held == _manifest() else held))
    return Plan(tuple(change for change in changes if change.is_needed), "")


def _place(host: str) -> _Place:
    place = _PLACES.get(host)
    if place is None:
        raise InvalidInput(f"Telic writes the settings of {', '.join(_PLACES)}; for {host!a}, {_BY_HAND}")
    return place


def _file(place: _Place, folder: Path, environment: Mapping[str, str] | None) -> Path:
    named = (environment or {}).get(place.home_variable or "")
    return Path(named).expanduser() / Path(place.file).name if named else folder / place.file


def _edited(file: Path, edit: Callable[[], str]) -> str:
    try:
        return edit()
    except InvalidInput as error:
        raise InvalidInput(f"{file} is left as it is: {error}") from error


def _manifest() -> str:
    return json.dumps(_GOOSE_PLUGIN, indent=2) + "\n"
