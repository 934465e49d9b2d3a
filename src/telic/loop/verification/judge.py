"""Judges: who is asked, in one attempt after another within their policy, whether a criterion is met."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol

from telic.domain.budget import ModelUsage
from telic.domain.criteria import Criterion
from telic.domain.limits import MAX_COUNTER, MAX_NAME_CHARS
from telic.domain.verdict import AttemptResult, JudgeAttempt, Outcome, Verdict
from telic.loop.agents.protocol import kept_tail
from telic.loop.verification.evidence import Evidence
from telic.loop.verification.judge_answer import JudgeAnswer, JudgeVerdict, kept_statement
from telic.loop.verification.judge_policy import GiveUp, JudgePolicy, next_step

Sleep = Callable[[float], Awaitable[None]]

_MICROSECONDS: Final = 1_000_000
_OVERTIME_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came of asking a judge once: an answer, or how it failed. `usage` is None where unknown."""

    result: AttemptResult
    answer: JudgeAnswer | None = None
    detail: str = ""
    model: str | None = None
    usage: ModelUsage | None = None
    retry_after_seconds: float | None = None

    @classmethod
    def of(cls, answer: JudgeAnswer, *, model: str | None = None, usage: ModelUsage | None = None) -> "Reply":
        """The reply that this answer is: an answer, or the statement that there can be none."""
        decided = answer.verdict is not JudgeVerdict.CANNOT_JUDGE
        result = AttemptResult.ANSWERED if decided else AttemptResult.UNDECIDED
        return cls(result=result, answer=answer, detail="; ".join(answer.reasons), model=model, usage=usage)


class Judge(Protocol):
    """Anything that answers a question by evidence. It never raises for its own failures: they are replies.

    When its task is cancelled it stops everything that it started, then lets `CancelledError` pass.
    """

    async def ask(self, evidence: Evidence, timeout_seconds: float) -> Reply:
        """The judge was asked once, and has replied within the time."""
        ...


async def judge_criterion(
    criterion: Criterion,
    evidence: Evidence,
    judge: Judge,
    *,
    index: int,
    policy: JudgePolicy,
    sleep: Sleep = asyncio.sleep,
) -> Verdict:
    """The judge has answered, or was given up by the policy: that is an error, never a "no".

    Every attempt is kept in the verdict, with what it consumed.
    """
    timeout_seconds = criterion.timeout_seconds or policy.timeout_seconds
    attempts: list[JudgeAttempt] = []
    while True:
        reply, attempt = await _ask(judge, evidence, timeout_seconds)
        attempts.append(attempt)
        if reply.result is AttemptResult.ANSWERED and reply.answer is not None:
            return _verdict(criterion, evidence, index, attempts, reply.answer, None)
        step = next_step(policy, attempts)
        if isinstance(step, GiveUp):
            return _verdict(criterion, evidence, index, attempts, reply.answer, step)
        await sleep(step.after_seconds)


async def _ask(judge: Judge, evidence: Evidence, timeout_seconds: float) -> tuple[Reply, JudgeAttempt]:
    started = time.monotonic()
    try:
        async with asyncio.timeout(timeout_seconds + _OVERTIME_SECONDS):
            reply = await judge.ask(evidence, timeout_seconds)
    except TimeoutError:
        reply = Reply(result=AttemptResult.TIMED_OUT, detail=f"no answer within {timeout_seconds:g} seconds")
    return reply, JudgeAttempt(
        result=reply.result,
        duration_microseconds=int((time.monotonic() - started) * _MICROSECONDS),
        detail=kept_statement(reply.detail),
        model=None if reply.model is None else kept_tail(reply.model[:MAX_NAME_CHARS], MAX_NAME_CHARS),
        usage=reply.usage,
        retry_after_microseconds=None
        if reply.retry_after_seconds is None
        else _microseconds(reply.retry_after_seconds),
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


def _microseconds(seconds: float | None) -> int | None:
    return None if seconds is None else int(min(max(seconds, 0.0) * _MICROSECONDS, MAX_COUNTER))
