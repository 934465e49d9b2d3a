"""Every text is quoted as one JSON string that ends where it ends; people see it readable, with nothing hidden."""

import html
import json
import re
import string
import unicodedata
from collections.abc import Callable

import pytest

from telic.prompt import quote, visible
from telic.prompt.escape import JOINERS, joins
from tests.prompt.corpus import FAMILIES, HOSTILE
from tests.prompt.oracles import FORMS, HIDDEN, assert_string_holds

ESCAPED = re.compile(r'"(\\u[0-9a-f]{4}){1,2}"')
ORDINARY = (
    "Move billing to API v2; p99 \u2264 5 ms, 100 % of it (see #12, $5, 'x')!",
    "Stra\u00dfe \u00e9t\u00e9 \u017b\u00f3\u0142w \u2013 \u2026 \u201cquoted\u201d \u00b5s \u00bd",
    "\u041f\u0435\u0440\u0435\u043d\u0435\u0441\u0442\u0438 \u0431\u0438\u043b\u043b\u0438\u043d\u0433",
    "\u628a\u8ba1\u8d39\u8fc1\u79fb\u5230\u65b0\u63a5\u53e3\uff0c\u3010\u5b8c\u6210\u3011\u3002",
    "\u8ab2\u91d1\u3092\u65b0\u3057\u3044API\u3078\u79fb\u3059\u3000\u30ac\u30d7\uff76\uff9e",
    "\uacb0\uc81c\ub97c \uc0c8 API\ub85c",
    "\u0627\u0646\u0642\u0644 \u0627\u0644\u0641\u0648\u062a\u0631\u0629 \u05d4\u05e2\u05d1\u05e8\u05d4",
    "\u092c\u093f\u0932\u093f\u0902\u0917 \u0e22\u0e49\u0e32\u0e22\u0e23\u0e30\u0e1a\u0e1a",
    "\U0001f680 \U0001f44d\U0001f3fd \u2705 \U0001d4d0 \U00020000",
)


@pytest.mark.parametrize("family", FAMILIES)
def test_hostile_texts_stay_inside(family: str) -> None:
    """Of each family, as they are and at either end of an ordinary text."""
    for text in FAMILIES[family]:
        for placed in (text,) if len(text) >= 20_000 else (text, "x" + text, text + "x", f"\u00e9{text}\u00e9"):
            assert_string_holds(placed, quote(placed))


WEAKER_WAYS: dict[str, Callable[[str], str]] = {
    "as it is": lambda text: f'"{text}"',
    "without tags": lambda text: '"' + re.sub(r"</?[a-z_]+>", "", text) + '"',
    "html.escape": lambda text: f'"{html.escape(text)}"',
    "json.dumps": json.dumps,
    "json.dumps, not ASCII": lambda text: json.dumps(text, ensure_ascii=False),
    "normalised first": lambda text: quote(unicodedata.normalize("NFKC", text)),
}


def is_refused(text: str, quoted: str) -> bool:
    try:
        assert_string_holds(text, quoted)
    except (AssertionError, ValueError):
        return True
    return False


@pytest.mark.parametrize("way", WEAKER_WAYS)
def test_the_oracles_see_through_weaker_ways(way: str) -> None:
    """What others do with hostile text lets a tenth of it through at least, mostly far more."""
    texts = [text for text in HOSTILE if len(text) < 20_000]
    refused = [text for text in texts if is_refused(text, WEAKER_WAYS[way](text))]
    assert len(refused) > len(texts) // 10


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_is_shown_as_it_is(text: str) -> None:
    """Letters, digits and signs of any script, and emoji."""
    assert quote(text) == f'"{text}"'
    assert visible(text) == text


def test_a_text_is_written_as_documented() -> None:
    """Lower-case `\\uXXXX`, in pairs beyond the basic plane."""
    assert quote('a<b>&`"\\\n\x7f') == r'"a\u003cb\u003e\u0026\u0060\u0022\u005c\u000a\u007f"'
    assert (
        quote("\u00e9\x85\u2028\uff1c\U000e0041\U0001f680") == '"\u00e9\\u0085\\u2028\\uff1c\\udb40\\udc41\U0001f680"'
    )
    assert quote("") == '""'


def test_the_two_ways_of_escaping_agree() -> None:
    """ASCII texts take a way of their own, and are written as inside any other text."""
    for text in HOSTILE:
        if text.isascii():
            assert quote(text + "\u00e9") == quote(text)[:-1] + '\u00e9"'


def must_be_escaped(code: int) -> bool:
    """By category, by name and by what becomes of it, as the design says it in words."""
    character = chr(code)
    if unicodedata.category(character) in HIDDEN:
        return True
    name = unicodedata.name(character, "")
    return (
        character in '<>&`"\\'
        or any(set('<>&`"\\') & set(unicodedata.normalize(form, character)) for form in FORMS)
        or any(word in name for word in ("VARIATION SELECTOR", "HANGUL FILLER", "HANGUL CHOSEONG FILLER"))
        or any(
            word in name for word in ("ANGLE BRACKET", "ANGLE QUOTATION", "BRAILLE PATTERN BLANK", "GRAPHEME JOINER")
        )
    )


def is_expected(code: int) -> bool:
    """Whether a character that need not be escaped is one of those that are all the same."""
    name = unicodedata.name(chr(code), "")
    return (
        "COMBINING" in name
        or any(word in name for word in ("FILLER", "INHERENT", "HALF FILL", "OBJECT REPLACEMENT", "NULL NOTEHEAD"))
        or any(word in name for word in ("ARROWHEAD", "GREATER-THAN", "LESS-THAN", "SYLLABICS P", "KAUNA", "NOTATION"))
        or 0x1AB0 <= code < 0x1B00 or name.startswith("MIAO LETTER") or name == "CYRILLIC LETTER TSWE"
    )  # fmt: skip


def test_every_code_point() -> None:
    """From 0 to 0x10FFFF: escaped exactly where it must be, and harmless in every reading where it is shown."""
    surprises: list[str] = []
    for block in range(0, 0x110000, 0x100):
        characters = [chr(code) for code in range(block, block + 0x100)]
        shown = [character for character in characters if quote(character) == f'"{character}"']
        assert [character for character in shown if must_be_escaped(ord(character))] == []
        assert_string_holds("x".join(shown), quote("x".join(shown)))
        for character in set(characters) - set(shown):
            quoted = quote(character)
            assert ESCAPED.fullmatch(quoted)
            assert json.loads(quoted) == character
            if not must_be_escaped(ord(character)) and not is_expected(ord(character)):
                surprises.append(f"U+{ord(character):04X} {unicodedata.name(character, '')}")
    assert surprises == []


def test_no_shown_character_combines_with_what_stands_before_it() -> None:
    """Quotes, digits of escapes and every other character that the block is made of keep their place."""
    before = string.printable.strip()
    for code in range(0x80, 0x40000):
        character = chr(code)
        is_mark = unicodedata.category(character)[0] == "M" or unicodedata.combining(character)
        if (is_mark or 0x1100 <= code < 0x1200 or code in (0xFF9E, 0xFF9F)) and character in quote(character):
            for form in FORMS:
                following = unicodedata.normalize(form, character)
                for base in before:
                    assert unicodedata.normalize(form, base + character) == base + following, f"U+{code:04X}"


def test_file_names_that_are_no_text_are_quoted_too() -> None:
    """Lone surrogates, by which Python keeps bytes that it cannot decode."""
    name = b"\xff\xfe.py".decode(errors="surrogateescape")
    assert quote(name) == '"\\udcff\\udcfe.py"'
    assert json.loads(quote(name)) == name
    assert visible(name) == "\\udcff\\udcfe.py"


def _without_needed_joiners(text: str) -> str:
    return "".join(each for at, each in enumerate(text) if each not in JOINERS or not joins(text, at))


def test_visible_text_hides_nothing() -> None:
    """Control, bidirectional, private and blank characters are written out; marks, styles, needed joiners are not."""
    for text in HOSTILE:
        shown = _without_needed_joiners(visible(text))
        assert all(unicodedata.category(character) not in HIDDEN for character in shown)
        assert not set("\u2800\u3164\u115f\u034f\ufe00\U000e0100") & set(shown)
    assert visible("\x1b[2J\x85\u202e\u3164\U000e0041") == "\\x1b[2J\\x85\\u202e\\u3164\\U000e0041"
    assert visible("\u2764\ufe0f cafe\u0301 \u00a0<b>") == "\u2764\ufe0f cafe\u0301 \u00a0<b>"
