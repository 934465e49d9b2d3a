"""Whose goal a session works on."""

import os
from hashlib import sha256
from pathlib import Path
from typing import Final

from telic.domain.limits import MAX_NAME_CHARS
from telic.integrations.hosts.payload import Notice

SESSION_SCOPE: Final = "session"
FOLDER_SCOPE: Final = "folder"


def scope_of(host: str, notice: Notice, scope: str) -> str:
    """The scope whose goal the session works on; the host and its user name it, never the model."""
    if scope == SESSION_SCOPE:
        return short_name(f"{host}/", notice.session)
    if scope == FOLDER_SCOPE:
        return folder_scope(notice.folder)
    return scope


def folder_scope(folder: Path) -> str:
    """The scope of a project's folder: `folder:` and its path without links, or a hash of a long one."""
    return short_name("folder:", os.path.realpath(folder))


def short_name(prefix: str, name: str) -> str:
    """The two together, or a hash in the name's place where no scope can hold it."""
    if len(prefix) + len(name) <= MAX_NAME_CHARS and name.isprintable():
        return prefix + name
    return f"{prefix}sha256-{sha256(name.encode(errors='surrogatepass')).hexdigest()}"
