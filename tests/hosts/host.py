"""What the tests must know of a host."""

from collections.abc import Sequence
from typing import Any, Protocol

import pytest

from tests.hosts.world import CHECK, TEXT, Ended, World

MCP = ("mcp", "--workspace", ".", "--scope")
PATIENCE = ("--answer-seconds", "240")
"""A hook on a busy machine still answers, and reads all that there is."""
HOOK_SECONDS = 600
"""How long hosts wait for a hook."""


class Host(Protocol):
    """A coding host: how it is configured and started, and how it is given Telic's hooks and MCP server."""

    name: str
    """Its program, and the name that Telic's commands have for it."""
    agent: str
    """Its command line for `telic run --agent`."""
    run_options: tuple[str, ...]
    """What else `telic run` must be told of it."""

    def prepare(self, world: World) -> None:
        """The world lets the host talk to the model server, and to nobody else."""
        ...

    def ask(self, prompt: str) -> tuple[str, ...]:
        """Return the command that answers one prompt and ends."""
        ...

    def install_hooks(self, world: World, *options: str) -> None:
        """The host calls `telic hook` with these options."""
        ...

    def serve_goals(self, world: World, scope: str) -> None:
        """The host has Telic's MCP server of the scope."""
        ...


def server_of_goals(world: World, scope: str, **fields: Any) -> dict[str, Any]:
    """Return the server's entry as most hosts' settings read it."""
    return {"command": "telic", "args": [*MCP, scope], "env": {"TELIC_STORE": str(world.store)}} | fields


def named(*hosts: Host, fast: Sequence[Host] = ()) -> pytest.MarkDecorator:
    """The test is run with each of the hosts, and named after it; with those of `fast` also by the gate."""
    marked = [pytest.param(host, marks=pytest.mark.fast if host in fast else ()) for host in hosts]
    return pytest.mark.parametrize("host", marked, ids=[host.name for host in hosts])


def run(world: World, host: Host, *options: str, expect: int = 0, agent: str | None = None) -> Ended:
    """Let the host work on the goal until `telic run` ends."""
    host.prepare(world)
    limits = ("--budget", "2M", "--turns", "20")
    words = ("run", TEXT, "--check", CHECK, "--agent", agent or host.agent, *host.run_options, *limits)
    return world.telic(*words, *options, expect=expect)


def session(world: World, host: Host, *hook_options: str, prompt: str = "Please go.") -> Ended:
    """Let the host answer one prompt, with its hooks on the folder's goal."""
    host.prepare(world)
    host.install_hooks(world, "--scope", "folder", *hook_options)
    world.create(world.folder_scope)
    return world.execute(*host.ask(prompt))
