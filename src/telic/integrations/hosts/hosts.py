"""The hosts whose hooks are answered, by name, and the scopes of their goals."""

import os
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Final

from telic.domain.limits import MAX_NAME_CHARS
from telic.integrations.hosts.claude_code import CLAUDE_CODE
from telic.integrations.hosts.codex import CODEX
from telic.integrations.hosts.copilot import COPILOT
from telic.integrations.hosts.gemini import GEMINI
from telic.integrations.hosts.goose import GOOSE
from telic.integrations.hosts.payload import HookHost, HookPayload

HOSTS: Final[Mapping[str, HookHost]] = MappingProxyType(
    {host.name: host for host in (CLAUDE_CODE, CODEX, GOOSE, GEMINI, COPILOT)}
)


def is_hosts_scope(scope: str) -> bool:
    """Whether hooks work on the scope's goals unless they are told otherwise: a session's, or a folder's."""
    return scope.startswith("folder:") or scope.partition("/")[0] in HOSTS


SESSION_SCOPE: Final = "session"
FOLDER_SCOPE: Final = "folder"


def scope_of(host: str, payload: HookPayload, scope: str) -> str:
    """The scope whose goal the session works on; the host and its user name it, never the model."""
    if scope == SESSION_SCOPE:
        return short_name(f"{host}/", payload.session)
    if scope == FOLDER_SCOPE:
        return folder_scope(payload.folder)
    return scope


def folder_scope(folder: Path) -> str:
    """The scope of a project's folder: `folder:` and its path without links, or a hash of a long one."""
    return short_name("folder:", os.path.realpath(folder))


def short_name(prefix: str, name: str) -> str:
    """The two together, or a hash in the name's place where no scope can hold it."""
    if len(prefix) + len(name) <= MAX_NAME_CHARS and name.isprintable():
        return prefix + name
    return f"{prefix}sha256-{sha256(name.encode(errors='surrogatepass')).hexdigest()}"
