"""One goal's page: everything that is known of it, live."""

from pathlib import Path

import pytest

import telic
from telic.domain.verdict import Outcome, Verdict
from telic.domain.verification import Verification
from telic.domain.views import budget_uses, tightest
from telic.services.insight import GoalReader, usage_series
from telic.storage.operations.views import EVENTS_SHOWN
from telic.testing import FakeClock
from tests.interfaces.shell import Shell
from tests.interfaces.top.screen import running

CRITERIA = [telic.Criterion.command(["pytest", "-q"]), telic.Criterion.approval("Ship it?")]


def checked(goal: telic.Goal) -> Verification:
    hashes = tuple(criterion.content_hash for criterion in goal.criteria)
    verdict = Verdict(
        index=0,
        criterion_hash=hashes[0],
        revision=goal.revision,
        outcome=Outcome.FAILED,
        exit_code=1,
        detail="exit code 1",
        output_tail="1 failed in tests/test_bill.py",
    )
    return Verification(revision=goal.revision, criterion_hashes=hashes, verdicts=(verdict,))


async def test_it_has_all_there_is_to_know(location: str) -> None:
    """Text, budgets, usage over time, criteria with evidence, lease, holds and history; on both databases."""
    clock = FakeClock()
    with telic.connect(location, clock=clock) as store:
        budget = telic.Budget(tokens=1_000, turns=40, cost_microunits=5_000_000)
        goal = store.create("Move billing\nto the new API", scope="billing", budget=budget, criteria=CRITERIA)
        for turn in range(10):
            clock.advance(60)
            store.record_turn(goal.id, usage=telic.TurnUsage(tokens=10 * turn, cost_microunits=10_000))
        store.verify(goal.id, checked(goal))
        store.approve(goal.id, 1, decided_by="ada", note="not on a Friday", is_approved=False)
        store.claim(goal.id, worker="host/worker")
        store.hold(goal.id, tokens=80)
    async with running(location, clock=clock, size=(100, 50)) as top:
        await top.shows("Move billing")
        await top.press("enter")
        await top.shows("lease and holds")
        for expected in (
            "▶ active, revision 1",
            "scope billing · 10m old",
            "Move billing",
            "to the new API",
            "tokens       █████████░░░░░░░░░░░   45%  450 of 1,000",
            "turns        █████░░░░░░░░░░░░░░░   25%  10 of 40",
            "cost         ░░░░░░░░░░░░░░░░░░░░    2%  $0.10 of $5.00",
            "peak 90",
            "criteria: 0 of 2 passed, 1 failed, 1 rejected",
            "1. failed      command: pytest -q",
            "| 1 failed in tests/test_bill.py",
            "2. rejected    approval: Ship it?",
            "by ada: not on a Friday",
            "driven by host/worker for another",
            "1 open hold: 80 tokens",
            "rejected   by user",
            "criterion 1: failed",
            "created    by user",
        ):
            assert expected in top.text
        assert top.is_tidy()
        await top.press("escape")
        await top.shows("every scope")


async def test_it_is_live(tmp_path: Path) -> None:
    """What another process changes and accounts appears by itself."""
    other = Shell(str(tmp_path / "goals.db"))
    goal = other.json("create", "move billing", "--budget", "1000")
    async with running(other.store) as top:
        await top.shows("move billing")
        await top.press("enter")
        await top.shows("revision 1", "nobody drives it")
        other("record", goal["id"], "--tokens", "700")
        await top.shows("70%  700 of 1,000")
        other("pause", goal["id"], "--note", "tea")
        await top.shows("‖ paused (user), revision 2", "note: tea", "paused     by user")


async def test_a_long_history_is_read_from_its_end(tmp_path: Path) -> None:
    """Only the end of the history is read, and nothing of it again where nothing happened."""
    async with telic.connect_async(tmp_path / "goals.db", durability=telic.Durability.NORMAL) as store:
        goal = await store.create("long")
        for _ in range(EVENTS_SHOWN):
            goal = await store.resume((await store.pause(goal.id)).id)
        reader = GoalReader(goal.id)
        first = await reader.read(store)
        assert [event.number for event in first.events] == list(range(2 * EVENTS_SHOWN + 1, EVENTS_SHOWN + 1, -1))
        assert (await reader.read(store)).overview is first.overview
        await store.pause(goal.id)
        await store.record_turn(goal.id, tokens=1)
        second = await reader.read(store)
        assert [event.number for event in second.events] == [event.number + 1 for event in first.events]
        assert [point.tokens for point in second.overview.usage] == [1]


@pytest.mark.parametrize("columns", [1, 3, 10, 1_000])
def test_a_series_has_every_token(columns: int) -> None:
    """In whatever number of parts, they add up, and none is left out at either end."""
    clock = FakeClock()
    with telic.connect(":memory:", clock=clock) as store:
        goal = store.create("count")
        for number in range(100):
            clock.advance(number % 7)
            store.record_turn(goal.id, tokens=number)
        points = store.overview(goal.id).usage
    series = usage_series(points, columns)
    assert series is not None
    assert sum(series.tokens) == sum(range(100))
    assert len(series.tokens) <= columns
    assert usage_series([], columns) is None


def test_the_tightest_budget() -> None:
    """The limit nearest to its end; none where nothing is limited."""
    with telic.connect(":memory:") as store:
        free = store.create("free")
        assert tightest(free) is None
        assert [use.name for use in budget_uses(free)] == ["tokens", "turns"]
        goal = store.create("bound", budget=telic.Budget(tokens=100, turns=2))
        goal = store.record_turn(goal.id, tokens=10).goal
    found = tightest(goal)
    assert found is not None
    assert (found.name, found.fraction) == ("turns", 0.5)
