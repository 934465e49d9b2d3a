"""The hosts whose hooks are answered, by name."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from telic.integrations.hosts.claude_code import CLAUDE_CODE
from telic.integrations.hosts.codex import CODEX
from telic.integrations.hosts.copilot import COPILOT
from telic.integrations.hosts.gemini import GEMINI
from telic.integrations.hosts.goose import GOOSE
from telic.integrations.hosts.payload import Host

HOSTS: Final[Mapping[str, Host]] = MappingProxyType(
    {host.name: host for host in (CLAUDE_CODE, CODEX, GOOSE, GEMINI, COPILOT)}
)


def is_hosts_scope(scope: str) -> bool:
    """Whether hooks work on the scope's goals unless they are told otherwise: a session's, or a folder's."""
    return scope.startswith("folder:") or scope.partition("/")[0] in HOSTS
