"""Writes the pages that are drawn from the code; a test fails when they no longer match it.

Run by `make docs`.
"""

import inspect
import runpy
from collections.abc import Callable, Iterable
from pathlib import Path

import click

from telic.domain import errors
from telic.domain.decision import Step
from telic.domain.errors import GoalError
from telic.domain.goal import Actor, GoalStatus
from telic.domain.lifecycle import REASONS, TRANSITIONS, Action, why_not
from telic.interfaces.cli.app import every_command, help_of, telic
from telic.interfaces.cli.exit_codes import ENDINGS, EXIT_HELD, EXIT_LOST, EXIT_STILL_ACTIVE
from telic.services.outcomes import OUTCOMES

DOCS = Path(__file__).parent
STEPS = {
    Step.TURN: "the agent takes a turn",
    Step.WIND_DOWN: "a turn in which it is asked to come to an end: a budget is nearly spent",
    Step.AUDIT: "a turn in which it is asked whether it is really blocked",
    Step.VERIFY: "the criteria are checked: first of all, when it claims completion, a limit is near, or it is time to",
    Step.COMPLETE: "the goal without criteria is completed as `asserted`",
    Step.PAUSE: "the goal is paused as `blocked`, `waiting`, `usage_limit`, `stalled`, `failed` or `budget`",
    Step.SLEEP: "it is too early for the next turn: a failure, or the delay between turns",
    Step.STOP: "the goal is not active any more; the loop ends",
}


def table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def listed(reasons: Iterable[str]) -> str:
    return ", ".join(f"`{reason}`" for reason in sorted(reasons)) or "–"


def lifecycle() -> str:
    """The states, their reasons and who may do what."""
    moves = [
        [f"**{source}**", *("yes" if target in TRANSITIONS[source] else "–" for target in GoalStatus)]
        for source in GoalStatus
    ]
    reasons = [[f"**{status}**", listed(known)] for status, known in REASONS.items()]
    actors = [
        [f"**{actor}**", *("yes" if why_not(actor, action) is None else "–" for action in Action)] for actor in Actor
    ]
    edges = [f"    {source} --> {target}" for source, targets in TRANSITIONS.items() for target in sorted(targets)]
    return "\n".join(
        [
            "# The life of a goal",
            "",
            "Drawn from the tables in `telic/domain/lifecycle.py`.",
            "",
            "```mermaid",
            "stateDiagram-v2",
            "    [*] --> active",
            *edges,
            "    completed --> [*]",
            "    cleared --> [*]",
            "```",
            "",
            "Creation inserts a goal; it is no move. `create` and `resume` pause the scope's active goal as",
            "`superseded` in the same transaction. Completing a paused goal is two moves committed together.",
            "",
            "## Moves",
            "",
            table(["from \\ to", *GoalStatus], moves),
            "",
            "## Reasons",
            "",
            table(["status", "reasons"], reasons),
            "",
            "A completion is `asserted` where the goal has no criteria, `verified` by the verifier, and `accepted`",
            "by a user or operator who completes a goal with criteria by hand.",
            "",
            "## What a loop does next",
            "",
            "At each look at an active goal, `telic/domain/decision.py` gives one step. A stop by anybody wins;",
            "what the agent claims is checked before anything else.",
            "",
            table(["step", "what it is"], [[f"`{step}`", STEPS[step]] for step in Step]),
            "",
            "## Who may do what",
            "",
            table(["actor", *Action], actors),
            "",
            "A model may also create, in a scope without an unfinished goal, in a store opened with",
            "`model_may_create=True`. Every write of a model or verifier must carry the revision it has seen.",
            "",
        ]
    )


def error_reference() -> str:
    """Every error with what it means."""
    kinds = [kind for kind in vars(errors).values() if inspect.isclass(kind) and issubclass(kind, GoalError)]
    sections = []
    for kind in sorted(kinds, key=lambda kind: [base.__name__ for base in reversed(kind.__mro__)]):
        exit_code = OUTCOMES[kind.code].exit_code if kind is not GoalError else "–"
        facts = f"code `{kind.code}` · exit code {exit_code} · {'retryable' if kind.retryable else 'not retryable'}"
        base = f" · a `{kind.__mro__[1].__name__}`"
        sections += [
            f"## {kind.__name__}",
            "",
            facts + (base if kind is not GoalError else ""),
            "",
            inspect.getdoc(kind) or "",
            "",
        ]
    return "\n".join(
        [
            "# Errors",
            "",
            "All are in `telic.errors`.",
            "Each says what happened, whether anything was written, and whether a retry is safe.",
            "",
            *sections,
        ]
    )


def command_reference() -> str:
    """Every command's help, the exit codes and the JSON shapes."""
    codes: dict[int, list[str]] = {}
    for code, outcome in OUTCOMES.items():
        codes.setdefault(outcome.exit_code, []).append(f"`{code}`")
    rows = [["0", "done"], *([str(number), ", ".join(names)] for number, names in sorted(codes.items()))]
    rows[1][1] += ", wrong usage"
    rows += [
        ["10", "`telic doctor` found a problem"],
        ["12", "`system_error`: the system refused, as where standard output is a full disk"],
        ["130", "interrupted: so ends `telic watch`"],
    ]
    sections = []
    parent = click.Context(telic, info_name="telic", terminal_width=100)
    for name, command in sorted(every_command().items()):
        sections += [f"## telic {name}", "", "```text", help_of(command, parent), "```", ""]
    endings: dict[int, list[str]] = {}
    for reason, exit_code in ENDINGS.items():
        endings.setdefault(exit_code, []).append(f"`{reason}`")
    runs = [[str(number), ", ".join(names)] for number, names in sorted(endings.items())]
    runs += [
        [str(EXIT_HELD), "another worker drives the goal; the error says who"],
        [str(EXIT_LOST), "another worker took the goal over meanwhile"],
        [str(EXIT_STILL_ACTIVE), "the goal is active again, and nobody drives it"],
        ["130", "Ctrl-C: the goal is paused as `user`, or goes on waiting"],
        ["143", "SIGTERM or SIGHUP: the goal is active, and free for others"],
    ]
    shapes = (DOCS / "reference" / "shapes.md").read_text()
    return "\n".join(
        [
            *("# The command", "", "## Exit codes", "", table(["code", "error"], rows), ""),
            *("## Exit codes of `telic run`", "", "They say how the goal was left, besides the codes above.", ""),
            *(table(["code", "the goal's reason"], runs), "", shapes),
            *sections,
        ]
    )


PAGES: dict[str, Callable[[], str]] = {
    "reference/python.md": runpy.run_path(str(DOCS / "api_reference.py"))["api_reference"],
    "explanation/lifecycle.md": lifecycle,
    "reference/errors.md": error_reference,
    "reference/command.md": command_reference,
    "top.svg": runpy.run_path(str(DOCS / "draw_top.py"))["draw"],
}


def main() -> None:
    for name, render in PAGES.items():
        (DOCS / name).write_text(render())


if __name__ == "__main__":
    main()
