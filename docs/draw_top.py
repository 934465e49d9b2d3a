"""Draws `docs/top.svg`, the screen of `telic top` with a few goals. Run by `make docs`."""

import asyncio
import tempfile
from pathlib import Path

import telic
from telic.interfaces.terminal.app import TopApp
from telic.store.async_store import AsyncGoalStore
from telic.testing import FakeClock

PICTURE = Path(__file__).parent / "top.svg"
GOALS = [
    ("release-notes", "Write the release notes for 2.0", 400_000, 391_000),
    ("docs", "Translate the tutorial into German", 2_000_000, 512_000),
    ("payments", "Move billing to the new API", 3_000_000, 2_140_000),
    ("search", "Find why the index grows twice a week", 1_000_000, 1_000_000),
    ("website", "Make the landing page load in one second", 500_000, 120_000),
    ("tests", "Fix the flaky tests of the importer", 800_000, 655_000),
]


def fill(place: str, clock: FakeClock) -> None:
    with telic.connect(place, clock=clock) as store:
        for scope, text, budget, used in GOALS:
            clock.advance(3_700)
            goal = store.create(text, scope=scope, token_budget=budget)
            for turn in range(20):
                clock.advance(60)
                store.record_turn(goal.id, tokens=used // 20, key=f"turn {turn}")
        by_scope = {goal.scope: goal for goal in store.list().goals}
        store.complete(by_scope["release-notes"].id)
        store.pause(by_scope["website"].id, reason=telic.Reason.BLOCKED, note="the design is missing")
        for scope, worker in (("docs", "host-1/7"), ("payments", "host-2/3"), ("tests", "host-1/9")):
            store.claim(by_scope[scope].id, worker=worker, ttl_seconds=3_600)


def is_whole(picture: str) -> bool:
    """Whether the list and its footer are there."""
    text = picture.replace("&#160;", " ")
    return "6 goals" in text and "website" in text and "quit" in text


def draw() -> str:
    """The picture, as SVG."""
    return asyncio.run(_draw())


async def _draw() -> str:
    clock = FakeClock()
    with tempfile.TemporaryDirectory() as folder:
        place = str(Path(folder) / "goals.db")
        fill(place, clock)
        clock.advance(95)

        async def open_store() -> AsyncGoalStore:
            return await telic.connect_async(place)

        app = TopApp(open_store, operator="ada", clock=clock)
        try:
            await app.live.open()
            async with app.run_test(size=(100, 14)) as pilot:
                while not is_whole(app.export_screenshot()):
                    await pilot.pause(0.05)
                return app.export_screenshot(title="telic top --allow-write", simplify=True)
        finally:
            await app.live.close()


if __name__ == "__main__":
    PICTURE.write_text(draw())
