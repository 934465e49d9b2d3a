"""A goal's criteria as they were last checked, and what people are asked, as text."""

from collections.abc import Sequence

from telic.domain.goal import Goal
from telic.interfaces.cli.terminal import Terminal
from telic.services.checks import Check


def show_checks(terminal: Terminal, goal: Goal, checks: Sequence[Check]) -> None:
    """The criteria as they stand, the ends of what failing ones printed, and what people are asked."""
    if not checks:
        return
    terminal.line("  checks")
    for check in checks:
        terminal.line(f"    {check.number}. {check.outcome:<8} {check.criterion.kind}: {check.criterion.title}")
        for line in check.evidence:
            terminal.line(f"         {line}")
    pending = [check for check in checks if check.is_pending]
    if pending and not goal.is_finished:
        terminal.hint(f"telic approve {goal.id} --criterion {pending[0].number} or telic reject … answers")
