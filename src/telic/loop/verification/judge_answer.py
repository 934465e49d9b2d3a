"""What a judge answers, read strictly: an answer that is no JSON, or contradicts itself, is no answer."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from telic.domain.verdict import MAX_STATEMENT_CHARS, MAX_STATEMENTS
from telic.loop.agents.protocol import kept_tail

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
