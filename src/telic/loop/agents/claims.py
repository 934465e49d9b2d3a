"""The one line by which an agent that only prints text says where its goal stands."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from telic.domain.clock import Instant, from_datetime
from telic.domain.errors import InvalidInput
from telic.domain.goal import (
    Wake,
)
from telic.domain.loop_state import (
    Claim,
)

_MARKER: Final = re.compile(r"TELIC: *(complete|blocked|wait)\b[ :]*(.*)", re.IGNORECASE)
_DURATION: Final = re.compile(r"(\d{1,6}) ?([smhd])", re.IGNORECASE)
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_LONGEST_WAIT_SECONDS: Final = 366 * 86_400
_DECORATION: Final = ' \t*_`">'
_COLOURS: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\))")
_FENCE: Final = re.compile(r"\s*(?:`{3,}|~{3,})[\w-]*\s*")

_INSTRUCTIONS: Final = """\
When you stop, say where the goal stands: end your last message with exactly one of these lines, and nothing after it.

TELIC: complete
TELIC: blocked: <what you need, from whom>
TELIC: wait 10m
TELIC: wait until 2030-01-31T12:00:00Z
TELIC: wait for <signal>

Claim completion only when every part of the goal is reached: it is checked. You are blocked when only somebody else
can remove the obstacle. Wait when something outside will change by itself. If you can go on, leave the line out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentStatement:
    """A claim with what belongs to it."""

    claim: Claim = Claim.WORKING
    note: str | None = None
    wake: Wake | None = None


def claim_instructions() -> str:
    """The constant text that tells a model how to claim completion, report an obstacle, or wait."""
    return _INSTRUCTIONS


def read_claim(text: str, now: Instant, note: str | None = None) -> AgentStatement:
    """What the text's last line claims; a line that is no marker, or cannot be understood, claims nothing.

    Colours, a fence around the line and a mark of quotation before it are no part of it.
    `note` is that of an agent that claims nothing.
    """
    last_line = _last_line(text).strip(_DECORATION)
    match = _MARKER.fullmatch(last_line)
    if match is None:
        return AgentStatement(note=note)
    word, rest = match[1].lower(), match[2].strip(_DECORATION)
    if word == "complete":
        return AgentStatement(claim=Claim.COMPLETE) if rest in ("", ".") else AgentStatement(note=note)
    if word == "blocked":
        return AgentStatement(claim=Claim.BLOCKED, note=rest or None)
    wake = _read_wake(rest, now)
    return AgentStatement(note=note) if wake is None else AgentStatement(claim=Claim.WAITING, wake=wake)


def _last_line(text: str) -> str:
    """The last line that is more than blank, or the end of a fence."""
    for line in reversed(_COLOURS.sub("", text).splitlines()):
        if line.strip() and _FENCE.fullmatch(line) is None:
            return line
    return ""


def _read_wake(text: str, now: Instant) -> Wake | None:
    duration = _DURATION.fullmatch(text)
    if duration is not None:
        return wake_after(int(duration[1]) * _SECONDS[duration[2].lower()], now)
    try:
        if text.startswith("until "):
            return Wake(at=read_time(text.removeprefix("until ").strip()))
        if text.startswith("for "):
            return Wake(signal=text.removeprefix("for ").strip())
    except InvalidInput:
        return None
    return None


def wake_after(seconds: int, now: Instant) -> Wake | None:
    """The wake of somebody who waits so long, or None beyond a year."""
    return Wake(at=Instant(now + seconds * 1_000_000)) if 0 <= seconds <= _LONGEST_WAIT_SECONDS else None


def read_time(text: str) -> Instant:
    """The instant of an RFC 3339 time; one without an offset is in UTC.

    Raises:
        InvalidInput: the text is no such time, or is before 1970.
    """
    try:
        moment = datetime.fromisoformat(text)
        instant = from_datetime(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        raise InvalidInput(f"{text!a} is no time such as 2030-01-31T12:00:00Z") from None
    if instant < 0:
        raise InvalidInput(f"{text!a} is before 1970")
    return instant
