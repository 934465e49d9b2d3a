"""The command group, and how a run of it ends."""

import os
import sys
from collections.abc import Sequence

import click

from telic.domain.errors import BudgetExceeded, GoalError, OutcomeUnknown, StaleUpdate
from telic.interfaces.cli import (
    approvals,
    dashboard,
    goals,
    history,
    hook,
    install,
    mcp,
    moves,
    sharing,
    top,
    transfer,
    usage,
    watch,
    worker,
)
from telic.interfaces.cli import run as running
from telic.interfaces.cli.failures import EXIT_INTERRUPTED, failure
from telic.interfaces.cli.observing import observe, observing_options
from telic.interfaces.cli.terminal import ReaderGone, Terminal


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="telic")
@observing_options
@click.pass_context
def telic(context: click.Context, log_level: str | None, log_format: str, telemetry: bool | None) -> None:
    """Durable goals for AI agents.

    Goals live in one SQLite file, or in PostgreSQL; every change is guarded and kept in the goal's history. Where
    an ID is asked for, the first 8 or more characters of one do; without one, the scope's active goal is meant.
    """
    observe(context, log_level, log_format, telemetry)


for module in (
    *(goals, moves, running, worker, approvals, history, sharing, usage, watch, top, dashboard, mcp),
    *(transfer, hook, install),
):
    for command in module.COMMANDS:
        telic.add_command(command)


def run(arguments: Sequence[str]) -> int:
    """The exit code of the command, whose every failure is one line on standard error."""
    terminal = Terminal(as_json="--json" in arguments)
    try:
        code = telic.main(args=list(arguments), prog_name="telic", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.exceptions.Abort:
        return EXIT_INTERRUPTED
    except click.ClickException as error:
        _report_usage(terminal, error)
        return error.exit_code
    except GoalError as error:
        code, hint = failure(error)
        terminal.error(error.code, str(error), retryable=error.retryable, hint=_own_hint(error) or hint)
        return code
    except (ReaderGone, BrokenPipeError):
        # The reader has seen enough; writing the rest at exit would fail once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def _report_usage(terminal: Terminal, error: click.ClickException) -> None:
    context = error.ctx if isinstance(error, click.UsageError) else None
    hint = f"{context.command_path} --help tells what is accepted" if context else None
    terminal.error("usage", error.format_message(), retryable=False, hint=hint)


def _own_hint(error: GoalError) -> str | None:
    match error:
        case StaleUpdate():
            return f"look at it with telic show {error.goal.id}, then repeat with --revision {error.goal.revision}"
        case BudgetExceeded() if error.asked:
            return "telic budget ID 4M raises it; telic holds ID shows what is held"
        case OutcomeUnknown(key=str(key)):
            return f"repeat the command with --key {key}; it then happens exactly once"
        case _:
            return None
