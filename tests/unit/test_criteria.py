"""Criteria: what they may say, how they are kept, and what is refused."""

import json
import shlex
from typing import Any

import pytest

from telic.domain.criteria import (
    Criterion,
    CriterionKind,
    criteria_from_data,
    criteria_to_json,
    typed_criteria,
)
from telic.domain.errors import EmptyText, InvalidInput, InvalidNumber

OLD = (
    '[{"kind":"command","argv":["pytest","-q"]},{"kind":"judge","question":"Is it clear?"},'
    '{"kind":"approval","question":"Ship it?"}]'
)
EACH = [
    Criterion.command(["pytest", "-q"]),
    Criterion.command(["pytest -q | tail"], shell=True, folder="backend", timeout_seconds=30),
    Criterion.judge("Is it clear?"),
    Criterion.judge("Is it clear?", timeout_seconds=9),
    Criterion.judge("Is it clear?", argv=["./judge", "--strict"], folder="tools", timeout_seconds=9),
    Criterion.approval("Ship it?"),
]


def test_what_earlier_versions_kept_is_kept_alike() -> None:
    """Criteria without the newer parts read and write to the very same text, so chained histories stay whole."""
    assert criteria_to_json(criteria_from_data(json.loads(OLD))) == OLD


@pytest.mark.parametrize("criterion", EACH, ids=lambda criterion: criterion.title)
def test_a_criterion_survives_json(criterion: Criterion) -> None:
    assert criteria_from_data(json.loads(criteria_to_json([criterion]))) == (criterion,)


def test_equal_criteria_have_equal_hashes_and_others_do_not() -> None:
    assert len({criterion.content_hash for criterion in EACH}) == len(EACH)
    assert Criterion.command(["pytest", "-q"]).content_hash == Criterion.command(("pytest", "-q")).content_hash
    assert Criterion.command(["a b"]).content_hash != Criterion.command(["a b"], shell=True).content_hash


def test_a_shell_and_a_folder_are_shown() -> None:
    assert EACH[1].title == "/bin/sh -c 'pytest -q | tail' (in backend)"
    assert EACH[4].title == "./judge --strict (in tools): Is it clear?"


@pytest.mark.parametrize(
    ("kind", "parts", "error"),
    [
        ("command", {}, InvalidInput),
        ("command", {"argv": ("true",), "question": "Is it?"}, InvalidInput),
        ("command", {"argv": ("",)}, EmptyText),
        ("command", {"argv": ("a", "b"), "shell": True}, InvalidInput),
        ("command", {"argv": ("a",), "shell": 1}, InvalidInput),
        ("command", {"argv": ("a",), "folder": "/etc"}, InvalidInput),
        ("command", {"argv": ("a",), "folder": "src/../../etc"}, InvalidInput),
        ("command", {"argv": ("a",), "folder": ""}, InvalidInput),
        ("command", {"argv": ("a",), "timeout_seconds": 0}, InvalidNumber),
        ("command", {"argv": ("a",), "timeout_seconds": 86_401}, InvalidNumber),
        ("command", {"argv": ("a",), "timeout_seconds": True}, InvalidNumber),
        ("command", {"argv": ("a",), "timeout_seconds": 1.5}, InvalidNumber),
        ("judge", {"argv": ("a",)}, InvalidInput),
        ("judge", {"question": "Is it?", "folder": "src"}, InvalidInput),
        ("judge", {"question": "Is it?", "shell": True}, InvalidInput),
        ("approval", {"question": "Is it?", "argv": ("a",)}, InvalidInput),
        ("approval", {"question": "Is it?", "timeout_seconds": 5}, InvalidInput),
    ],
)
def test_what_a_kind_cannot_use_is_refused(kind: str, parts: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        Criterion(CriterionKind(kind), **parts)


@pytest.mark.parametrize(
    "data",
    [
        [{"kind": "command", "argv": "pytest"}],
        [{"kind": "command", "argv": ["pytest"], "sandbox": True}],
        [{"kind": "prayer", "question": "Please?"}],
        [{"question": "Is it?"}],
        ["pytest"],
        [{"kind": "command", "argv": ["pytest"], "shell": "no"}],
        [{"kind": "command", "argv": [1]}],
        7,
    ],
)
def test_unreadable_criteria_are_refused(data: Any) -> None:
    """A part that is not understood could change what passes, so nothing is guessed or left out."""
    with pytest.raises(InvalidInput):
        criteria_from_data(data)


def test_one_text_is_no_command() -> None:
    with pytest.raises(InvalidInput):
        Criterion.command("pytest -q")
    with pytest.raises(InvalidInput):
        Criterion.judge("Is it?", argv="pytest -q")


@pytest.mark.parametrize("text", ["true && false", "a;b", "a | b", "cat a>b", "npm test &", "x || y", "a <b"])
def test_a_check_that_needs_a_shell_is_refused(text: str) -> None:
    """Without one, what stands behind the operator would never be run."""
    with pytest.raises(InvalidInput, match="no shell runs a check"):
        typed_criteria([text])


@pytest.mark.parametrize(
    "text",
    ["echo 'a && b'", 'sh -c "a | b; c > d"', r"find . -exec rm {} \;", "pytest -k 'a or b'", 'echo "it\'s; ok"'],
)
def test_a_quoted_operator_is_a_word(text: str) -> None:
    assert typed_criteria([text])[0].argv == tuple(shlex.split(text))
