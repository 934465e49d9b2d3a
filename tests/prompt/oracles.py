"""What must hold of everything that is rendered, told without a look at how it is done."""

import html
import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from typing import Any

import telic
from telic.prompt import render
from telic.prompt.texts import CLOSING, PREFACE

SECRET = bytes(range(32))
FORMS = ("NFC", "NFD", "NFKC", "NFKD")
HIDDEN = frozenset({"Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp"})


def as_criterion(text: str) -> telic.Criterion:
    """A judge's question of that text, as far as a criterion may hold it."""
    return telic.Criterion.judge(text.replace("\0", "?")[:4_000] or "?")


def readings(text: str) -> Iterator[str]:
    """The text as careless readers may have it: normalised, unescaped once or twice, and both in either order."""
    once = html.unescape(text)
    yield from (text, once, html.unescape(once))
    for form in FORMS:
        normalised = unicodedata.normalize(form, text)
        once = html.unescape(normalised)
        yield from (normalised, once, html.unescape(once), unicodedata.normalize(form, html.unescape(text)))


def assert_string_holds(text: str, quoted: str) -> None:
    """The quoted text is one JSON string on one line, equal to the text, and stays one in every reading."""
    assert json.loads(quoted) == text
    assert len(quoted) <= 12 * len(text) + 200
    for reading in set(readings(quoted)):
        assert reading[0] == '"' == reading[-1]
        assert reading.count('"') == 2
        assert not set("<>&`") & set(reading)
        assert len(reading.splitlines()) == 1
        assert HIDDEN.isdisjoint(map(unicodedata.category, set(reading)))
        unquoted = json.loads(reading)
        assert unicodedata.normalize("NFKD", unquoted) == unicodedata.normalize("NFKD", text)


@dataclass(frozen=True)
class Section:
    """What a reader that knows the format finds in a prompt."""

    boundary: str
    before: str
    facts: list[tuple[str, str]]
    after: str

    def strings(self, name: str) -> list[str]:
        """The JSON strings of the lines of that name."""
        values = [value for fact, value in self.facts if fact == name]
        assert len(values) == 1, name
        return [json.loads(word) for word in re.findall(r'"[^"]*"', values[0])]

    def number(self, name: str) -> int:
        """The number on the only line of that name."""
        (value,) = (value for fact, value in self.facts if fact == name)
        return int(value)


def read_section(prompt: str) -> Section:
    """The one section of the prompt."""
    before, _, rest = prompt.partition("<active_goal ")
    head, _, rest = rest.partition(">\n")
    inside, _, rest = rest.partition("\n</active_goal ")
    tail, _, after = rest.partition(">\n")
    assert head == tail
    assert not set("<>") & set(before + head + inside + tail + after)
    facts = [tuple(line.split(": ", 1)) for line in inside.split("\n")]
    return Section(head.removeprefix('boundary="').removesuffix('"'), before, facts, after)


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self.seen.append("/" + tag)

    def handle_comment(self, data: str) -> None:
        self.seen.append("comment")

    def handle_entityref(self, name: str) -> None:
        self.seen.append("entity")


def assert_block_holds(goal: telic.Goal) -> Section:
    """The block has its own two tags in every reading, its lines, and the goal's words in them."""
    block = render(goal, secret=SECRET)
    assert block == render(replace(goal), secret=SECRET)
    lines = len(block.split("\n"))
    for reading in set(readings(block)):
        assert reading.count("<") == reading.count(">") == 2
        assert "&" not in reading
        assert len(reading.splitlines()) == lines
        assert reading.startswith(PREFACE)
        assert reading.endswith(CLOSING)
    tags = _Tags()
    tags.feed(block)
    assert tags.seen == ["active_goal", "/active_goal"]
    section = read_section(block)
    assert section.strings("text") == [goal.text]
    assert section.strings("note") == [goal.note] if goal.note else "note" not in dict(section.facts)
    for number, criterion in enumerate(goal.criteria, 1):
        assert section.strings(f"criterion {number}") == list(criterion.argv or (criterion.question,))
    return section
