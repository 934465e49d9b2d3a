"""`telic top` on a screen of its own: keys go in, lines of text come out."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from rich.cells import cell_len
from textual.pilot import Pilot, WaitForScreenTimeout
from textual.strip import Strip

import telic
from telic.interfaces.terminal.app import GoalsScreen, TopApp
from telic.store.async_store import AsyncGoalStore


class Top:
    """A running application and its screen."""

    def __init__(self, app: TopApp, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot

    @property
    def strips(self) -> list[Strip]:
        compositor: Any = self.app.screen._compositor
        return [Strip(segments) for segments in compositor.render_strips()]

    @property
    def lines(self) -> list[str]:
        return [strip.text.rstrip() for strip in self.strips]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def rows(self) -> list[str]:
        """The list's rows, from the top."""
        return [line for line in self.lines[2:-2] if line]

    async def press(self, *keys: str) -> None:
        # The keys are pressed; how long the screen is then busy is the machine's affair, and `until` waits for it.
        with suppress(WaitForScreenTimeout):
            await self.pilot.press(*keys)

    async def type(self, text: str) -> None:
        await self.press(*("space" if letter == " " else letter for letter in text))

    async def until(self, holds: Callable[[str], bool], *, seconds: float = 240.0) -> str:
        """The screen's text, once it is so."""
        deadline = asyncio.get_running_loop().time() + seconds
        while not holds(self.text):
            assert asyncio.get_running_loop().time() < deadline, f"it did not come true in time:\n{self.text}"
            await asyncio.sleep(0.1)
        return self.text

    async def shows(self, *texts: str) -> str:
        return await self.until(lambda screen: all(text in screen for text in texts))

    async def hides(self, text: str) -> str:
        return await self.until(lambda screen: text not in screen)

    def is_tidy(self) -> bool:
        """Whether every line is as wide as the screen, by the measure of terminals."""
        width, height = self.app.size
        lines = [strip.text for strip in self.strips]
        return len(lines) == height and all(cell_len(line) == width for line in lines)


@asynccontextmanager
async def running(
    place: str,
    *,
    size: tuple[int, int] = (80, 24),
    **options: Any,
) -> AsyncIterator[Top]:
    """The application on the store, its list shown."""

    async def open_store() -> AsyncGoalStore:
        return await telic.connect_async(place, create=False, timeout_seconds=5)

    app = TopApp(open_store, **options)
    try:
        await app.live.open()
        async with app.run_test(size=size) as pilot:
            top = Top(app, pilot)
            await top.until(lambda _: isinstance(app.screen, GoalsScreen))
            await top.shows("page 1")
            yield top
    finally:
        await app.live.close()
