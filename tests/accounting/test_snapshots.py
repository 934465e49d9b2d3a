"""What a host sees and is told: live counters, nothing stale, thresholds once, changes by others in time."""

import asyncio
import itertools
from pathlib import Path
from typing import Any

import pytest

import telic
from tests.accounting.support import accounting_for, until
from tests.crash.support import Crew, opened

"""The promise is 100 ms; a laden machine gets more."""


class Told:
    """What the callbacks were given."""

    def __init__(self) -> None:
        self.thresholds: list[tuple[str, float]] = []
        self.exhausted: list[telic.GoalSnapshot] = []
        self.changes: list[tuple[telic.GoalSnapshot | None, telic.GoalSnapshot]] = []

    @property
    def options(self) -> dict[str, Any]:
        return {
            "on_threshold": lambda snapshot, fraction: self.thresholds.append((snapshot.id, fraction)),
            "on_exhausted": self.exhausted.append,
            "on_change": lambda before, after: self.changes.append((before, after)),
        }

    @property
    def statuses(self) -> list[tuple[str, str]]:
        return [(before.status.value if before else "", after.status.value) for before, after in self.changes]


async def test_counters_are_live_and_never_wrong(location: str, colour: str, folder: Path) -> None:
    """Whatever is stored and whatever waits at a moment, the sum is what was accepted."""
    async with accounting_for(location, colour, folder) as (store, accounting):
        await store.create("live", token_budget=10_000)
        await accounting.snapshot()
        for number in range(1, 101):
            accounting.on_turn_complete(telic.TurnUsage(tokens=3, cost_microunits=2))
            snapshot = await accounting.snapshot()
            assert (snapshot.usage.turns, snapshot.usage.tokens, snapshot.usage.cost_microunits) == (
                number,
                3 * number,
                2 * number,
            )
            assert snapshot.left == {"tokens": 10_000 - 3 * number}
            await asyncio.sleep(0.001 * (number % 3))
        assert await accounting.flush()
        settled = await accounting.snapshot()
        assert (settled.pending, settled.usage.tokens, settled.fractions) == (0, 300, {"tokens": 0.03})


async def test_a_snapshot_is_json_ready(tmp_path: Path, colour: str, folder: Path) -> None:
    """Its dictionary is what JSON has names for."""
    import json

    async with accounting_for(str(tmp_path / "g.db"), colour, folder) as (store, accounting):
        goal = await store.create("json", budget=telic.Budget(tokens=10, turns=4))
        await accounting.snapshot()
        accounting.on_turn_complete(5)
        found = (await accounting.snapshot()).as_dict()
        assert json.loads(json.dumps(found)) == found
        assert (found["id"], found["left"], found["fractions"]) == (
            goal.id,
            {"tokens": 5, "turns": 3},
            {"tokens": 0.5, "turns": 0.25},
        )


def _change_from_outside(location: str, goal_id: str, what: str) -> None:
    with telic.connect(location) as store:
        match what:
            case "pause":
                store.pause(goal_id)
            case "clear":
                store.clear(goal_id)
            case "edit":
                store.edit(goal_id, text="another text")
            case "budget":
                store.set_budget(goal_id, telic.Budget(tokens=77))
            case "replace":
                store.create("another goal")
            case "complete":
                store.complete(goal_id)


@pytest.mark.parametrize("what", ["pause", "clear", "edit", "budget", "replace", "complete"])
async def test_changes_by_other_processes_are_told_unasked(
    location: str, colour: str, folder: Path, crew: Crew, what: str
) -> None:
    """Nobody calls `snapshot`; soon after another process's commit the callback has before and after."""
    with telic.connect(location) as store:
        goal = store.create("watched", token_budget=1000)
    told = Told()
    async with accounting_for(location, colour, folder, **told.options) as (_, accounting):
        worker = crew.start(_change_from_outside, location, goal.id, what)
        await asyncio.to_thread(worker.result)
        await until(lambda: bool(told.changes))
        ((before, after),) = told.changes
        assert before is not None
        assert (before.id, before.revision) == (goal.id, goal.revision)
        with telic.connect(location) as store:
            now = store.active() or store.get(goal.id)
        assert (after.id, after.revision, after.status, after.text) == (now.id, now.revision, now.status, now.text)
        assert after == await accounting.snapshot()


async def test_a_snapshot_is_never_older_than_a_change_that_was_acknowledged(
    location: str, colour: str, folder: Path
) -> None:
    """On SQLite at once; on PostgreSQL as soon as the notification is there, at most after the bound."""
    async with accounting_for(location, colour, folder) as (_, accounting), opened(location, "blocking") as other:
        goal = await other.create("follow")
        for number in range(50):
            text = f"text {number}"
            changed = await other.edit(goal.id, text=text)
            snapshot = await accounting.maybe_snapshot()
            if location.startswith("postgres"):
                for _ in range(500):
                    if snapshot is not None and snapshot.revision == changed.revision:
                        break
                    await asyncio.sleep(0.002)
                    snapshot = await accounting.maybe_snapshot()
            assert snapshot is not None
            assert (snapshot.text, snapshot.revision) == (text, changed.revision)


async def test_thresholds_are_told_once_for_each_budget(location: str, colour: str, folder: Path) -> None:
    """50, 80, 95 % and exhaustion, in order; a raised budget has its own; a restart tells nothing again."""
    told = Told()
    async with accounting_for(location, colour, folder, **told.options) as (store, accounting):
        goal = await store.create("thresholds", token_budget=100)
        await accounting.snapshot()
        for tokens, expected in ((49, []), (1, [0.5]), (29, []), (1, [0.8]), (15, [0.95]), (4, [])):
            told.thresholds.clear()
            accounting.on_turn_complete(tokens)
            assert await accounting.flush()
            await accounting.snapshot()
            await asyncio.sleep(0.05)
            assert [fraction for _, fraction in told.thresholds] == expected
        assert told.exhausted == []
        accounting.on_turn_complete(1)
        assert await accounting.flush()
        await until(lambda: bool(told.exhausted))
        assert told.exhausted[0].is_exhausted
        assert (await accounting.snapshot()).reason is telic.Reason.BUDGET
        told.thresholds.clear()
        told.changes.clear()
        await store.resume(goal.id, budget=telic.Budget(tokens=200))
        await until(lambda: bool(told.changes))
        await until(lambda: [fraction for _, fraction in told.thresholds] == [0.5])
        assert told.statuses == [("paused", "active")]
    again = Told()
    async with accounting_for(location, colour, folder, **again.options) as (_, accounting):
        await accounting.snapshot()
        accounting.on_turn_complete(1)
        assert await accounting.flush()
        await asyncio.sleep(0.05)
        assert (again.thresholds, again.exhausted, again.changes) == ([], [], [])
    assert len(told.exhausted) == 1


async def test_every_limit_has_its_thresholds(tmp_path: Path, colour: str, folder: Path) -> None:
    """Turns, time and money as well as tokens."""
    told = Told()
    budget = telic.Budget(turns=2, active_microseconds=100, cost_microunits=10)
    async with accounting_for(str(tmp_path / "g.db"), colour, folder, **told.options) as (store, accounting):
        await store.create("limits", budget=budget)
        await accounting.snapshot()
        accounting.on_turn_complete(telic.ModelUsage(active_microseconds=81, cost_microunits=5))
        await until(lambda: len(told.thresholds) == 4)
        assert sorted(fraction for _, fraction in told.thresholds) == [0.5, 0.5, 0.5, 0.8]


async def test_a_callback_that_raises_harms_nothing(tmp_path: Path, colour: str, folder: Path) -> None:
    """Turns go on, and so do callbacks."""
    calls = itertools.count(1)
    last = [0]

    def fail(*_: Any) -> None:
        last[0] = next(calls)
        raise RuntimeError("the host's own fault")

    options = dict.fromkeys(("on_threshold", "on_exhausted", "on_change", "on_failure"), fail)
    async with accounting_for(str(tmp_path / "g.db"), colour, folder, **options) as (store, accounting):
        goal = await store.create("callbacks", token_budget=10)
        await accounting.snapshot()
        accounting.on_turn_complete(-1)
        accounting.on_turn_complete(10)
        accounting.on_turn_complete(1)
        assert await accounting.flush()
        await until(lambda: last[0] >= 6)
        assert (await store.get(goal.id)).tokens_used == 11


async def test_coroutines_may_be_callbacks(tmp_path: Path, folder: Path) -> None:
    """The async accounting awaits them; they may use the accounting itself."""
    seen: list[Any] = []

    async def cancel_turn(before: telic.GoalSnapshot | None, after: telic.GoalSnapshot) -> None:
        await asyncio.sleep(0)
        seen.append((after.status, await face.snapshot()))

    path = str(tmp_path / "g.db")
    async with accounting_for(path, "async", folder, on_change=cancel_turn) as (store, face):
        goal = await store.create("await me")
        await until(lambda: len(seen) == 1)
        await store.pause(goal.id)
        await until(lambda: len(seen) == 2)
        assert seen[1][0] is telic.GoalStatus.PAUSED


async def test_a_closed_store_leaves_a_stale_snapshot(tmp_path: Path, colour: str, folder: Path) -> None:
    """Without a store to ask, the last one known is given, and marked; turns wait in the journal."""
    path = str(tmp_path / "g.db")
    async with accounting_for(path, colour, folder) as (store, accounting):
        goal = await store.create("stale")
        assert not (await accounting.snapshot()).is_stale
        await store.close()
        assert accounting.on_turn_complete(5, key="late") == "late"
        snapshot = await accounting.snapshot()
        assert (snapshot.id, snapshot.is_stale, snapshot.usage.tokens) == (goal.id, True, 5)
        assert not await accounting.close()
    async with accounting_for(path, colour, folder) as (store, accounting):
        await until(lambda: True)
        for _ in range(500):
            if (await store.get(goal.id)).tokens_used:
                break
            await asyncio.sleep(0.01)
        assert [turn.key for turn in await store.turns(goal.id)] == ["late"]
