"""Shows the progress of a loop that runs in a shell, and handles the signals that end it.

Progress is a live line on a terminal, plain lines elsewhere, JSON lines for programs.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Final, TypeAlias

from telic.domain.clock import MICRO, SystemClock, time_to_json
from telic.domain.goal import (
    Goal,
    approval_signal,
)
from telic.interfaces.cli.terminal import StatusLine, Terminal
from telic.loop.agents.process_group import kill_children
from telic.loop.run_context import LoopEvent, LoopEventKind
from telic.wording.amounts import show_duration
from telic.wording.goals import spending_line, standing_of

_TOLD_OF_GOALS: Final = frozenset(
    {"scope", "status", "reason", "note", "revision", "budget", "usage", "estimated_lines", "wake_at", "wake_signal"}
)
_ENDING: Final = (signal.SIGTERM, signal.SIGHUP)
_WORDS: Final = {"wind_down": " to wind down", "audit": " to look at the obstacle"}


class TextProgress:
    """Lines of text; on a terminal with a line below them that is always up to date."""

    def __init__(self, terminal: Terminal, *, names_goals: bool = False) -> None:
        self._terminal = terminal
        self._names_goals = names_goals
        self._began = time.monotonic()
        self._verdict = ""
        self._status: StatusLine | None = terminal.status_line()

    def tell(self, progress: LoopEvent) -> None:
        """Write a line of text, unless another says it already, and draw the line below all others."""
        if progress.kind is LoopEventKind.CHECKED:
            self._verdict = progress.detail
        line = _sentence(progress)
        if line is not None:
            self.say(line, progress.goal)
        if self._status is not None:
            self._status.show(lambda: self._standing(progress))

    def say(self, sentence: str, goal: Goal | None = None) -> None:
        """Write the sentence with the time before it."""
        name = f"{goal.scope}/{goal.id[-12:]}  " if goal is not None and self._names_goals else ""
        line = f"{time.strftime('%H:%M:%S')}  {name}{sentence}"
        with _ignore_closed_output():
            if self._status is None:
                self._terminal.line(line)
                self._terminal.flush()
            else:
                self._status.line(line)

    def close(self) -> None:
        """Take the line below all others away."""
        if self._status is not None:
            self._status.close()

    def _standing(self, progress: LoopEvent) -> str:
        elapsed = show_duration(int(time.monotonic() - self._began) * MICRO)
        parts = [f"{_doing(progress)}", spending_line(progress.goal), elapsed]
        return " · ".join(filter(None, [*parts, self._verdict and f"last verdict {self._verdict}"]))


class JsonProgress:
    """One JSON object a line."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal

    def tell(self, progress: LoopEvent) -> None:
        """Write one object, named after what happened."""
        # A turn that goes on has no number yet.
        turn = progress.turn_number + (progress.kind in (LoopEventKind.TURN_BEGAN, LoopEventKind.NOTICE))
        self._write(progress.kind.value, progress.goal, turn=turn, detail=progress.detail)

    def say(self, sentence: str, goal: Goal | None = None) -> None:
        """Write one object named `said`."""
        self._write("said", goal, turn=None, detail=sentence)

    def close(self) -> None:
        """Do nothing: JSON lines leave the terminal as it is."""

    def ended(self, goal: Goal, exit_code: int) -> None:
        """Write the last line: the goal as it was left, and the exit code."""
        self._write("ended", goal, turn=goal.turns_used, detail=standing_of(goal), exit_code=exit_code)

    def _write(self, event: str, goal: Goal | None, **more: Any) -> None:
        data = {"event": event, "at": time_to_json(SystemClock().now()), "goal_id": goal and goal.id, **more}
        if goal is not None:
            known = goal.to_json()
            data |= {name: value for name, value in known.items() if name in _TOLD_OF_GOALS}
        with _ignore_closed_output():
            self._terminal.json(data)
            self._terminal.flush()


ProgressView: TypeAlias = TextProgress | JsonProgress


def progress_view(terminal: Terminal, *, names_goals: bool = False) -> ProgressView:
    """Return the view that fits the terminal; `names_goals` where several goals are worked on at once."""
    return JsonProgress(terminal) if terminal.as_json else TextProgress(terminal, names_goals=names_goals)


@contextmanager
def _ignore_closed_output() -> Generator[None]:
    # Work is paid for, so it goes on although its progress can no longer be written.
    try:
        yield
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            sys.stderr.write(f"telic: standard output cannot be written, and work goes on: {error.strerror}\n")


def _sentence(progress: LoopEvent) -> str | None:
    """Return in words what happened; None where another line says it already."""
    goal, detail, number = progress.goal, progress.detail, progress.turn_number
    match progress.kind:
        case LoopEventKind.TURN_BEGAN:
            return f"turn {number + 1} begins{_WORDS.get(detail, '')}"
        case LoopEventKind.TURN_ENDED:
            return f"turn {number} ended ({detail}): {spending_line(goal)}"
        case LoopEventKind.TURN_FAILED:
            return f"turn {number} failed: {detail}"
        case LoopEventKind.NOTICE:
            return f"  {detail}"
        case LoopEventKind.CHECKING:
            return f"checking {len(goal.criteria)} criteri{'on' if len(goal.criteria) == 1 else 'a'}"
        case LoopEventKind.CHECKED:
            return f"  {detail}"
        case LoopEventKind.SLEEPING:
            if goal.wake_signal == approval_signal(goal.id):
                return f"waits for a person: telic approve {goal.id}, or telic reject, answers"
            return f"waits {detail}" if goal.is_waiting else f"next turn in {detail}"
        case LoopEventKind.WOKEN:
            return "awake again"
        case LoopEventKind.PAUSED | LoopEventKind.COMPLETED:
            return standing_of(goal)
        case LoopEventKind.CLAIMED if progress.detail:
            return f"beware: {progress.detail}"
        case LoopEventKind.CLAIMED | LoopEventKind.STOPPED:
            return None


def _doing(progress: LoopEvent) -> str:
    match progress.kind:
        case LoopEventKind.TURN_BEGAN | LoopEventKind.NOTICE:
            return f"turn {progress.turn_number + 1}"
        case LoopEventKind.CHECKING | LoopEventKind.CHECKED:
            return "checking"
        case LoopEventKind.SLEEPING:
            return "waiting"
        case _:
            return str(progress.goal.status)


@contextmanager
def handling_signals(
    *, on_interrupt: Callable[[], None], on_end: Callable[[], None], before_exit: Callable[[], None]
) -> Generator[None]:
    """Call `on_interrupt` on Ctrl-C, and `on_end` on SIGTERM and SIGHUP.

    Any signal after that kills the agents with everything they started, and ends the process after `before_exit`.
    """
    loop = asyncio.get_running_loop()
    seen: list[int] = []

    def receive(number: int, first: Callable[[], None]) -> None:
        # The first signal may hang in what it asks for, so the second waits for nothing.
        if seen:
            before_exit()
            kill_children()
            sys.stdout.flush()
            # Not `sys.exit`: tasks that hang would be waited for.
            os._exit(128 + number)
        seen.append(number)
        first()

    loop.add_signal_handler(signal.SIGINT, receive, signal.SIGINT, on_interrupt)
    for number in _ENDING:
        loop.add_signal_handler(number, receive, number, on_end)
    try:
        yield
    finally:
        for number in (signal.SIGINT, *_ENDING):
            loop.remove_signal_handler(number)
