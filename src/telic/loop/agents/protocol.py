"""An agent as the loop sees it: it is given a turn, and its report claims where the goal stands."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol

from telic.domain.budget import ModelUsage
from telic.domain.clock import MICRO, Clock, Instant, SystemClock, from_datetime
from telic.domain.errors import InvalidInput
from telic.domain.goal import Goal, Wake
from telic.domain.limits import MAX_NAME_CHARS, MAX_NOTE_CHARS, check_counter, check_text
from telic.domain.loop_state import Claim

MAX_REPORT_TEXT_CHARS: Final = 20_000
"""How many characters a report keeps of an agent's last words, and of its tools' output: the end has the outcome."""

MAX_SESSION_CHARS: Final = 1_000

_MARKER: Final = re.compile(r"TELIC: *(complete|blocked|wait)\b[ :]*(.*)", re.IGNORECASE)
_LONGEST_WAIT_MICROSECONDS: Final = 366 * 86_400 * MICRO
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
class QuotaReached:
    """The provider refuses until its window opens; `resets_at` is None where it did not say when.

    A brief one is a rate within a minute or so, and not an account's limit: it is soon asked again.
    """

    resets_at: Instant | None = None
    is_brief: bool = False


class ReportUsage(Protocol):
    """Takes a running turn's usage so far; it may be called from any thread."""

    def __call__(
        self,
        usage: ModelUsage,
        *,
        model: str | None = None,
        session: str | None = None,
        cost_is_known: bool = False,
    ) -> None:
        """The turn's usage so far is at least this: the sum of its responses, not only the last of them.

        The turn is cancelled when it has reached the goal's budget, and when the goal limits money and nobody knows
        what the usage cost. The rest is as in a `TurnReport`; an agent that learns the cost with its turn's end
        says `cost_is_known` until then.
        """
        ...


def _ignore_usage(
    usage: ModelUsage, *, model: str | None = None, session: str | None = None, cost_is_known: bool = False
) -> None:
    """The default of `TurnRequest.report_usage`, for requests made by hand."""


def _ignore_notice(notice: str) -> None:
    """The default of `TurnRequest.report_notice`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnRequest:
    """One turn to take: the goal as it stands, and everything that the agent needs to know in `prompt`.

    `session` is that of an earlier report, to continue its conversation; None begins a new one. `turn_key` is the same
    when a turn is taken again after a crash. `clock` is the database's: "in an hour" is meant by it. The agent calls
    `report_usage` after each response of its model, so that a budget holds within the turn.
    """

    goal: Goal
    prompt: str
    turn_number: int
    turn_key: str
    workspace: Path
    timeout_seconds: float
    session: str | None = None
    report_usage: ReportUsage = _ignore_usage
    report_notice: Callable[[str], None] = _ignore_notice
    clock: Clock = field(default_factory=SystemClock)


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnReport:
    """The result of a turn.

    `text`, `tool_output_tail`, `note` and `model` keep the end of what they are given, and only characters that a store
    keeps. `usage` and `tool_effects` (the tool calls that changed something) are None where unknown, which is not
    0. `usage_is_estimate` says that some of the usage is missing. With a budget of money, usage without a
    cost is priced by its `model`, unless `cost_is_known`: then it cost nothing. `quota` is set when the provider
    refused to go on; the turn is then no failure. `makes_claims` is False for an agent that cannot claim anything: its
    goal is then checked after each turn.

    Raises:
        InvalidInput: a waiting agent does not say for what, or another one does; the session is unusable.
        InvalidNumber: `tool_effects` is no count.
    """

    text: str
    usage: ModelUsage | None = None
    model: str | None = None
    claim: Claim = Claim.WORKING
    note: str | None = None
    session: str | None = None
    tool_effects: int | None = None
    tool_output_tail: str = ""
    quota: QuotaReached | None = None
    wake: Wake | None = None
    usage_is_estimate: bool = False
    cost_is_known: bool = False
    makes_claims: bool = True

    def __post_init__(self) -> None:
        if (self.claim is Claim.WAITING) != (self.wake is not None):
            raise InvalidInput("a waiting agent says what it waits for, and no other does")
        if self.tool_effects is not None:
            check_counter("tool_effects", self.tool_effects)
        if self.session is not None:
            check_text("the session", self.session, MAX_SESSION_CHARS)
        kept: Mapping[str, str | None] = {
            "text": storable_tail(self.text, MAX_REPORT_TEXT_CHARS),
            "tool_output_tail": storable_tail(self.tool_output_tail, MAX_REPORT_TEXT_CHARS),
            "model": None if self.model is None else storable_tail(self.model, MAX_NAME_CHARS),
            "note": None if self.note is None else storable_tail(self.note, MAX_NOTE_CHARS),
        }
        for name, text in kept.items():
            object.__setattr__(self, name, text)


class Agent(Protocol):
    """Anything that takes turns.

    A turn ends with a report or an `AgentFailure`. When its task is cancelled it stops everything that it
    started, then lets `CancelledError` pass. It may be given turns of several goals at once.
    """

    async def turn(self, request: TurnRequest) -> TurnReport:
        """The turn is over, within `request.timeout_seconds`, and nothing that it started still runs.

        Raises:
            AgentFailure: it came to nothing; the error says why, and what was used.
        """
        ...


def storable_tail(text: str, max_chars: int) -> str:
    """Return the end of the text, without what no store keeps: NUL is left out, a lone surrogate becomes U+FFFD."""
    return text[-max_chars:].replace("\0", "").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentStatement:
    """A claim with its note, or with what the agent waits for."""

    claim: Claim = Claim.WORKING
    note: str | None = None
    wake: Wake | None = None


def claim_instructions() -> str:
    """Return the constant text that explains to a model how to claim completion, report an obstacle, or wait."""
    return _INSTRUCTIONS


def read_claim(text: str, now: Instant, note: str | None = None) -> AgentStatement:
    """Return the claim of the text's last line; a line that is no marker, or cannot be understood, claims nothing.

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
    """Return the last line that is neither blank nor the end of a fence."""
    for line in reversed(_COLOURS.sub("", text).splitlines()):
        if line.strip() and _FENCE.fullmatch(line) is None:
            return line
    return ""


def _read_wake(text: str, now: Instant) -> Wake | None:
    # Only here: the hooks of coding hosts load this module, read no claims, and should load little.
    from telic.wording.amounts import parse_amount

    try:
        if text.startswith("until "):
            return Wake(at=read_time(text.removeprefix("until ").strip()))
        if text.startswith("for "):
            return Wake(signal=text.removeprefix("for ").strip())
        # A model that writes 10M means minutes; typed by a person, as a budget, it would be tokens.
        return wake_after(parse_amount("active_microseconds", text.lower()), now)
    except InvalidInput:
        return None


def wake_after(microseconds: int, now: Instant) -> Wake | None:
    """Return the wake for a wait of this length, or None beyond a year."""
    return Wake(at=Instant(now + microseconds)) if 0 <= microseconds <= _LONGEST_WAIT_MICROSECONDS else None


def read_time(text: str) -> Instant:
    """Return the instant of an RFC 3339 time; one without an offset is in UTC.

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
