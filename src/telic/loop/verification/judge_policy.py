"""How often a judge is asked again, for each way in which it can fail: data, and one pure function."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from telic.domain.errors import InvalidNumber
from telic.domain.verdict import MAX_ATTEMPTS, AttemptResult, CheckError, JudgeAttempt

_MICROSECONDS: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How often one kind of failure may happen in a row of attempts, and how long to wait between: each wait is
    twice the one before, up to the longest.

    Raises:
        InvalidNumber: `attempts` is not from 1 to 100, or a delay is negative.
    """

    attempts: int
    first_delay_seconds: float = 0.0
    longest_delay_seconds: float = 0.0

    def __post_init__(self) -> None:
        if type(self.attempts) is not int or not 1 <= self.attempts <= MAX_ATTEMPTS:
            raise InvalidNumber(f"attempts must be from 1 to {MAX_ATTEMPTS}")
        if not 0 <= self.first_delay_seconds <= self.longest_delay_seconds < float("inf"):
            raise InvalidNumber("delays are not negative, and the first is at most the longest")

    def delay_seconds(self, failures: int) -> float:
        """How long to wait after this many failures."""
        return min(self.first_delay_seconds * 2.0 ** (failures - 1), self.longest_delay_seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgePolicy:
    """The patience with each way in which a judge can fail, and how often it is asked at most altogether.

    A provider's own waiting time goes before `rate_limited`'s delays, up to the longest of them; asked to wait
    longer, the judge is given up, and the verdict says for how long. `timeout_seconds` is for one attempt where
    the criterion names none. A judge that answers that it cannot judge, or refuses for good, is not asked again.
    """

    timeout_seconds: float = 120.0
    max_attempts: int = 8
    outage: Patience = field(
        default_factory=lambda: Patience(attempts=4, first_delay_seconds=2.0, longest_delay_seconds=60.0)
    )
    timed_out: Patience = field(
        default_factory=lambda: Patience(attempts=2, first_delay_seconds=1.0, longest_delay_seconds=1.0)
    )
    bad_output: Patience = field(default_factory=lambda: Patience(attempts=3))
    rate_limited: Patience = field(
        default_factory=lambda: Patience(attempts=5, first_delay_seconds=5.0, longest_delay_seconds=300.0)
    )

    def __post_init__(self) -> None:
        if type(self.max_attempts) is not int or not 1 <= self.max_attempts <= MAX_ATTEMPTS:
            raise InvalidNumber(f"max_attempts must be from 1 to {MAX_ATTEMPTS}")
        if not 0 < self.timeout_seconds < float("inf"):
            raise InvalidNumber("timeout_seconds must be above 0")

    def patience(self, result: AttemptResult) -> Patience | None:
        """The patience with this result; None where asking again cannot help."""
        known = {
            AttemptResult.OUTAGE: self.outage,
            AttemptResult.TIMED_OUT: self.timed_out,
            AttemptResult.BAD_OUTPUT: self.bad_output,
            AttemptResult.RATE_LIMITED: self.rate_limited,
        }
        return known.get(result)


@dataclass(frozen=True, slots=True)
class AskAgain:
    """The judge is asked again after so many seconds."""

    after_seconds: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The judge is asked no more: the criterion could not be checked."""

    error: CheckError


def next_step(policy: JudgePolicy, history: Sequence[JudgeAttempt]) -> AskAgain | GiveUp:
    """What follows the last of these attempts, none of which was answered. The same every time for the same history."""
    last = history[-1]
    patience = policy.patience(last.result)
    failures = sum(attempt.result is last.result for attempt in history)
    if patience is None or failures >= patience.attempts or len(history) >= policy.max_attempts:
        return GiveUp(_error(last.result))
    if last.result is AttemptResult.RATE_LIMITED and last.retry_after_microseconds is not None:
        asked_seconds = last.retry_after_microseconds / _MICROSECONDS
        if asked_seconds > patience.longest_delay_seconds:
            return GiveUp(CheckError.JUDGE_RATE_LIMITED)
        return AskAgain(asked_seconds)
    return AskAgain(patience.delay_seconds(failures))


def _error(result: AttemptResult) -> CheckError:
    return {
        AttemptResult.UNDECIDED: CheckError.JUDGE_UNDECIDED,
        AttemptResult.OUTAGE: CheckError.JUDGE_OUTAGE,
        AttemptResult.TIMED_OUT: CheckError.JUDGE_TIMED_OUT,
        AttemptResult.BAD_OUTPUT: CheckError.JUDGE_BAD_OUTPUT,
        AttemptResult.RATE_LIMITED: CheckError.JUDGE_RATE_LIMITED,
        AttemptResult.REFUSED: CheckError.JUDGE_REFUSED,
    }[result]
