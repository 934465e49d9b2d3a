"""What the tests must know of a host."""

from typing import Any, Protocol

from tests.hosts.world import World

MCP = ("mcp", "--workspace", ".", "--scope")


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
