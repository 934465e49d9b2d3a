"""The command with its sub-commands, listed by what people do with them."""

from difflib import get_close_matches
from importlib import import_module
from typing import Any, Final

import click

from telic.domain.errors import GoalError

SECTIONS: Final[dict[str, dict[str, str]]] = {
    "Run": {"run": "run", "worker": "worker"},
    "Look": {
        **dict.fromkeys(("list", "show", "active"), "goals"),
        **dict.fromkeys(("events", "turns"), "history"),
        "usage": "usage",
        "watch": "history",
        "top": "top",
    },
    "Change": {
        **dict.fromkeys(("create", "edit", "budget"), "goals"),
        **dict.fromkeys(("pause", "resume", "wake"), "moves"),
        **dict.fromkeys(("approve", "reject"), "approvals"),
        **dict.fromkeys(("complete", "clear"), "moves"),
    },
    "Work": {
        **dict.fromkeys(("claim", "renew", "unclaim", "hold", "holds", "release"), "leases"),
        "record": "history",
    },
    "Serve": {"dashboard": "dashboard", "mcp": "mcp", "install": "install", "hook": "hook"},
    "Care": {"doctor": "history", "backup": "transfer", "export": "transfer", "import": "transfer"},
    "Help and more": {"help": "groups", "version": "groups"},
}
"""Each command, and the module that has it. Only the module of the command that is asked for is loaded."""

_MODULES: Final = {name: module for commands in SECTIONS.values() for name, module in commands.items()}
_NOTHING_ASKED: Final = 2


class CommandFailed(Exception):
    """The command of this name ended in an error."""

    def __init__(self, error: GoalError, command: click.Command | None) -> None:
        super().__init__(str(error))
        self.error = error
        self.command = command


class SectionedGroup(click.Group):
    """Sub-commands by sections, each with its whole summary; an error keeps to the command that it ended."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, section by section."""
        return list(dict.fromkeys([*_MODULES, *super().list_commands(ctx)]))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of this name, its module loaded; None where there is none."""
        if cmd_name in _MODULES and cmd_name not in self.commands:
            for command in import_module(f"telic.interfaces.cli.{_MODULES[cmd_name]}").COMMANDS:
                self.add_command(command)
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each section's commands."""
        with formatter.section("Commands"):
            for title, names in SECTIONS.items():
                commands = [(name, self.get_command(ctx, name)) for name in names]
                with formatter.section(title):
                    # Each summary in full: one that is cut off says nothing.
                    formatter.write_dl(
                        [(name, each.get_short_help_str(limit=1_000)) for name, each in commands if each]
                    )

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments; without any the help is what was asked for, and the exit code is that of wrong usage."""
        if not args and not ctx.resilient_parsing:
            click.echo(ctx.get_help(), err=True)
            ctx.exit(_NOTHING_ASKED)
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is asked for; the error of one that is not there names the nearest."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            nearest = get_close_matches(args[0], self.list_commands(ctx), n=1)
            if not nearest:
                raise
            raise click.UsageError(f"{error.message} Did you mean {nearest[0]!r}?", ctx) from error

    def invoke(self, ctx: click.Context) -> Any:
        """Run the sub-command.

        Raises:
            CommandFailed: it ended in an error.
        """
        try:
            return super().invoke(ctx)
        except GoalError as error:
            raise CommandFailed(error, self.get_command(ctx, ctx.invoked_subcommand or "")) from error


def help_of(command: click.Command, parent: click.Context) -> str:
    """Return the help of the group's command, as `--help` prints it."""
    # A command keeps the first help option that it makes: a context without the group's settings would leave it no -h.
    with click.Context(command, info_name=command.name, parent=parent, **parent.command.context_settings) as own:
        return command.get_help(own)


@click.command("help")
@click.argument("name", metavar="[COMMAND]", required=False)
@click.pass_context
def help_command(context: click.Context, name: str | None) -> None:
    """Show this message, or the help of COMMAND."""
    parent = context.find_root()
    if name is None:
        click.echo(parent.get_help())
        return
    group = parent.command
    command = group.get_command(parent, name) if isinstance(group, click.Group) else None
    if command is None:
        raise click.UsageError(f"No such command {name!r}.", parent)
    click.echo(help_of(command, parent))


@click.command("version")
def version_command() -> None:
    """Show Telic's version."""
    from importlib.metadata import version

    click.echo(f"telic, version {version('telic')}")


COMMANDS = (help_command, version_command)
