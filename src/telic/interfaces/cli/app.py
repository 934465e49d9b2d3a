"""The command group: sub-commands in sections, each loaded when it is used, and how errors become exit codes."""

import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import click

from telic.domain.base_errors import needs_extra
from telic.domain.errors import GoalError
from telic.interfaces.cli.exit_codes import CommandFailed
from telic.interfaces.cli.options import AMOUNT, QUOTED_MONEY
from telic.interfaces.cli.terminal import OutputLost, ReaderGone, Terminal
from telic.observability.observer import Observer
from telic.services.outcomes import ExitCode

# Each command, and the module that has it. Only the module of the command that is asked for is loaded.
SECTIONS: Final[dict[str, dict[str, str]]] = {
    "Run": {"run": "run", "worker": "worker"},
    "Look": {
        **dict.fromkeys(("list", "show", "active"), "goals"),
        **dict.fromkeys(("events", "turns"), "history"),
        "usage": "usage",
        "watch": "history",
        "top": "serve",
    },
    "Change": {
        **dict.fromkeys(("create", "edit", "budget"), "goals"),
        **dict.fromkeys(("pause", "resume", "wake", "approve", "reject", "complete", "clear"), "moves"),
    },
    "Work": dict.fromkeys(("claim", "renew", "unclaim", "hold", "holds", "release", "record"), "leases"),
    "Serve": {"dashboard": "serve", "mcp": "serve", "install": "hook", "hook": "hook"},
    "Care": dict.fromkeys(("doctor", "backup", "export", "import"), "history"),
    "Help and more": dict.fromkeys(("help", "version"), "app"),
}

_MODULES: Final = {name: module for commands in SECTIONS.values() for name, module in commands.items()}
_ASKING: Final = (
    "OTEL_TRACES_EXPORTER",
    "OTEL_METRICS_EXPORTER",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
)


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
        # Click would raise an error that has the whole help as its message.
        if not args and not ctx.resilient_parsing:
            click.echo(ctx.get_help(), err=True)
            ctx.exit(ExitCode.WRONG_INPUT)
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
            # Its options could not be read, so it knows of no goal.
            raise CommandFailed(error, self.get_command(ctx, ctx.invoked_subcommand or "")) from error


@click.group(cls=SectionedGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(None, "-V", "--version", package_name="telic")
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    envvar="TELIC_LOG_LEVEL",
    help="Write log lines of this level and above to standard error, also TELIC_LOG_LEVEL.",
)
@click.option(
    "--log-format",
    type=click.Choice(["logfmt", "json"]),
    default="logfmt",
    show_default=True,
    envvar="TELIC_LOG_FORMAT",
    help="How they are written, also TELIC_LOG_FORMAT.",
)
@click.option(
    "--telemetry/--no-telemetry",
    default=None,
    envvar="TELIC_TELEMETRY",
    help="Export spans and metrics as OTEL_* says, also TELIC_TELEMETRY.  [default: where OTEL_* names a place]",
)
@click.pass_context
def telic(context: click.Context, log_level: str | None, log_format: str, telemetry: bool | None) -> None:
    """Durable goals for AI agents.

    Goals live in one SQLite file, or in PostgreSQL; every change is guarded and kept in the goal's history. Where
    an ID is asked for, the first or last 8 or more characters of one do. Without an ID, the scope's active goal is
    meant; where none is active, the one that was changed last.
    """
    if log_level is not None:
        context.call_on_close(_log(log_level, log_format))
    if telemetry:
        context.obj = _telemetry()
    elif telemetry is None and _is_asked_for(os.environ):
        # Variables may be meant for other programs: they make no command fail.
        with suppress(GoalError):
            context.obj = _telemetry()
    if context.obj is None and log_level is not None:
        from telic.observability.log_lines import Logging

        context.obj = Logging()


def _log(level: str, form: str) -> Callable[[], None]:
    # The handler is taken away again at the end: a program may run several commands in one process.
    from telic.observability.log_lines import LineFormatter

    logger, handler = logging.getLogger("telic"), logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter(form))
    logger.addHandler(handler)
    logger.setLevel(level.upper())
    return lambda: logger.removeHandler(handler)


def _is_asked_for(environment: Mapping[str, str]) -> bool:
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    return any(environment.get(name, "none") not in ("", "none") for name in _ASKING)


def _telemetry() -> Observer:
    with needs_extra("telemetry", "--telemetry", also="opentelemetry-sdk opentelemetry-exporter-otlp"):
        from telic.observability.exporting import set_up_providers
        from telic.observability.telemetry import OpenTelemetry
    set_up_providers(os.environ)
    return OpenTelemetry()


@click.command("help")
@click.argument("name", metavar="[COMMAND]", required=False)
@click.pass_context
def help_command(context: click.Context, name: str | None) -> None:
    """Show this message, or the help of COMMAND."""
    parent = context.find_root()
    if name is None:
        click.echo(parent.get_help())
        return
    command = telic.get_command(parent, name)
    if command is None:
        raise click.UsageError(f"No such command {name!r}.", parent)
    click.echo(help_of(command, parent))


@click.command("version")
def version_command() -> None:
    """Show Telic's version."""
    from importlib.metadata import version

    click.echo(f"telic, version {version('telic')}")


COMMANDS = (help_command, version_command)


def help_of(command: click.Command, parent: click.Context) -> str:
    """Return the help of the group's command, as `--help` prints it."""
    # A command keeps the first help option that it makes: a context without the group's settings would leave it no -h.
    with click.Context(command, info_name=command.name, parent=parent, **parent.command.context_settings) as own:
        return command.get_help(own)


def every_command() -> dict[str, click.Command]:
    """Return the sub-commands by their names, all loaded."""
    context = click.Context(telic)
    return {name: each for name in telic.list_commands(context) if (each := telic.get_command(context, name))}


def run(arguments: Sequence[str]) -> int:
    """Return the exit code of the command, whose every failure is one line on standard error."""
    terminal = Terminal(as_json="--json" in arguments)
    try:
        code = telic.main(args=list(arguments), prog_name="telic", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    # Click turns Ctrl-C at a prompt into Abort, and lets it through elsewhere.
    except (click.exceptions.Abort, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    except click.ClickException as wrong:
        _report_usage(terminal, wrong, _named(arguments))
        return wrong.exit_code
    except CommandFailed as failed:
        error = failed.error
        terminal.error(error.code, str(failed), retryable=error.retryable, hint=failed.hint)
        return failed.exit_code
    except (ReaderGone, BrokenPipeError):
        # The reader has seen enough; writing the rest at exit would fail once more.
        _write_to_nobody()
        return 0
    except OSError as refusal:
        _write_to_nobody()
        terminal.error("system_error", _refused(refusal), retryable=False, hint=None)
        return ExitCode.SYSTEM_FAILED


def _named(arguments: Sequence[str]) -> click.Command:
    """Return the sub-command that the arguments name, or the command itself."""
    context = click.Context(telic)
    return next(filter(None, (telic.get_command(context, word) for word in arguments)), telic)


def _report_usage(terminal: Terminal, error: click.ClickException, command: click.Command) -> None:
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = context.command_path if context else "telic" if command is telic else f"telic {command.name}"
    hint = f"{path} --help tells what is accepted"
    amounts = {name for each in command.params if isinstance(each.type, type(AMOUNT)) for name in each.opts}
    if isinstance(error, click.BadOptionUsage) and error.option_name in amounts:
        hint = f"{QUOTED_MONEY}; {hint}"
    terminal.error("usage", error.format_message(), retryable=False, hint=hint)


def _write_to_nobody() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _refused(error: OSError) -> str:
    why = error.strerror or str(error)
    if isinstance(error, OutputLost):
        return f"standard output cannot be written ({why}): the work is done, look before you repeat it"
    if error.filename is not None:
        return f"the system refused: {why}: {error.filename}"
    return f"the system refused: {why}" if _has_folder() else "the folder that you are in is gone: go to another one"


def _has_folder() -> bool:
    try:
        Path.cwd()
    except OSError:
        return False
    return True
