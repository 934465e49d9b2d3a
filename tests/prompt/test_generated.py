"""Generated texts: from what attacks are made of, and from all of Unicode."""

import random
import string
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

import telic
from telic.prompt import quote
from tests.prompt.corpus import HOSTILE
from tests.prompt.oracles import as_criterion, assert_block_holds, assert_string_holds

SEED = 20_240_229
WELL_FORMED = [*range(0xD800), *range(0xE000, 0x110000)]
MARKS = [*range(0x300, 0x370), 0x345, 0x5B0, 0x5C1, 0x64B, 0x93C, 0xE33, 0x1DC0, 0x20D2, 0x20E3, 0x3099, 0x309A, 0xFE20]
SHORT = [text for text in HOSTILE if len(text) <= 200]


def _any_of(codes: list[int]) -> Callable[[random.Random], str]:
    return lambda chance: chr(chance.choice(codes))


PARTS: list[Callable[[random.Random], str]] = [
    lambda chance: chance.choice('<>&`"\\/;#=\n\r\t\0 '),
    lambda chance: chance.choice(string.ascii_letters + string.digits),
    lambda chance: chance.choice(("active_goal", "</active_goal", "boundary=", "&lt", "&#60;", "u003c", "amp;", "\\u")),
    _any_of(WELL_FORMED),
    _any_of(list(range(0x80, 0x3000))),
    _any_of(MARKS),
    _any_of([*range(0x2000, 0x2070), *range(0xFE00, 0xFF70), *range(0xE0000, 0xE0200)]),
    lambda chance: (text := chance.choice(SHORT))[: chance.randint(0, len(text))],
]


def generated(seed: int, count: int) -> list[str]:
    """The same texts for the same seed, of up to 30 parts each."""
    chance = random.Random(seed)
    return ["".join(chance.choice(PARTS)(chance) for _ in range(chance.randint(0, 30))) for _ in range(count)]


@given(st.text(max_size=300))
def test_any_text_is_quoted(text: str) -> None:
    """Whatever Hypothesis finds in Unicode."""
    assert_string_holds(text, quote(text))


@given(st.text(max_size=300), st.text(max_size=100), st.lists(st.text(min_size=1, max_size=50), max_size=3))
def test_any_goal_stays_in_its_block(goal: telic.Goal, text: str, note: str, questions: list[str]) -> None:
    """Also where several strings stand in one block."""
    assert_block_holds(replace(goal, text=text, note=note, criteria=tuple(map(as_criterion, questions))))


def test_generated_texts_are_quoted() -> None:
    """20,000 of them, the same in every run."""
    for text in generated(SEED, 20_000):
        assert_string_holds(text, quote(text))


def test_generated_goals_stay_in_their_blocks(goal: telic.Goal) -> None:
    """1,000 of them, each text the next one's note."""
    texts = generated(SEED + 1, 1_000)
    for text, note in pairwise(texts):
        assert_block_holds(replace(goal, text=text, note=note))


@pytest.mark.long
@pytest.mark.parametrize("part", range(10))
def test_a_million_generated_texts_are_quoted(part: int) -> None:
    """In ten parts, each from a seed of its own."""
    for text in generated(SEED + 100 + part, 100_000):
        assert_string_holds(text, quote(text))
