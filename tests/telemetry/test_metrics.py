"""The metrics: exact numbers, labels of which there are few, and a gauge whose cost does not grow with the goals."""

import asyncio
import contextlib
import random
import re
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import telic
from telic import Budget, GoalStatus, ModelUsage, UsageKind
from telic.observability.store_calls import StatusCounter
from telic.services.transfer.histories import export_lines, import_histories, read_lines
from telic.storage.connect import open_driver
from telic.storage.transaction import Driver, Mode, OpenOptions, Operation
from telic.testing import FakeClock
from tests.loop_driver.world import DONE_IS_THERE, ScriptedAgent, World, makes
from tests.telemetry.telescope import MARKER, Telescope

USED = ModelUsage(input_tokens=80, cached_input_tokens=70, output_tokens=20, cost_microunits=300)
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-")


async def test_turns_and_tokens_are_counted_once(store: Any, telescope: Telescope, clock: FakeClock) -> None:
    """By kind and model; a repeated call adds nothing."""
    goal = await store.create("x")
    for _ in range(3):
        await store.record_turn(goal.id, usage=USED, model="m", key="1")
        clock.advance(1)
    await store.record_turn(goal.id, usage=USED, model="m", key="2")
    await store.record_turn(goal.id, usage=USED, model="j", kind=UsageKind.JUDGE, key="3")
    await store.record_turn(goal.id, tokens=7, key="4")
    with pytest.raises(telic.errors.TurnConflict):
        await store.record_turn(goal.id, tokens=8, key="4")
    assert telescope.values("telic.turns") == {("m", "work"): 2, ("j", "judge"): 0, ("work",): 1}
    tokens = {key: value for key, value in telescope.values("telic.tokens").items() if value}
    assert tokens == {
        ("m", "input", "work"): 160,
        ("m", "output", "work"): 40,
        ("j", "input", "judge"): 80,
        ("j", "output", "judge"): 20,
    }
    assert telescope.values("telic.billed_tokens") == {("m", "work"): 200, ("j", "judge"): 100, ("work",): 7}
    assert telescope.values("telic.cost") == {("m", "work"): 600, ("j", "judge"): 300, ("work",): 0}


async def test_holds_and_lost_leases_are_counted(store: Any, telescope: Telescope, clock: FakeClock) -> None:
    goal = await store.create("x", token_budget=100)
    for key in ("a", "a", "b"):
        await store.hold(goal.id, tokens=40, key=key)
        clock.advance(1)
    with pytest.raises(telic.BudgetExceeded):
        await store.hold(goal.id, tokens=40, key="c")
    await store.record_turn(goal.id, tokens=1, hold="a", key="t")
    await store.release(goal.id, "b")
    await store.release(goal.id, "b")
    with pytest.raises(telic.errors.HoldLost):
        await store.release(goal.id, "a")
    assert telescope.values("telic.holds") == {
        ("open",): 2,
        ("refused",): 1,
        ("settled",): 1,
        ("released",): 1,
        ("lost",): 1,
    }
    lease = await store.claim(goal.id, worker="w")
    await store.claim(goal.id, worker="w")
    for call in (store.renew(lease), store.release_lease(lease)):
        with pytest.raises(telic.LeaseLost):
            await call
    assert telescope.values("telic.lease.losses") == {(): 1}


async def test_a_lease_that_its_worker_gave_up_is_lost_once(tmp_path: Path, telescope: Telescope) -> None:
    """The store is away for longer than the lease lasts: no call of it can tell."""
    from telic.loop.heartbeat import Heartbeat

    async with telic.connect_async(tmp_path / "goals.db", observer=telescope.observer) as store:
        goal = await store.create("x")
        lease = await store.claim(goal.id, worker="w", ttl_seconds=0.2)
        heart = Heartbeat(store, lease, interval_seconds=0.05, ttl_seconds=0.2)
        store.renew = _never  # type: ignore[method-assign]
        with pytest.raises(telic.LeaseLost):
            await heart.guard(asyncio.sleep(60), goal)
    assert telescope.values("telic.lease.losses") == {(): 1}


async def _never(*_: Any, **__: Any) -> Any:
    await asyncio.sleep(60)


async def test_names_of_models_are_bounded(tmp_path: Path, telescope: Telescope) -> None:
    """An agent that makes up names makes no endless labels."""
    with telic.connect(tmp_path / "goals.db", observer=telescope.observer) as store:
        goal = store.create("x")
        for number in range(150):
            store.record_turn(goal.id, tokens=1, model=f"model-{number}")
    billed = telescope.values("telic.billed_tokens")
    assert (len(billed), billed["_OTHER", "work"], sum(billed.values())) == (101, 50, 150)


async def test_no_label_is_without_end(world: World, telescope: Telescope) -> None:
    """Over every point of every metric: labels are known names with few values; no id, scope, key or text is one."""
    async with asyncio.timeout(60):
        for number in range(3):
            scope = f"{MARKER}-scope-{number}"
            goal = await world.store.create(
                f"{MARKER} text", scope=scope, criteria=[DONE_IS_THERE], key=f"{MARKER}-key"
            )
            await world.run(goal, ScriptedAgent([makes("done")]), worker=f"{MARKER}-worker")
            with pytest.raises(telic.InvalidTransition):
                await world.store.pause(goal.id, note=MARKER)
        cursor = await world.store.cursor()
        await world.store.create("x", scope=MARKER)
        async for _ in world.store.watch(after=cursor):
            break
    allowed = {
        "db.operation.name",
        "db.system.name",
        "error.type",
        "gen_ai.response.model",
        "gen_ai.token.type",
        "telic.goal.event",
        "telic.goal.reason",
        "telic.goal.status",
        "telic.hold.state",
        "telic.outcome",
        "telic.store.id",
        "telic.usage.kind",
    }
    points = list(telescope.points())
    assert {name for name, _, _ in points} == {
        "db.client.operation.duration",
        "telic.billed_tokens",
        "telic.cost",
        "telic.feed.lag",
        "telic.goal.changes",
        "telic.goals",
        "telic.holds",
        "telic.tokens",
        "telic.turns",
        "telic.verifications",
    }
    store_id = cursor.partition("/")[0]
    for name, labels, _ in points:
        assert set(labels) <= allowed, name
        for label, value in labels.items():
            assert MARKER not in str(value), (name, label)
            assert UUID.search(str(value)) is None, (name, label)
            assert label != "telic.store.id" or value == store_id


@pytest.mark.parametrize("skew_seconds", [-3600, 0, 5])
async def test_the_lag_of_a_feed_is_never_negative(skew_seconds: int, location: str, telescope: Telescope) -> None:
    """A writer whose clock is an hour ahead was not heard before it spoke."""
    now = int(time.time() * 1_000_000)
    theirs, ours = FakeClock(now), FakeClock(now + skew_seconds * 1_000_000)
    with telic.connect(location, clock=theirs) as writer:
        cursor = writer.cursor()
        writer.create("x")
        writer.create("y", scope="other")
        async with telic.connect_async(location, clock=ours, observer=telescope.observer) as reader:
            async for _ in reader.watch(after=cursor):
                break
    assert telescope.values("telic.feed.lag") == {(): pytest.approx(max(0, skew_seconds))}
    assert telescope.named("telic.watch") == []


def gauge(telescope: Telescope) -> dict[str, int]:
    return {status: goals for (status, _), goals in telescope.values("telic.goals").items()}


def counted(store: telic.GoalStore) -> dict[str, int]:
    """As a listing of every goal has it."""
    found: Counter[str] = Counter({status.value: 0 for status in GoalStatus})
    page, cursor = True, None
    while page:
        listed = store.list(limit=1000, cursor=cursor)
        found.update(goal.status.value for goal in listed.goals)
        cursor = listed.next_cursor
        page = cursor is not None
    return dict(found)


async def test_goals_are_counted_by_status_whoever_changes_them(location: str, telescope: Telescope) -> None:
    """After any moves by stores that nobody observes the gauge equals a listing, at every moment."""
    chance = random.Random(4711)
    clock = FakeClock()
    with telic.connect(location, clock=clock) as other:
        for number in range(10):
            other.create("before", scope=f"s{number}")
        async with telic.connect_async(location, observer=telescope.observer):
            for number in range(30):
                other.create("more", scope=f"r{number}")
                for _ in range(chance.randrange(8)):
                    _move(other, chance, clock)
                assert gauge(telescope) == counted(other)
        assert gauge(telescope) == {}
        assert _steps(other) >= {"created paused", "paused paused", "paused cleared"}
    assert len(telescope.spans) == 0


def _steps(store: telic.GoalStore) -> set[str]:
    """Which changes of status came after which."""
    last: dict[str, str] = {}
    found = set()
    for each in store.events():
        kind = each.event.kind.value
        if kind in ("created", "paused", "resumed", "completed", "cleared"):
            found.add(f"{last.get(each.event.goal_id)} {kind}")
            last[each.event.goal_id] = kind
    return found


def _move(store: telic.GoalStore, chance: random.Random, clock: FakeClock) -> None:
    clock.advance(1)
    goal = chance.choice([goal for goal in store.list(limit=1000).goals if not goal.is_finished])
    wake = {"wake_at": telic.types.Instant(clock.now() + chance.randrange(1, 4) * 1_000_000)}
    moves = [
        lambda: store.create("new", scope=goal.scope),
        lambda: store.pause(goal.id, **wake),
        lambda: store.pause(goal.id),
        lambda: store.resume(goal.id),
        lambda: store.complete(goal.id),
        lambda: store.clear(goal.id),
        lambda: store.edit(goal.id, text="other"),
        lambda: store.set_budget(goal.id, Budget(tokens=5)),
        lambda: store.record_turn(goal.id, tokens=5),
        lambda: store.claim_due(worker="w", limit=3),
    ]
    with contextlib.suppress(telic.GoalError):
        chance.choice(moves)()


class CountingDriver:
    """Passes on what it is given, and counts the rows that came."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self.rows = self.runs = 0

    def run(self, operation: Operation[Any], mode: Mode, key: str | None) -> Any:
        self.runs += 1
        return self._driver.run(lambda tx: operation(_CountingTransaction(tx, self)), mode, key)

    def close(self) -> None:
        self._driver.close()


class _CountingTransaction:
    def __init__(self, tx: Any, driver: CountingDriver) -> None:
        self._tx = tx
        self._driver = driver

    async def all(self, statement: str, parameters: Any) -> Any:
        rows = await self._tx.all(statement, parameters)
        self._driver.rows += len(rows)
        return rows

    async def one_or_none(self, statement: str, parameters: Any) -> Any:
        self._driver.rows += 1
        return await self._tx.one_or_none(statement, parameters)


def test_counting_costs_what_has_changed(location: str) -> None:
    """After the first time, however many goals there are; only where much has changed they are counted anew."""
    drivers: list[CountingDriver] = []

    def opening() -> Any:
        drivers.append(CountingDriver(open_driver(location, OpenOptions(create=False))))
        return drivers[-1]

    with telic.connect(location, durability=telic.Durability.NORMAL) as store:
        goals = [store.create("x", scope=f"s{number}") for number in range(600)]
        counter = StatusCounter(opening)
        assert counter.counts()[GoalStatus.ACTIVE] == 600
        (driver,) = drivers
        driver.rows = driver.runs = 0
        assert counter.counts()[GoalStatus.ACTIVE] == 600
        # A page without events has the feed's end alone; it is looked for once more to know that it is the last.
        assert driver.runs == 1
        assert driver.rows <= 2
        driver.rows = driver.runs = 0
        for goal in goals[:3]:
            store.pause(goal.id)
        assert counter.counts() == {
            GoalStatus.ACTIVE: 597,
            GoalStatus.PAUSED: 3,
            GoalStatus.COMPLETED: 0,
            GoalStatus.CLEARED: 0,
        }
        assert driver.runs == 1
        assert driver.rows <= 3 * 2 + 2
    counter.close()
    assert counter.counts() == {}


def test_much_change_is_counted_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More events than are worth reading: the numbers are right all the same."""
    monkeypatch.setattr("telic.observability.store_calls._MOST_PAGES", 1)
    with telic.connect(tmp_path / "goals.db", durability=telic.Durability.NORMAL) as store:
        counter = StatusCounter(lambda: open_driver(tmp_path / "goals.db", OpenOptions(create=False)))
        assert counter.counts()[GoalStatus.ACTIVE] == 0
        for number in range(1_100):
            store.create("x", scope=f"s{number % 10}")
        for _ in range(2):
            assert counter.counts()[GoalStatus.ACTIVE] == 10
            assert counter.counts()[GoalStatus.PAUSED] == 1_090
    counter.close()


def test_imported_goals_are_counted(tmp_path: Path, telescope: Telescope) -> None:
    with (
        telic.connect(tmp_path / "from.db") as source,
        telic.connect(tmp_path / "to.db") as target,
        telic.connect(tmp_path / "to.db", observer=telescope.observer),
    ):
        assert gauge(telescope)["cleared"] == 0
        goal = source.create("x")
        source.pause(goal.id)
        source.clear(goal.id)
        import_histories(target, read_lines(export_lines(source)))
        assert gauge(telescope) == counted(target) == {"active": 0, "paused": 0, "completed": 0, "cleared": 1}


def test_two_stores_on_one_database_are_counted_once(tmp_path: Path, telescope: Telescope) -> None:
    with (
        telic.connect(tmp_path / "goals.db", observer=telescope.observer) as store,
        telic.connect(tmp_path / "goals.db", observer=telescope.observer),
        telic.connect(":memory:", observer=telescope.observer) as memory,
    ):
        store.create("x")
        memory.create("y")
        assert gauge(telescope) == {"active": 1, "paused": 0, "completed": 0, "cleared": 0}


def test_a_database_that_does_not_answer_hides_no_other(tmp_path: Path, telescope: Telescope) -> None:
    with (
        telic.connect(tmp_path / "a.db", observer=telescope.observer) as store,
        telic.connect(tmp_path / "b.db", observer=telescope.observer),
    ):
        store.create("x")
        (tmp_path / "b.db").unlink()
        assert gauge(telescope) == {"active": 1, "paused": 0, "completed": 0, "cleared": 0}


def test_the_gauge_can_be_left_out(tmp_path: Path) -> None:
    telescope = Telescope(counts_goals=False)
    with telic.connect(tmp_path / "goals.db", observer=telescope.observer) as store:
        store.create("x")
        assert telescope.values("telic.goals") == {}
        assert telescope.values("telic.goal.changes") == {("created",): 1}
