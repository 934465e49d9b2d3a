"""Judges: what they are asked, how they reply, and the policy by which they are asked again."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol, runtime_checkable

from telic.domain.base_errors import unknown_price
from telic.domain.budget import ModelUsage
from telic.domain.clock import MICRO
from telic.domain.criteria import Criterion
from telic.domain.errors import InvalidNumber
from telic.domain.limits import MAX_COUNTER, MAX_NAME_CHARS
from telic.domain.verdict import MAX_ATTEMPTS, AttemptResult, CheckError, JudgeAttempt, Outcome, Verdict
from telic.loop.agents.protocol import storable_tail
from telic.loop.verification.evidence import Evidence, JudgeAnswer, JudgeVerdict, kept_statement
from telic.pricing import cost_microunits, has_price_table

_OVERTIME_SECONDS: Final = 1.0
_ERRORS: Final = {
    AttemptResult.UNDECIDED: CheckError.JUDGE_UNDECIDED,
    AttemptResult.OUTAGE: CheckError.JUDGE_OUTAGE,
    AttemptResult.TIMED_OUT: CheckError.JUDGE_TIMED_OUT,
    AttemptResult.BAD_OUTPUT: CheckError.JUDGE_BAD_OUTPUT,
    AttemptResult.RATE_LIMITED: CheckError.JUDGE_RATE_LIMITED,
    AttemptResult.REFUSED: CheckError.JUDGE_REFUSED,
    AttemptResult.COST_UNKNOWN: CheckError.JUDGE_COST_UNKNOWN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """The attempts that one kind of failure may take in a row, and the waits between: each is twice the one before,
    up to the longest.

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
        """Return how long to wait after this many failures."""
        return min(self.first_delay_seconds * 2.0 ** (failures - 1), self.longest_delay_seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgePolicy:
    """The patience with each way in which a judge can fail, and the most attempts altogether.

    A provider's own waiting time goes before `rate_limited`'s delays, up to the longest of them; asked to wait
    longer, the judge is given up, and the verdict says for how long. `timeout_seconds` is for one attempt where
    the criterion names none. A judge that answers that it cannot judge, or refuses for good, is not asked again.

    Where the goal has a budget of money, a judge whose price is unknown is not asked, and one whose cost turns out to
    be unknown is given up, unless `allow_unknown_cost`: then its line in the ledger is an estimate.
    """

    timeout_seconds: float = 120.0
    max_attempts: int = 8
    allow_unknown_cost: bool = False
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
        """Return the patience with this result; None where asking again cannot help."""
        return {
            AttemptResult.OUTAGE: self.outage,
            AttemptResult.TIMED_OUT: self.timed_out,
            AttemptResult.BAD_OUTPUT: self.bad_output,
            AttemptResult.RATE_LIMITED: self.rate_limited,
        }.get(result)


@dataclass(frozen=True, slots=True)
class AskAgain:
    """The judge is asked again after so many seconds."""

    after_seconds: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The judge is asked no more: the criterion could not be checked."""

    error: CheckError


def next_step(policy: JudgePolicy, history: Sequence[JudgeAttempt]) -> AskAgain | GiveUp:
    """Return the step that follows the last of these attempts, none of which was answered.

    It is the same every time for the same history.
    """
    last = history[-1]
    patience = policy.patience(last.result)
    failures = sum(attempt.result is last.result for attempt in history)
    if patience is None or failures >= patience.attempts or len(history) >= policy.max_attempts:
        return GiveUp(_ERRORS[last.result])
    if last.result is AttemptResult.RATE_LIMITED and last.retry_after_microseconds is not None:
        asked_seconds = last.retry_after_microseconds / MICRO
        if asked_seconds > patience.longest_delay_seconds:
            return GiveUp(CheckError.JUDGE_RATE_LIMITED)
        return AskAgain(asked_seconds)
    return AskAgain(patience.delay_seconds(failures))


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeReply:
    """The reply of a judge that was asked once: an answer, or how it failed.

    `usage` is None where unknown. Its cost is priced by the `model`, unless `cost_is_known`: then it may be 0.
    """

    result: AttemptResult
    answer: JudgeAnswer | None = None
    detail: str = ""
    model: str | None = None
    usage: ModelUsage | None = None
    cost_is_known: bool = False
    retry_after_seconds: float | None = None

    @classmethod
    def of(cls, answer: JudgeAnswer) -> "JudgeReply":
        """Return the reply for this answer: that the evidence does not decide is one too."""
        decided = answer.verdict is not JudgeVerdict.CANNOT_JUDGE
        result = AttemptResult.ANSWERED if decided else AttemptResult.UNDECIDED
        return cls(result=result, answer=answer, detail="; ".join(answer.reasons))


class Judge(Protocol):
    """Anything that answers a question by evidence. It never raises for its own failures: they are replies.

    When its task is cancelled it stops everything that it started, then lets `CancelledError` pass.
    """

    async def ask(self, evidence: Evidence, timeout_seconds: float) -> JudgeReply:
        """The judge was asked once, and has replied within the time."""
        ...


@runtime_checkable
class PricedJudge(Judge, Protocol):
    """A judge that knows before it is asked whether its cost will be known."""

    @property
    def model(self) -> str:
        """The name of the judge's model."""
        ...

    def has_price(self) -> bool:
        """Return whether the price of its model is known."""
        ...


async def judge_criterion(
    criterion: Criterion,
    evidence: Evidence,
    judge: Judge,
    *,
    index: int,
    policy: JudgePolicy,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Verdict:
    """Ask the judge until it answers or the policy gives it up; a judge that is given up is an error, never a "no".

    Every attempt is kept in the verdict, with what it consumed.
    """
    timeout_seconds = criterion.timeout_seconds or policy.timeout_seconds
    must_know_cost = evidence.limits_money and not policy.allow_unknown_cost
    attempts: list[JudgeAttempt] = []
    while True:
        if must_know_cost and isinstance(judge, PricedJudge) and not judge.has_price():
            # Asked, it would spend money that the budget cannot count.
            reply = JudgeReply(result=AttemptResult.COST_UNKNOWN, detail=unknown_cost(judge.model), model=judge.model)
            attempts.append(_attempt(reply, 0, cost_is_known=True))
        else:
            reply, attempt = await _ask(judge, evidence, timeout_seconds, must_know_cost)
            attempts.append(attempt)
        if reply.result is AttemptResult.ANSWERED and reply.answer is not None:
            return _verdict(criterion, evidence, index, attempts, reply.answer, None)
        step = next_step(policy, attempts)
        if isinstance(step, GiveUp):
            return _verdict(criterion, evidence, index, attempts, reply.answer, step)
        await sleep(step.after_seconds)


async def _ask(
    judge: Judge, evidence: Evidence, timeout_seconds: float, must_know_cost: bool
) -> tuple[JudgeReply, JudgeAttempt]:
    started = time.monotonic()
    try:
        async with asyncio.timeout(timeout_seconds + _OVERTIME_SECONDS):
            reply = await judge.ask(evidence, timeout_seconds)
    except TimeoutError:
        reply = JudgeReply(result=AttemptResult.TIMED_OUT, detail=f"no answer within {timeout_seconds:g} seconds")
    cost_is_known = True
    if evidence.limits_money:
        reply = _with_cost(reply)
        cost_is_known = reply.cost_is_known
        if must_know_cost and not cost_is_known:
            reply = replace(reply, result=AttemptResult.COST_UNKNOWN, detail=unknown_cost(reply.model))
    return reply, _attempt(reply, time.monotonic() - started, cost_is_known=cost_is_known)


def _with_cost(reply: JudgeReply) -> JudgeReply:
    """Return the reply with the cost of its usage, where its model's price tells it."""
    used = reply.usage
    if used is None or used.cost_microunits or not used.input_tokens + used.output_tokens:
        return replace(reply, cost_is_known=True)
    cost = None if reply.cost_is_known else cost_microunits(reply.model, used)
    return reply if cost is None else replace(reply, usage=replace(used, cost_microunits=cost), cost_is_known=True)


def unknown_cost(model: str | None) -> str:
    """Return why a judge's cost is not known, and how it could be."""
    who = "a judge that names no model" if model is None else f"the judge's model {model!a}"
    ways = ("name another model as judge", "take the budget of money away", "say --allow-unknown-usage")
    return unknown_price(who, *ways, has_table=has_price_table())


def _attempt(reply: JudgeReply, seconds: float, *, cost_is_known: bool) -> JudgeAttempt:
    asked_seconds = reply.retry_after_seconds
    return JudgeAttempt(
        result=reply.result,
        duration_microseconds=int(seconds * MICRO),
        detail=kept_statement(reply.detail),
        model=None if reply.model is None else storable_tail(reply.model[:MAX_NAME_CHARS], MAX_NAME_CHARS),
        usage=reply.usage,
        cost_is_known=cost_is_known,
        retry_after_microseconds=None
        if asked_seconds is None
        else int(min(max(asked_seconds, 0.0) * MICRO, MAX_COUNTER)),
    )


def _verdict(
    criterion: Criterion,
    evidence: Evidence,
    index: int,
    attempts: list[JudgeAttempt],
    answer: JudgeAnswer | None,
    given_up: GiveUp | None,
) -> Verdict:
    passed = answer is not None and answer.verdict is JudgeVerdict.YES
    return Verdict(
        index=index,
        criterion_hash=criterion.content_hash,
        revision=evidence.revision,
        outcome=Outcome.ERROR if given_up else Outcome.PASSED if passed else Outcome.FAILED,
        error=given_up.error if given_up else None,
        detail=attempts[-1].detail if given_up else "",
        duration_microseconds=sum(attempt.duration_microseconds for attempt in attempts),
        reasons=answer.reasons if answer else (),
        suggestions=answer.suggestions if answer else (),
        attempts=tuple(attempts),
    )
