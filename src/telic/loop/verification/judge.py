"""Judges: who is asked, in one attempt after another within their policy, whether a criterion is met.

Their answers are read strictly: an answer that is no JSON, or contradicts itself, is no answer.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Protocol

from telic.domain.budget import ModelUsage
from telic.domain.criteria import Criterion
from telic.domain.limits import MAX_COUNTER, MAX_NAME_CHARS
from telic.domain.verdict import MAX_STATEMENT_CHARS, MAX_STATEMENTS, AttemptResult, JudgeAttempt, Outcome, Verdict
from telic.loop.agents.protocol import kept_tail
from telic.loop.verification.evidence import Evidence
from telic.loop.verification.judge_policy import GiveUp, JudgePolicy, next_step

MAX_ANSWER_CHARS: Final = 100_000
_LISTS: Final = ("reasons", "blocking_problems", "suggestions")


class JudgeVerdict(StrEnum):
    """What a judge says of a condition: it is met, it is not, or the evidence does not decide."""

    YES = "pass"
    NO = "fail"
    CANNOT_JUDGE = "cannot_judge"


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeAnswer:
    """A judge's verdict with its reasons; blocking problems, of a verdict that is not `pass`, come first."""

    verdict: JudgeVerdict
    reasons: tuple[str, ...]
    suggestions: tuple[str, ...]


class BadAnswer(Exception):
    """The judge answered what is no answer; the message says why."""


def answer_schema() -> dict[str, Any]:
    """The JSON schema of an answer, in the subset that providers enforce strictly."""
    texts = {"type": "array", "items": {"type": "string"}}
    return {
        "type": "object",
        "properties": {"verdict": {"type": "string", "enum": list(JudgeVerdict)}} | dict.fromkeys(_LISTS, texts),
        "required": ["verdict", *_LISTS],
        "additionalProperties": False,
    }


def read_object(text: str) -> dict[str, Any]:
    """The one JSON object that the text is.

    Raises:
        BadAnswer: it is none, is longer than 100,000 characters, or names a part twice.
    """
    if len(text) > MAX_ANSWER_CHARS:
        raise BadAnswer(f"the answer has more than {MAX_ANSWER_CHARS} characters")
    try:
        data = json.loads(text, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as error:
        raise BadAnswer(f"the answer is no JSON: {error!s:.200}") from error
    if not isinstance(data, dict):
        raise BadAnswer("the answer is no JSON object")
    return data


def read_answer(data: Mapping[str, Any]) -> JudgeAnswer:
    """The answer in a JSON object; `reasons`, `blocking_problems` and `suggestions` may be left out.

    Raises:
        BadAnswer: it is none, or contradicts itself: a pass with blocking problems, anything else without reasons.
    """
    unknown = set(data) - {"verdict", *_LISTS}
    if unknown or data.get("verdict") not in list(JudgeVerdict):
        raise BadAnswer(f"the answer has a verdict ({', '.join(JudgeVerdict)}) and {', '.join(_LISTS)}, nothing else")
    verdict = JudgeVerdict(data["verdict"])
    reasons, problems, suggestions = (_statements(name, data.get(name, [])) for name in _LISTS)
    if verdict is JudgeVerdict.YES and problems:
        raise BadAnswer("the answer contradicts itself: it passes, and lists blocking problems")
    if verdict is not JudgeVerdict.YES and not problems + reasons:
        raise BadAnswer(f"the answer contradicts itself: {verdict}, without any reason")
    return JudgeAnswer(verdict=verdict, reasons=(problems + reasons)[:MAX_STATEMENTS], suggestions=suggestions)


def kept_statement(text: str) -> str:
    """The beginning of a statement, with only characters that a store keeps."""
    return kept_tail(text[:MAX_STATEMENT_CHARS], MAX_STATEMENT_CHARS)


def _statements(name: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise BadAnswer(f"{name} is a list of texts")
    return tuple(kept_statement(text) for text in value if text.strip())[:MAX_STATEMENTS]


def _without_repeats(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise ValueError("a part is named twice")
    return dict(pairs)


Sleep = Callable[[float], Awaitable[None]]

_MICROSECONDS: Final = 1_000_000
_OVERTIME_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeReply:
    """What came of asking a judge once: an answer, or how it failed. `usage` is None where unknown."""

    result: AttemptResult
    answer: JudgeAnswer | None = None
    detail: str = ""
    model: str | None = None
    usage: ModelUsage | None = None
    retry_after_seconds: float | None = None

    @classmethod
    def of(cls, answer: JudgeAnswer, *, model: str | None = None, usage: ModelUsage | None = None) -> "JudgeReply":
        """The reply that this answer is: an answer, or the statement that there can be none."""
        decided = answer.verdict is not JudgeVerdict.CANNOT_JUDGE
        result = AttemptResult.ANSWERED if decided else AttemptResult.UNDECIDED
        return cls(result=result, answer=answer, detail="; ".join(answer.reasons), model=model, usage=usage)


class Judge(Protocol):
    """Anything that answers a question by evidence. It never raises for its own failures: they are replies.

    When its task is cancelled it stops everything that it started, then lets `CancelledError` pass.
    """

    async def ask(self, evidence: Evidence, timeout_seconds: float) -> JudgeReply:
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


async def _ask(judge: Judge, evidence: Evidence, timeout_seconds: float) -> tuple[JudgeReply, JudgeAttempt]:
    started = time.monotonic()
    try:
        async with asyncio.timeout(timeout_seconds + _OVERTIME_SECONDS):
            reply = await judge.ask(evidence, timeout_seconds)
    except TimeoutError:
        reply = JudgeReply(result=AttemptResult.TIMED_OUT, detail=f"no answer within {timeout_seconds:g} seconds")
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
