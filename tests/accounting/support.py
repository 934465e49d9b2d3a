"""One face for both colours of accounting, and the checks that tests of faults end with."""

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import telic
from tests.crash.support import opened


class Face:
    """An accounting of either colour, awaited."""

    def __init__(self, accounting: Any) -> None:
        self.accounting = accounting
        self.on_turn_complete = accounting.on_turn_complete

    async def snapshot(self) -> telic.GoalSnapshot:
        found = await self._done(self.accounting.snapshot())
        assert found is not None
        return found

    async def maybe_snapshot(self) -> telic.GoalSnapshot | None:
        return await self._done(self.accounting.snapshot())

    async def flush(self, timeout_seconds: float = 240.0) -> bool:
        return await self._done(self.accounting.flush(timeout_seconds))

    async def close(self, timeout_seconds: float = 240.0) -> bool:
        return await self._done(self.accounting.close(timeout_seconds))

    @staticmethod
    async def _done(result: Any) -> Any:
        return await result if inspect.isawaitable(result) else result


async def begin(store: Any, colour: str, folder: Path, **options: Any) -> Face:
    """An accounting of the store, which is one of `opened`."""
    if colour == "async":
        return Face(await telic.AsyncGoalAccounting(store, journal_folder=folder, **options))
    return Face(telic.GoalAccounting(store._store, journal_folder=folder, **options))


@asynccontextmanager
async def accounting_for(
    location: str, colour: str, folder: Path, *, timeout_seconds: float = 60.0, **options: Any
) -> AsyncIterator[tuple[Any, Face]]:
    """A store and its accounting, both closed at the end."""
    async with opened(location, colour, timeout_seconds=timeout_seconds) as store:
        face = await begin(store, colour, folder, **options)
        try:
            yield store, face
        finally:
            await face.close()


async def until(condition: Callable[[], bool], timeout_seconds: float = 240.0) -> None:
    """Return as soon as the condition holds."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < timeout_seconds, "it did not happen in time"
        await asyncio.sleep(0.002)


async def ledger_keys(store: Any, goal_id: str) -> list[str]:
    """The keys of all lines, in the ledger's order."""
    found: list[str] = []
    while page := await store.turns(goal_id, after=len(found)):
        found += [turn.key for turn in page]
    return found


def files(folder: Path, suffix: str) -> list[Path]:
    """What lies in the folders of all stores."""
    return sorted(folder.glob(f"*/*{suffix}"))
