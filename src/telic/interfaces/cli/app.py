"""The command group, and how a run of it ends."""

import os
import sys
from collections.abc import Sequence

import click

from telic.domain.errors import GoalError
from telic.interfaces.cli.exit_codes import failure
from telic.interfaces.cli.groups import CommandFailed, SectionedGroup
from telic.interfaces.cli.observing import observe, observing_options
from telic.interfaces.cli.options import AMOUNT, QUOTED_MONEY
from telic.interfaces.cli.terminal import ReaderGone, Terminal
from telic.services.outcomes import ExitCode


@click.group(cls=SectionedGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(None, "-V", "--version", package_name="telic")
@observing_options
@click.pass_context
def telic(context: click.Context, log_level: str | None, log_format: str, telemetry: bool | None) -> None:
    """Durable goals for AI agents.

    Goals live in one SQLite file, or in PostgreSQL; every change is guarded and kept in the goal's history. Where
    an ID is asked for, the first or last 8 or more characters of one do. Without an ID, the scope's active goal is
    meant; where none is active, the one that was changed last.
    """
    observe(context, log_level, log_format, telemetry)


def every_command() -> dict[str, click.Command]:
    """The sub-commands by their names, all loaded."""
    context = click.Context(telic)
    found = ((name, telic.get_command(context, name)) for name in telic.list_commands(context))
    return {name: command for name, command in found if command is not None}


def run(arguments: Sequence[str]) -> int:
    """The exit code of the command, whose every failure is one line on standard error."""
    terminal = Terminal(as_json="--json" in arguments)
    try:
        code = telic.main(args=list(arguments), prog_name="telic", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.exceptions.Abort:
        return ExitCode.INTERRUPTED
    except click.ClickException as error:
        _report_usage(terminal, error, _named(arguments))
        return error.exit_code
    except CommandFailed as failed:
        return _report(terminal, failed.error, failed.command)
    except GoalError as error:
        return _report(terminal, error, telic)
    except (ReaderGone, BrokenPipeError):
        # The reader has seen enough; writing the rest at exit would fail once more.
        _write_to_nobody()
        return 0
    except OSError as error:
        _write_to_nobody()
        terminal.error("system_error", _refused(error), retryable=False, hint=None)
        return ExitCode.SYSTEM_FAILED
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED


def _report(terminal: Terminal, error: GoalError, command: click.Command | None) -> int:
    code, hint = failure(error, command)
    terminal.error(error.code, str(error), retryable=error.retryable, hint=hint)
    return code


def _named(arguments: Sequence[str]) -> click.Command:
    """Return the sub-command that the arguments name, or the command itself."""
    context = click.Context(telic)
    return next(filter(None, (telic.get_command(context, word) for word in arguments)), telic)


def _report_usage(terminal: Terminal, error: click.ClickException, command: click.Command) -> None:
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = context.command_path if context else "telic" if command is telic else f"telic {command.name}"
    hint = f"{path} --help tells what is accepted"
    if isinstance(error, click.BadOptionUsage) and _is_amount(command, error.option_name):
        hint = f"{QUOTED_MONEY}; {hint}"
    terminal.error("usage", error.format_message(), retryable=False, hint=hint)


def _is_amount(command: click.Command, option: str) -> bool:
    return any(option in parameter.opts and parameter.type is AMOUNT for parameter in command.params)


def _write_to_nobody() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _refused(error: OSError) -> str:
    if error.filename is None:
        # The store's failures are errors of its own: what is left is what the command had to say.
        why = error.strerror or error
        return f"standard output cannot be written ({why}): the work is done, look before you repeat it"
    return f"the system refused: {error.strerror or error}: {error.filename}"
