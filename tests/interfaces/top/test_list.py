"""The list: what it shows, how it is narrowed down, and that it is live."""

import asyncio
import itertools
import re
import sys
from pathlib import Path

import pytest

import telic
from telic.interfaces.terminal.app import GoalsScreen
from telic.interfaces.terminal.live import BURST_SECONDS, Live
from tests.interfaces.shell import Shell
from tests.interfaces.top.screen import running

BURST = """
import sys, telic
with telic.connect(sys.argv[1]) as store:
    for number in range(200):
        store.create(f"burst {number}", scope=f"burst-{number}")
"""


@pytest.fixture
def place(tmp_path: Path) -> str:
    """A SQLite file with goals of every status."""
    path = str(tmp_path / "goals.db")
    with telic.connect(path) as store:
        store.complete(store.create("write the notes", scope="notes").id)
        store.clear(store.create("rewrite it all", scope="dream").id)
        store.pause(store.create("wait for keys", scope="keys").id, note="tea")
        goal = store.create("move billing", scope="billing", token_budget=1_000)
        store.record_turn(goal.id, tokens=250)
        store.claim(goal.id, worker="host/worker")
    return path


async def test_a_row_has_what_an_operator_asks(location: str) -> None:
    """Status or reason, the tightest budget, age, who drives it, scope and text; on both databases."""
    with telic.connect(location) as store:
        budget = telic.Budget(tokens=1_000, turns=2)
        goal = store.create("move billing", scope="billing", budget=budget)
        store.record_turn(goal.id, tokens=250)
        store.claim(goal.id, worker="host/worker")
        store.pause(store.create("wait", scope="keys").id, reason=telic.Reason.BLOCKED)
    async with running(location) as top:
        await top.shows("move billing")
        # However long the start took.
        paused, active = (re.sub(r" [0-9]+[sm] ", " AGE ", row).split() for row in top.rows)
        assert paused == ["‖", "blocked", "AGE", "keys", "wait"]
        assert active == ["▶", "active", "███░░░", "50%", "AGE", "host/worker", "billing", "move", "billing"]
        assert "read-only" in top.lines[-2]
        await top.until(lambda _: "q quit" in top.lines[-1])


async def test_statuses_one_after_another(place: str) -> None:
    """`f` lists one status after the other, and then all again; Escape lists all at once."""
    async with running(place) as top:
        await top.until(lambda _: len(top.rows) == 4)
        for text, status in (
            ("move billing", "active"),
            ("wait for keys", "paused"),
            ("write the notes", "completed"),
            ("rewrite it all", "cleared"),
        ):
            await top.press("f")
            await top.until(lambda _, text=text: len(top.rows) == 1 and text in top.rows[0])
            assert status in top.lines[0]
        await top.press("escape")
        await top.until(lambda _: len(top.rows) == 4)


async def test_a_text_is_found(place: str) -> None:
    """`/` asks for a text; what does not have it goes, and an empty one brings all back."""
    async with running(place) as top:
        await top.press("slash")
        await top.shows("Goals whose text")
        await top.type("WRITE")
        await top.press("enter")
        await top.until(lambda _: len(top.rows) == 2)
        assert "rewrite it all" in top.rows[0]
        assert "with “WRITE”" in top.lines[0]
        await top.press("slash")
        await top.shows("Goals whose text")
        await top.press(*["backspace"] * 5, "enter")
        await top.until(lambda _: len(top.rows) == 4)


async def test_orders_of_a_page(place: str) -> None:
    """`s` puts the page in another order, and says which."""
    async with running(place) as top:
        await top.until(lambda _: len(top.rows) == 4)
        await top.press("s")
        await top.shows("by oldest")
        assert "write the notes" in top.rows[0]
        await top.press("s", "s")
        await top.shows("by most of budget used")
        assert "move billing" in top.rows[0]
        await top.press("s", "s")
        await top.shows("by status")
        assert [row[0] for row in top.rows] == ["▶", "‖", "✓", "✗"]


async def test_one_scope(place: str) -> None:
    """`o` lists the goal's scope alone; with --scope no other can be seen."""
    async with running(place) as top:
        await top.shows("move billing")
        await top.press("o")
        await top.until(lambda _: len(top.rows) == 1)
        assert "scope billing" in top.lines[0]
        await top.press("o")
        await top.until(lambda _: len(top.rows) == 4)
    async with running(place, scope="keys") as top:
        await top.shows("wait for keys")
        await top.press("o", "escape")
        await top.shows("every status")
        assert len(top.rows) == 1


async def test_pages(tmp_path: Path) -> None:
    """→ and ← turn pages, `g` goes to the first; every goal is on one page exactly."""
    place = str(tmp_path / "goals.db")
    with telic.connect(place) as store:
        for number in range(25):
            store.create(f"goal {number:02}.", scope=f"scope {number}")
    seen: list[str] = []
    async with running(place, page_rows=10) as top:
        for page, size in ((1, 10), (2, 10), (3, 5)):
            await top.shows(f"page {page} ·", f"{size} goals")
            seen += [row.split()[-1] for row in top.rows]
            await top.press("right")
        await top.shows("page 3")
        await top.press("left")
        await top.shows("page 2", "goal 14.")
        await top.press("g")
        await top.shows("page 1", "goal 24.")
    assert seen == [f"{number:02}." for number in reversed(range(25))]


async def test_another_process_is_seen(location: str) -> None:
    """What another process creates, pauses and accounts appears by itself; the cursor stays on its goal."""
    other = Shell(location)
    first = other.json("create", "first", "--scope", "one", "--budget", "1000")
    async with running(location) as top:
        await top.shows("first")
        other("create", "second", "--scope", "two")
        await top.shows("second")
        screen = top.app.screen
        assert isinstance(screen, GoalsScreen)
        assert screen.chosen is not None
        assert screen.chosen.id == first["id"]
        other("pause", first["id"], "--reason", "stalled")
        await top.shows("stalled")
        other("record", first["id"], "--tokens", "400")
        await top.shows("40%")


async def test_a_burst_is_one_look(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many changes come, there is a pause after each look; the cursor stays on its goal until `g`."""
    begun: list[float] = []
    attempt = Live.attempt

    async def noted(self: Live, look: object) -> None:
        begun.append(asyncio.get_running_loop().time())
        await attempt(self, look)  # type: ignore[arg-type]

    monkeypatch.setattr(Live, "attempt", noted)
    async with running(place) as top:
        begun.clear()
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", BURST, place)
        assert await process.wait() == 0
        # A key, too, has the store looked at, and at once.
        of_changes = list(begun)
        await top.press("g")
        await top.shows("burst 199")
    # The loop wakes a sleeper up to its clock's resolution early.
    assert all(later - earlier >= 0.9 * BURST_SECONDS for earlier, later in itertools.pairwise(of_changes))


async def test_sizes(place: str) -> None:
    """A narrow screen keeps the text, a wide one shows more columns; every line fits."""
    async with running(place, size=(40, 10)) as top:
        await top.shows("move billing")
        assert "scope" not in top.lines[1]
        assert top.is_tidy()
        for size, columns in (((80, 24), {"scope", "worker"}), ((160, 50), {"id", "tokens", "turns", "changed"})):
            await top.pilot.resize_terminal(*size)
            await top.until(lambda _, columns=columns: all(column in top.lines[1] for column in columns))
            assert top.is_tidy()
        await top.pilot.resize_terminal(20, 6)
        await top.until(lambda _: len(top.lines) == 6)
        assert top.is_tidy()


async def test_light_and_dark(place: str) -> None:
    """Any theme of Textual's can be had, light ones too."""
    async with running(place) as top:
        await top.shows("move billing")
        dark = {segment.style for strip in top.strips for segment in strip}
        top.app.theme = "textual-light"
        await top.pilot.pause()
        assert {segment.style for strip in top.strips for segment in strip}.isdisjoint(dark - {None})
        assert "move billing" in top.text


async def test_help(place: str) -> None:
    """`?` tells every key, on a screen of 80 by 24 without scrolling."""
    async with running(place) as top:
        await top.press("question_mark")
        await top.shows("The list has every goal", "Ctrl+P", "leave it")
        await top.press("escape")
        await top.shows("page 1")
