"""Coding agents' hooks: `telic hook` answers them, and `telic install` writes them into the hosts' configurations."""

import math
import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from telic.domain.errors import InvalidInput
from telic.integrations.hosts.checking import JudgeChoice
from telic.integrations.hosts.handler import (
    DEFAULT_ANSWER_SECONDS,
    DEFAULT_CHECK_SECONDS,
    DEFAULT_MOST_CONTINUATIONS,
    HookOptions,
    check_answer_seconds,
    run_hook,
)
from telic.integrations.hosts.session_state import log_of
from telic.interfaces.cli import options
from telic.interfaces.cli.options import gather_options
from telic.interfaces.cli.surroundings import default_store
from telic.interfaces.cli.terminal import Terminal

if TYPE_CHECKING:
    # A hook delays somebody's session: what only an installation needs is loaded by it.
    from telic.integrations.hosts.install import FileChange, InstallPlan

_FAILED = 1


@click.command()
@click.argument("host")
@click.option(
    "--scope",
    default="session",
    show_default=True,
    help="Whose goal: session (HOST/SESSION), folder (folder:PATH of the project), or the name of a scope.",
)
@options.store
@click.option(
    "--max-continuations",
    "most_continuations",
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
@gather_options(
    "judge",
    JudgeChoice,
    click.option(
        "--judge-model",
        "model",
        envvar="TELIC_JUDGE_MODEL",
        metavar="NAME",
        help="The model that answers judges' questions, provider:name, also TELIC_JUDGE_MODEL.",
    ),
    click.option(
        "--judge-command",
        "command",
        envvar="TELIC_JUDGE_COMMAND",
        metavar="COMMAND",
        help="The command that answers them instead, also TELIC_JUDGE_COMMAND.",
    ),
)
def hook(host: str, store: str | None, **given: Any) -> None:
    """Answer a hook of HOST: claude-code, codex, goose, gemini or copilot.

    The host's payload is read from standard input, and the answer written to standard output in the host's form. It
    ends with 0 and no output whenever something is amiss, and says so in hooks.log under the user's state folder. A
    missing store is never made. Only a wrong command line ends with 1, which no host takes for an answer.
    """
    run_hook(host, HookOptions(store=store or default_store(), **given))


def main(arguments: Sequence[str]) -> int:
    """Run `telic hook` without loading the other commands, and return its exit code."""
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


@click.command()
@click.argument("host")
@click.option("--project", is_flag=True, help="For the project in this folder, to be shared.")
@click.option("--user", is_flag=True, help="For all of the user's projects; the default.")
@click.option("--scope", default="session", show_default=True, help="As `telic hook --scope`.")
@click.option("--store", help="As `telic hook --store`, also TELIC_STORE; always written, and no password.")
@gather_options(
    "judge",
    JudgeChoice,
    click.option("--judge-model", "model", metavar="NAME", help="As `telic hook --judge-model`."),
    click.option("--judge-command", "command", metavar="COMMAND", help="As `telic hook --judge-command`."),
)
@click.option(
    "--answer-seconds", type=float, help="As `telic hook --answer-seconds`; the host waits twice as long, or longer."
)
@click.option("--remove", is_flag=True, help="Take Telic's hooks out again, and nothing else.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON, also for errors; needs --yes.")
def install(
    host: str,
    project: bool,
    user: bool,
    scope: str,
    store: str | None,
    judge: JudgeChoice,
    answer_seconds: float | None,
    remove: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Make HOST (claude-code, codex or goose) call `telic hook`.

    The difference is shown and confirmed first. All else in the host's file stays as it is, character by character;
    a copy of the former file is kept beside it.
    """
    from telic.integrations.hosts.install import for_settings, plan_install, plan_removal

    if project and user:
        raise InvalidInput("give --project or --user, not both")
    terminal = Terminal(as_json=as_json)
    folder, environment = (Path.cwd(), None) if project else (_home(), os.environ)
    if remove:
        plan = plan_removal(host, folder, environment)
    else:
        place = for_settings(store or os.environ.get("TELIC_STORE") or default_store())
        command = _command(host, scope, place, judge, is_shared=project)
        if answer_seconds is not None:
            check_answer_seconds(answer_seconds)
            command += f" --answer-seconds {answer_seconds:g}"
        least_seconds = math.ceil(2 * (answer_seconds or 0))
        plan = plan_install(host, folder, command, environment, least_seconds=least_seconds)
    _carry_out(terminal, plan, yes)


def _command(host: str, scope: str, store: str, judge: JudgeChoice, *, is_shared: bool) -> str:
    words = [*(["telic"] if is_shared else _own_program()), "hook", host, "--scope", scope, "--store", store]
    words += ["--judge-model", judge.model] if judge.model else []
    words += ["--judge-command", judge.command] if judge.command else []
    return shlex.join(words)


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError as error:
        why = "hooks are installed below the user's folder, and there is none: set HOME, or give --project"
        raise InvalidInput(why) from error


def _own_program() -> list[str]:
    # This very program: hosts are often started where its virtual environment is not on the path.
    program = Path(sys.argv[0])
    if program.name == "telic" and program.exists():
        return [str(program.absolute())]
    found = shutil.which("telic")
    return [found] if found else [sys.executable, "-m", "telic.interfaces.cli"]


def _carry_out(terminal: Terminal, plan: "InstallPlan", yes: bool) -> None:
    from telic.integrations.hosts.install import apply

    if not plan.changes:
        _report(terminal, plan, [])
        return
    if not terminal.as_json:
        for change in plan.changes:
            _show_change(terminal, change)
    # Without a terminal nobody can answer, and a host's settings are not ours to change unasked.
    if not yes and (terminal.as_json or not sys.stdin.isatty()):
        raise InvalidInput("nothing is changed: give --yes to change it without being asked")
    if not yes:
        click.confirm("Change it?", abort=True)
    _report(terminal, plan, [apply(change) for change in plan.changes])


def _show_change(terminal: Terminal, change: "FileChange") -> None:
    import difflib

    before, after = (change.before or "").splitlines(), (change.after or "").splitlines()
    for line in difflib.unified_diff(before, after, str(change.path), str(change.path), lineterm=""):
        terminal.line(line)


def _report(terminal: Terminal, plan: "InstallPlan", backups: list[Path | None]) -> None:
    kept = [str(backup) for backup in backups if backup is not None]
    if terminal.as_json:
        terminal.json({"changed": [str(change.path) for change in plan.changes], "backups": kept})
        return
    if not plan.changes:
        terminal.line("nothing is to be changed")
    for change in plan.changes:
        terminal.line(f"{'removed' if change.after is None else 'written'}: {change.path}")
    for backup in kept:
        terminal.line(f"kept before: {backup}")
    if plan.note:
        terminal.hint(plan.note)


COMMANDS = (hook, install)
