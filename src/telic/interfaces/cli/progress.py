"""What a loop tells of itself: a live line on a terminal, plain lines elsewhere, JSON lines for programs."""

import contextlib
import os
import sys
import time
from collections.abc import Generator
from typing import Any, Final, Protocol

from telic.domain.clock import SystemClock, time_to_json
from telic.domain.goal import (
    Goal,
    approval_signal,
)
from telic.interfaces.cli.terminal import StatusLine, Terminal
from telic.loop.loop_events import LoopEvent, LoopEventKind
from telic.wording.goals import spending_line, standing_of
from telic.wording.words import show_duration

_TOLD_OF_GOALS: Final = frozenset(
    {"scope", "status", "reason", "note", "revision", "budget", "usage", "estimated_lines", "wake_at", "wake_signal"}
)
_WORDS: Final = {"wind_down": " to wind down", "audit": " to look at the obstacle"}


class ProgressView(Protocol):
    """Shows what happens."""

    def tell(self, progress: LoopEvent) -> None:
        """It was shown, or nobody looks any more."""
        ...

    def say(self, sentence: str, goal: Goal | None = None) -> None:
        """A sentence of the command's own was shown."""
        ...

    def close(self) -> None:
        """The terminal is as it was before."""
        ...


class TextProgress(ProgressView):
    """Lines of text; on a terminal with a line below them that is always up to date."""

    def __init__(self, terminal: Terminal, *, names_goals: bool = False) -> None:
        self._terminal = terminal
        self._names_goals = names_goals
        self._began = time.monotonic()
        self._verdict = ""
        self._status: StatusLine | None = terminal.status_line()

    def tell(self, progress: LoopEvent) -> None:
        """It is a line of text, unless another says it already; the line below all is up to date."""
        if progress.kind is LoopEventKind.CHECKED:
            self._verdict = progress.detail
        line = sentence(progress)
        if line is not None:
            self.say(line, progress.goal)
        if self._status is not None:
            self._status.show(lambda: self._standing(progress))

    def say(self, sentence: str, goal: Goal | None = None) -> None:
        """The sentence is a line of text, with the time before it."""
        name = f"{goal.scope}/{goal.id[-12:]}  " if goal is not None and self._names_goals else ""
        line = f"{time.strftime('%H:%M:%S')}  {name}{sentence}"
        with _unless_nobody_looks():
            if self._status is None:
                self._terminal.line(line)
                self._terminal.flush()
            else:
                self._status.line(line)

    def close(self) -> None:
        """The line below all is gone."""
        if self._status is not None:
            self._status.close()

    def _standing(self, progress: LoopEvent) -> str:
        elapsed = show_duration(int(time.monotonic() - self._began) * 1_000_000)
        parts = [f"{_doing(progress)}", spending_line(progress.goal), elapsed]
        return " · ".join(filter(None, [*parts, self._verdict and f"last verdict {self._verdict}"]))


class JsonProgress(ProgressView):
    """One JSON object a line."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal

    def tell(self, progress: LoopEvent) -> None:
        """It is one object, named after what happened."""
        turn = progress.turn_number + (progress.kind in (LoopEventKind.TURN_BEGAN, LoopEventKind.NOTICE))
        self._write(progress.kind.value, progress.goal, turn=turn, detail=progress.detail)

    def say(self, sentence: str, goal: Goal | None = None) -> None:
        """It is one object named `said`."""
        self._write("said", goal, turn=None, detail=sentence)

    def close(self) -> None:
        """Nothing is to be put back."""

    def ended(self, goal: Goal, exit_code: int) -> None:
        """The last line: the goal as it was left, and the exit code."""
        self._write("ended", goal, turn=goal.turns_used, detail=standing_of(goal), exit_code=exit_code)

    def _write(self, event: str, goal: Goal | None, **more: Any) -> None:
        data = {"event": event, "at": time_to_json(SystemClock().now()), "goal_id": goal and goal.id, **more}
        if goal is not None:
            known = goal.to_json()
            data |= {name: value for name, value in known.items() if name in _TOLD_OF_GOALS}
        with _unless_nobody_looks():
            self._terminal.json(data)
            self._terminal.flush()


@contextlib.contextmanager
def _unless_nobody_looks() -> Generator[None]:
    """Work does not end because what it tells can no longer be written: the rest is written to nobody."""
    try:
        yield
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            sys.stderr.write(f"telic: standard output cannot be written, and work goes on: {error.strerror}\n")


def sentence(progress: LoopEvent) -> str | None:
    """What happened, in words; None where another line says it already."""
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
