"""Others' words in every field: shown as they are, in their place, and nothing else happens."""

import unicodedata
from pathlib import Path

import pytest
from rich.cells import cell_len

import telic
from telic.interfaces.terminal.formatting import cell, literal, literal_lines
from tests.interfaces.top.screen import running
from tests.prompt.corpus import FAMILIES, HOSTILE
from tests.support.visible import dangerous

MARKUP = "[bold red]x[/] [link=https://evil.example]y[/link] [@click=app.quit]z[/] \\[b] $error"


@pytest.mark.parametrize("text", [*HOSTILE, MARKUP], ids=range(len(HOSTILE) + 1))
def test_a_text_is_literal(text: str) -> None:
    """One line, nothing hidden, no pile of marks, and none at its beginning that would join what stands before."""
    shown = literal(text)
    assert not dangerous(shown)
    assert "\n" not in shown
    widths = "".join("0" if cell_len(character) == 0 else "1" for character in shown)
    assert "0000" not in widths
    assert not widths.startswith("0")
    for width in (2, 12, 60):
        assert cell(text, width).cell_len < width
    assert len(literal_lines(text, most_lines=60, most_chars=4_000)) <= 61


def test_ordinary_words_stay() -> None:
    """Accents, other scripts and emoji are read as they are."""
    for text in (
        "Größe naïve",
        "Ελλάδα",
        "日本語",
        "עברית",
        "हिन्दी",
        "🚀 launch",
        unicodedata.normalize("NFD", "Größe"),
    ):
        assert literal(text) == text


@pytest.mark.parametrize(
    "text", ["می\u200cخواهم", "क\u094d\u200dषत\u094dर", "👩🏽\u200d💻👨\u200d👩\u200d👧"], ids=ascii
)
def test_joiners_are_shown_but_never_at_a_cut(text: str) -> None:
    """However narrow the cell, no joiner is left that joins nothing."""
    assert literal(text) == text
    for width in range(2, 30):
        shown = cell(3 * text, width).plain
        assert not dangerous(shown)
        assert len(shown) < 2 or shown[-2] not in "\u200c\u200d"


def keepable(text: str) -> bool:
    return bool(text.strip()) and "\0" not in text


async def test_a_list_of_hostile_goals(tmp_path: Path) -> None:
    """Text, scope and worker of every kind: every other cell of the table stays what it would be."""
    texts = [text for text in HOSTILE if keepable(text)]
    place = str(tmp_path / "goals.db")
    with telic.connect(place, durability=telic.Durability.NORMAL) as store:
        for number, text in enumerate(texts):
            scope = f"{number}{text}"[:200]
            goal = store.create(text, scope=scope, max_chars=20_000, token_budget=100)
            store.record_turn(goal.id, tokens=50)
            if text[:200].strip():
                store.claim(goal.id, worker=text[:200])
    seen = 0
    async with running(place, size=(80, 64), page_rows=60) as top:
        for page in range(1, -(-len(texts) // 60) + 1):
            await top.shows(f"page {page} ·")
            strips = [strip for strip in top.strips[2:-2] if strip.text.strip()]
            for place_on_page, strip in enumerate(strips):
                number = len(texts) - 1 - seen - place_on_page
                assert not dangerous(strip.text)
                assert strip.crop(0, 26).text == "▶ active      ███░░░  50% "
                scope = cell(f"{number}{texts[number]}"[:200], 12).plain
                assert strip.crop(44, 56).text.rstrip() == scope.rstrip()
            assert top.is_tidy()
            assert top.lines[-2].startswith(f" page {page} ·")
            seen += len(strips)
            await top.press("right")
    assert seen == len(texts)


@pytest.mark.parametrize("family", FAMILIES)
async def test_a_page_of_hostile_words(family: str, tmp_path: Path) -> None:
    """In text, criterion, note, answer, operator, signal and search: the page's own words stay in their places."""
    texts = [text for text in FAMILIES[family] if keepable(text)]
    text = max(texts, key=lambda each: len(dangerous(each))) + MARKUP
    short = text[:100]
    place = str(tmp_path / "goals.db")
    with telic.connect(place) as store:
        criteria = [telic.Criterion.approval(text[:4_000]), telic.Criterion.command([text[:4_000]])]
        goal = store.create(text[:20_000], scope=short, criteria=criteria, max_chars=20_000)
        store.approve(goal.id, 0, decided_by=short, note=text[:1_000])
        store.pause(goal.id, note="by " + text[:3_000], wake_signal=short)
    async with running(place, operator=short, size=(100, 60)) as top:
        await top.press("enter")
        await top.shows("‖ paused (waiting), revision 2", " scope", "note: by")
        for key, expected in (("home", " scope"), ("end", "created    by user")):
            await top.press(key)
            await top.shows(expected)
            assert not dangerous("".join(strip.text for strip in top.strips))
            assert top.is_tidy()
            assert top.lines[0] == f" telic top · goal {goal.id}"
            await top.until(lambda _: "q quit" in top.lines[-1])
        await top.press("r")
        await top.shows("Note, if any")
        assert not dangerous("".join(strip.text for strip in top.strips))
        assert top.is_tidy()
        await top.press("escape")
