"""`telic hook`: the one command in coding agents' hook configurations."""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress

import click

from telic.domain.errors import InvalidInput
from telic.integrations.hosts.handler import (
    DEFAULT_ANSWER_SECONDS,
    DEFAULT_CHECK_SECONDS,
    DEFAULT_MOST_CONTINUATIONS,
    HookOptions,
    run_hook,
)
from telic.integrations.hosts.judge_choice import JudgeChoice
from telic.integrations.hosts.safeguards import log_of
from telic.interfaces.cli.options import default_store

_FAILED = 1


@click.command()
@click.argument("host")
@click.option(
    "--scope",
    default="session",
    show_default=True,
    help="Whose goal: session (HOST/SESSION), folder (folder:PATH of the project), or the name of a scope.",
)
@click.option(
    "--store",
    envvar="TELIC_STORE",
    help="A path, or a sqlite:/// or postgresql:// URL, also TELIC_STORE.  [default: the user's data folder]",
)
@click.option(
    "--max-continuations",
    type=int,
    default=DEFAULT_MOST_CONTINUATIONS,
    show_default=True,
    help="How often in a row a stop is turned into another turn; never as often as the host allows.",
)
@click.option(
    "--check-seconds",
    type=float,
    default=DEFAULT_CHECK_SECONDS,
    show_default=True,
    help="How long checking the criteria may take; keep it below the host's time-out for hooks.",
)
@click.option(
    "--answer-seconds",
    type=float,
    default=DEFAULT_ANSWER_SECONDS,
    show_default=True,
    help="How long a call that checks nothing may take; the host then goes on without an answer.",
)
@click.option(
    "--judge-model",
    envvar="TELIC_JUDGE_MODEL",
    metavar="NAME",
    help="The model that answers judges' questions, provider:name, also TELIC_JUDGE_MODEL.",
)
@click.option(
    "--judge-command",
    envvar="TELIC_JUDGE_COMMAND",
    metavar="COMMAND",
    help="The command that answers them instead, also TELIC_JUDGE_COMMAND.",
)
def hook(
    host: str,
    scope: str,
    store: str | None,
    max_continuations: int,
    check_seconds: float,
    answer_seconds: float,
    judge_model: str | None,
    judge_command: str | None,
) -> None:
    """Answer a hook of HOST: claude-code, codex, goose, gemini or copilot.

    The host's payload is read from standard input, and the answer written to standard output in the host's form. It
    ends with 0 and no output whenever something is amiss, and says so in hooks.log under the user's state folder. A
    missing store is never made. Only a wrong command line ends with 1, which no host takes for an answer.
    """
    run_hook(
        host,
        HookOptions(
            store=store or default_store(),
            scope=scope,
            most_continuations=max_continuations,
            check_seconds=check_seconds,
            answer_seconds=answer_seconds,
            judge=JudgeChoice(model=judge_model, command=judge_command),
        ),
    )


def main(arguments: Sequence[str]) -> int:
    """The exit code of `telic hook`, run without loading the other commands."""
    try:
        hook.main(args=list(arguments), prog_name="telic hook", standalone_mode=False)
    except (click.ClickException, InvalidInput) as error:
        # Exit code 2, which click uses, blocks a host's session.
        message = error.format_message() if isinstance(error, click.ClickException) else str(error)
        with suppress(OSError, AttributeError):
            sys.stderr.write(f"telic: {message}\n")
        return _FAILED
    except (click.exceptions.Abort, click.exceptions.Exit, KeyboardInterrupt):
        return 0
    except Exception as error:  # Hosts show a traceback to their users, who can do nothing about it.
        log_of(os.environ, arguments[0] if arguments else "hook").write(f"{type(error).__name__}: {error}")
        return 0
    return 0


COMMANDS = (hook,)
