"""What a test's parent and its forked children do."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

TURNS_EACH = 50
CHILD_SECONDS = 20
"""How long a child may take that has inherited no locks; one that has may wait for ever."""


async def record(store: Any, goal_id: str, name: str, turns: int = TURNS_EACH) -> None:
    for number in range(turns):
        await store.record_turn(goal_id, tokens=3, key=f"{name}-{number}")


def in_a_new_loop(body: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
    async def run() -> Any:
        return await body(*arguments)

    return asyncio.run(run())


def keys(names: list[str]) -> set[str]:
    return {f"{name}-{number}" for name in names for number in range(TURNS_EACH)}
