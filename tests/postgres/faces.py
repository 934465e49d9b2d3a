"""One face for both PostgreSQL stores, and the check that every test of a fault ends with."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any

import telic
from telic.domain.history import replay

OpenStore = Callable[..., AbstractAsyncContextManager[Any]]
RETRYABLE = (telic.errors.StoreUnavailable, telic.OutcomeUnknown, telic.errors.StoreBusy)


class Threaded:
    """A blocking store whose calls are awaited and each run in a thread of their own, so that they overlap."""

    def __init__(self, store: telic.GoalStore, threads: ThreadPoolExecutor) -> None:
        self.store = store
        self._threads = threads

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self.store, name)

        async def call(*arguments: Any, **named: Any) -> Any:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, partial(method, *arguments, **named))

        return call


@asynccontextmanager
async def open_threaded(url: str, **options: Any) -> AsyncIterator[Threaded]:
    with ThreadPoolExecutor(40) as threads:
        opened = await asyncio.to_thread(partial(telic.connect, url, **options))
        try:
            yield Threaded(opened, threads)
        finally:
            await asyncio.to_thread(opened.close)


OPENERS: Mapping[str, OpenStore] = {"blocking": open_threaded, "async": telic.connect_async}


async def retried(call: Callable[[], Any], for_seconds: float = 240.0) -> tuple[Any, list[telic.GoalError]]:
    """What the call gave in the end, and the retryable errors before; any other error is raised."""
    deadline = asyncio.get_running_loop().time() + for_seconds
    errors: list[telic.GoalError] = []
    while True:
        try:
            return await call(), errors
        except RETRYABLE as error:
            errors.append(error)
            if asyncio.get_running_loop().time() > deadline:
                raise
            await asyncio.sleep(0.005)


async def ledger_of(store: Any, goal_id: str) -> dict[str, int]:
    """Each turn's tokens by its key, after the goal was found to be the sum of its history."""
    turns: list[telic.Turn] = []
    while page := await store.turns(goal_id, after=len(turns)):
        turns += page
    goal = await store.get(goal_id)
    assert replay(goal_id, await store.events(goal_id), turns).goal == goal
    ledger = {turn.key: turn.usage.tokens for turn in turns}
    assert (goal.turns_used, goal.tokens_used) == (len(turns), sum(ledger.values()))
    assert len(ledger) == len(turns)
    return ledger
