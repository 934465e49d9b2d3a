"""`telic install`: writes coding agents' hook configurations, and takes its own part out again."""

import difflib
import math
import os
import shlex
import shutil
import sys
from pathlib import Path

import click

from telic.domain.errors import InvalidInput
from telic.integrations.hosts.files import FileChange, apply
from telic.integrations.hosts.handler import check_answer_seconds
from telic.integrations.hosts.install import InstallPlan, for_settings, plan_install, plan_removal
from telic.integrations.hosts.judge_choice import JudgeChoice
from telic.interfaces.cli.options import default_store
from telic.interfaces.cli.terminal import Terminal


@click.command()
@click.argument("host")
@click.option("--project", is_flag=True, help="For the project in this folder, to be shared.")
@click.option("--user", is_flag=True, help="For all of the user's projects; the default.")
@click.option("--scope", default="session", show_default=True, help="As `telic hook --scope`.")
@click.option("--store", help="As `telic hook --store`, also TELIC_STORE; always written, and no password.")
@click.option("--judge-model", metavar="NAME", help="As `telic hook --judge-model`.")
@click.option("--judge-command", metavar="COMMAND", help="As `telic hook --judge-command`.")
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
    judge_model: str | None,
    judge_command: str | None,
    answer_seconds: float | None,
    remove: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Make HOST (claude-code, codex or goose) call `telic hook`.

    The difference is shown and confirmed first. All else in the host's file stays as it is, character by character;
    a copy of the former file is kept beside it.
    """
    if project and user:
        raise InvalidInput("give --project or --user, not both")
    terminal = Terminal(as_json=as_json)
    folder, environment = (Path.cwd(), None) if project else (_home(), os.environ)
    if remove:
        plan = plan_removal(host, folder, environment)
    else:
        judge = JudgeChoice(model=judge_model, command=judge_command)
        place = for_settings(store or os.environ.get("TELIC_STORE") or default_store())
        command = _command(host, scope, place, judge, is_shared=project) + _patience(answer_seconds)
        least_seconds = math.ceil(2 * (answer_seconds or 0))
        plan = plan_install(host, folder, command, environment, least_seconds=least_seconds)
    _carry_out(terminal, plan, yes)


def _command(host: str, scope: str, store: str, judge: JudgeChoice, *, is_shared: bool) -> str:
    words = [*(["telic"] if is_shared else _own_program()), "hook", host, "--scope", scope, "--store", store]
    words += ["--judge-model", judge.model] if judge.model else []
    words += ["--judge-command", judge.command] if judge.command else []
    return shlex.join(words)


def _home() -> Path:
    """Return the user's folder.

    Raises:
        InvalidInput: there is none.
    """
    try:
        return Path.home()
    except RuntimeError as error:
        raise InvalidInput(
            "hooks are installed below the user's folder, and there is none: set HOME, or give --project"
        ) from error


def _patience(answer_seconds: float | None) -> str:
    """Return how the command says how long an answer may take; nothing where that is the default."""
    if answer_seconds is None:
        return ""
    check_answer_seconds(answer_seconds)
    return f" --answer-seconds {answer_seconds:g}"


def _own_program() -> list[str]:
    """This very program: hosts are often started where its virtual environment is not on the path."""
    program = Path(sys.argv[0])
    if program.name == "telic" and program.exists():
        return [str(program.absolute())]
    found = shutil.which("telic")
    return [found] if found else [sys.executable, "-m", "telic.interfaces.cli"]


def _carry_out(terminal: Terminal, plan: InstallPlan, yes: bool) -> None:
    if not plan.changes:
        _report(terminal, plan, [])
        return
    if not terminal.as_json:
        for change in plan.changes:
            _show(terminal, change)
    if not yes and (terminal.as_json or not sys.stdin.isatty()):
        raise InvalidInput("nothing is changed: give --yes to change it without being asked")
    if not yes:
        click.confirm("FileChange it?", abort=True)
    _report(terminal, plan, [apply(change) for change in plan.changes])


def _show(terminal: Terminal, change: FileChange) -> None:
    before, after = (change.before or "").splitlines(), (change.after or "").splitlines()
    for line in difflib.unified_diff(before, after, str(change.path), str(change.path), lineterm=""):
        terminal.line(line)


def _report(terminal: Terminal, plan: InstallPlan, backups: list[Path | None]) -> None:
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


COMMANDS = (install,)
