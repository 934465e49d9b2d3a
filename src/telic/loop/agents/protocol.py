"""What an agent is to the loop: anything that is given a turn and reports what came of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from telic.domain.budget import ModelUsage
from telic.domain.clock import Clock, Instant, SystemClock
from telic.domain.errors import InvalidInput
from telic.domain.goal import (
    Goal,
    Wake,
)
from telic.domain.limits import MAX_NAME_CHARS, MAX_NOTE_CHARS, check_counter, check_text
from telic.domain.loop_state import (
    Claim,
)

MAX_REPORT_TEXT_CHARS: Final = 20_000
"""How much of an agent's last words, and of its tools' output, a report keeps: the end, where the outcome is."""

MAX_SESSION_CHARS: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaReached:
    """The provider gives no more until its window opens; `resets_at` is None where it did not say when.

    A brief one is a rate within a minute or so, and not an account's limit: it is soon asked again.
    """

    resets_at: Instant | None = None
    is_brief: bool = False


class ReportUsage(Protocol):
    """Hears, while a turn runs, what all of it has used so far; it may be called from any thread."""

    def __call__(
        self,
        usage: ModelUsage,
        *,
        model: str | None = None,
        session: str | None = None,
        cost_is_known: bool = False,
    ) -> None:
        """The turn's usage so far is at least this: the sum of its responses, not only the last of them.

        The turn is cancelled when it has reached the goal's budget. The rest is as in a `TurnReport`.
        """
        ...


def _nobody_hears(
    usage: ModelUsage, *, model: str | None = None, session: str | None = None, cost_is_known: bool = False
) -> None:
    """The default of `TurnRequest.report_usage`, for requests made by hand."""


def _nobody_reads(notice: str) -> None:
    """The default of `TurnRequest.report_notice`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnRequest:
    """One turn to take: the goal as it stands, and everything the agent is to be told in `prompt`.

    `session` is what an earlier report gave, to continue that conversation; None begins a new one.
    `turn_key` is the same when a turn is taken again after a crash. By `clock`, which is the database's, "in an hour"
    is meant. `report_usage` is for the agent to call after each response of its model, so that a budget holds within
    the turn.
    """

    goal: Goal
    prompt: str
    turn_number: int
    turn_key: str
    workspace: Path
    timeout_seconds: float
    session: str | None = None
    report_usage: ReportUsage = _nobody_hears
    report_notice: Callable[[str], None] = _nobody_reads
    clock: Clock = field(default_factory=SystemClock)


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnReport:
    """What came of a turn.

    `text`, `tool_output_tail`, `note` and `model` keep the end of what they are given, and only characters that a store
    keeps. `usage` and `tool_effects` (the tool calls that changed something) are None where unknown, which is not
    0. `usage_is_estimate` tells that some of the usage is missing. With a budget of money, usage without a
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
            "text": kept_tail(self.text, MAX_REPORT_TEXT_CHARS),
            "tool_output_tail": kept_tail(self.tool_output_tail, MAX_REPORT_TEXT_CHARS),
            "model": None if self.model is None else kept_tail(self.model, MAX_NAME_CHARS),
            "note": None if self.note is None else kept_tail(self.note, MAX_NOTE_CHARS),
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


def kept_tail(text: str, max_chars: int) -> str:
    """The end of the text, without what no store keeps: NUL is left out, a lone surrogate becomes U+FFFD."""
    return text[-max_chars:].replace("\0", "").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
