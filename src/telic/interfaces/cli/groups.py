"""The command with its sub-commands, listed by what people do with them."""

from typing import Any, Final

import click

from telic.domain.errors import GoalError

SECTIONS: Final[dict[str, tuple[str, ...]]] = {
    "Run": ("run", "worker"),
    "Look": ("list", "show", "active", "events", "turns", "usage", "watch", "top"),
    "Change": ("create", "edit", "budget", "pause", "resume", "wake", "approve", "reject", "complete", "clear"),
    "Work": ("claim", "renew", "unclaim", "hold", "holds", "release", "record"),
    "Serve": ("dashboard", "mcp", "install", "hook"),
    "Care": ("doctor", "export", "import"),
}
_OTHERS: Final = "Help and more"
_NOTHING_ASKED: Final = 2


class CommandFailed(Exception):
    """The command of this name ended in an error."""

    def __init__(self, error: GoalError, command: click.Command | None) -> None:
        super().__init__(str(error))
        self.error = error
        self.command = command


class SectionedGroup(click.Group):
    """Sub-commands by sections, each with its whole summary; an error keeps to the command that it ended."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each section's commands; those of no section come last."""
        known = {name for names in SECTIONS.values() for name in names}
        others = tuple(name for name in self.list_commands(ctx) if name not in known)
        with formatter.section("Commands"):
            for title, names in {**SECTIONS, _OTHERS: others}.items():
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

    def invoke(self, ctx: click.Context) -> Any:
        """Run the sub-command.

        Raises:
            CommandFailed: it ended in an error.
        """
        try:
            return super().invoke(ctx)
        except GoalError as error:
            raise CommandFailed(error, self.get_command(ctx, ctx.invoked_subcommand or "")) from error


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
    with click.Context(command, info_name=name, parent=parent, **group.context_settings) as own:
        click.echo(command.get_help(own))


@click.command("version")
def version_command() -> None:
    """Show Telic's version."""
    from importlib.metadata import version

    click.echo(f"telic, version {version('telic')}")


COMMANDS = (help_command, version_command)
