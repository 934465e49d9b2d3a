"""A disk that fails to sync at commit: the outcome is unknown, and the same call with the same key settles it."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

import telic
from tests.crash.support import COLOURS, Crew, StartingLine, checked_history, new_goal, open_store
from tests.crash.system_calls import require_strace, traced

CALLS = 5


async def _record_while_syncs_fail(
    path: str, colour: str, goal_id: str, line: StartingLine, retries_at_once: bool
) -> list[str | None]:
    """The keys that the errors carried. The process ends without closing the store, as in a crash."""
    calls = CALLS if colour == "async" else 1
    store = await open_store(path, colour)
    await store.record_turn(goal_id, tokens=1, key="before")

    async def record(number: int) -> str | None:
        try:
            await store.record_turn(goal_id, tokens=10, key=f"call-{number}")
        except telic.OutcomeUnknown as error:
            return error.key
        return "acknowledged"

    line.wait()
    keys = await asyncio.gather(*(record(number) for number in range(calls)))
    if retries_at_once:
        for number in range(calls):
            await store.record_turn(goal_id, tokens=10, key=f"call-{number}")
    return keys


def _run(*arguments: Any) -> Any:
    return asyncio.run(_record_while_syncs_fail(*arguments))


def _keys_of_unknown_outcomes(
    crew: Crew, path: str, colour: str, goal_id: str, when: str, retries_at_once: bool
) -> list[str | None]:
    line = StartingLine()
    worker = crew.start(_run, path, colour, goal_id, line, retries_at_once)
    line.wait_until_ready(1)
    fault = f"inject=fdatasync:error=EIO:when={when}"
    with traced(worker, "-o", os.devnull, "-e", "trace=fdatasync", "-e", fault):
        line.start()
        keys: list[str | None] = worker.result()
    return keys


@pytest.mark.parametrize("colour", COLOURS)
def test_failed_syncs_leave_an_unknown_outcome(colour: str, tmp_path: Path, crew: Crew) -> None:
    """Each call whose commit could not be synced raises OutcomeUnknown with its own key.

    After a crash at that very moment, the same calls with the same keys make the ledger exact.
    """
    require_strace()
    path = str(tmp_path / "goals.db")
    goal_id = new_goal(path)
    keys = _keys_of_unknown_outcomes(crew, path, colour, goal_id, "1+", retries_at_once=False)
    assert keys == [f"call-{number}" for number in range(CALLS if colour == "async" else 1)]
    history = checked_history(path, goal_id)
    present = {turn.key for turn in history.turns}
    assert {"before"} <= present <= {"before", *(key or "" for key in keys)}
    with telic.connect(path) as store:
        for key in keys:
            store.record_turn(goal_id, tokens=10, key=key)
    _require_each_once(path, goal_id, keys)


@pytest.mark.parametrize("colour", COLOURS)
def test_a_store_goes_on_after_a_failed_sync(colour: str, tmp_path: Path, crew: Crew) -> None:
    """After one failed sync the same store object settles the calls, repeated with their keys."""
    require_strace()
    path = str(tmp_path / "goals.db")
    goal_id = new_goal(path)
    keys = _keys_of_unknown_outcomes(crew, path, colour, goal_id, "1", retries_at_once=True)
    assert "call-0" in keys
    numbered = [f"call-{number}" for number in range(len(keys))]
    assert all(key in (name, "acknowledged") for key, name in zip(keys, numbered, strict=True))
    _require_each_once(path, goal_id, list(numbered))


def _require_each_once(path: str, goal_id: str, keys: list[str | None]) -> None:
    history = checked_history(path, goal_id)
    assert sorted(turn.key for turn in history.turns) == sorted(["before", *(key or "" for key in keys)])
    assert history.goal.tokens_used == 1 + 10 * len(keys)
