"""What counts as a judge's answer."""

import json
from typing import Any

import pytest

from telic.loop.verification.evidence import (
    MAX_ANSWER_CHARS,
    BadAnswer,
    JudgeAnswer,
    JudgeVerdict,
    read_answer,
    read_object,
)


def read(data: Any) -> JudgeAnswer:
    return read_answer(read_object(data if isinstance(data, str) else json.dumps(data)))


def test_answers_are_read() -> None:
    assert read({"verdict": "pass"}).verdict is JudgeVerdict.YES
    told = read({"verdict": "fail", "reasons": ["slow"], "blocking_problems": ["crashes"], "suggestions": ["mend"]})
    assert told == JudgeAnswer(verdict=JudgeVerdict.NO, reasons=("crashes", "slow"), suggestions=("mend",))
    assert read({"verdict": "cannot_judge", "reasons": ["no output"]}).verdict is JudgeVerdict.CANNOT_JUDGE


@pytest.mark.parametrize(
    "data",
    [
        "",
        "yes",
        "{",
        "[]",
        "null",
        '{"verdict": "pass"} and so on',
        '{"verdict": "fail", "verdict": "pass"}',
        "[" * 50_000,
        "x" * (MAX_ANSWER_CHARS + 1),
        {},
        {"verdict": "PASS"},
        {"verdict": True},
        {"verdict": None},
        {"verdict": ["pass"]},
        {"verdict": "pass", "score": 1},
        {"verdict": "pass", "reasons": "good"},
        {"verdict": "pass", "reasons": [1]},
        {"verdict": "pass", "blocking_problems": ["crashes"]},
        {"verdict": "fail"},
        {"verdict": "fail", "reasons": ["  "], "suggestions": ["mend"]},
        {"verdict": "cannot_judge"},
    ],
)
def test_anything_else_is_no_answer(data: Any) -> None:
    with pytest.raises(BadAnswer):
        read(data)


def test_a_talkative_judge_is_cut_short() -> None:
    """Length is no fault: what a verdict keeps is bounded, and only what a store can keep."""
    told = read({"verdict": "fail", "reasons": ["a\0b" + "x" * 5_000, "\ud800"] * 15, "suggestions": ["y"] * 500})
    assert len(told.reasons) == len(told.suggestions) == 20
    assert told.reasons[0].startswith("abx")
    assert max(map(len, told.reasons)) <= 1_000
    assert told.reasons[1] == "\ufffd"
