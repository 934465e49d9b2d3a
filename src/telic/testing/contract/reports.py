"""Reports of usage, compared with a plain sum over the turns."""

import random
from collections.abc import Iterable
from typing import Any

import pytest

from telic import Goal, GoalNotFound, InvalidInput, Turn, TurnUsage, UsageKind
from telic.errors import InvalidNumber, InvalidText
from telic.testing.contract import SHORT_SECONDS, expire, refuses
from telic.types import Reserved, UsageGrouping, to_datetime

LARGEST = 2**53 - 1
HOUR_SECONDS = 3600


def name_of(by: UsageGrouping, goal: Goal, turn: Turn) -> str | None:
    """Return the group to which the turn belongs."""
    names = {
        UsageGrouping.GOAL: goal.id,
        UsageGrouping.SCOPE: goal.scope,
        UsageGrouping.KIND: turn.kind.value,
        UsageGrouping.MODEL: turn.model,
        UsageGrouping.DAY: to_datetime(turn.at).strftime("%Y-%m-%d"),
    }
    return names[by]


async def fill(store: Any, clock: Any) -> list[tuple[Goal, Turn]]:
    """Return all turns, with their goals, of some goals in three scopes: turns of every kind over some days."""
    chance = random.Random(7)
    goals = [await store.create(f"goal {number}", scope=f"scope {number % 3}") for number in range(7)]
    await store.create("a goal without turns", scope="scope 3")
    for number in range(60):
        usage = TurnUsage(**{name: chance.randrange(1000) for name in TurnUsage().as_dict()})
        model = chance.choice([None, "large", "small"])
        kind = chance.choice(list(UsageKind))
        await store.record_turn(chance.choice(goals).id, usage=usage, kind=kind, model=model, key=f"k{number}")
        clock.advance(HOUR_SECONDS * chance.randrange(4))
    return [(goal, turn) for goal in goals for turn in await store.turns(goal.id)]


def added_up(turns: Iterable[Turn]) -> dict[str, int]:
    """Return the counters of the turns, added up in Python."""
    lines = list(turns)
    sums = {name: sum(turn.usage.as_dict()[name] for turn in lines) for name in TurnUsage().as_dict()}
    return {"lines": len(lines), "turns": sum(turn.kind is UsageKind.WORK for turn in lines)} | sums


def as_sums(report: Any) -> dict[str | None, dict[str, int]]:
    """Return the report's groups as `added_up` has them."""
    return {group.name: {"lines": group.sum.lines} | group.sum.usage.as_dict() for group in report.groups}


def expected(by: UsageGrouping, ledger: list[tuple[Goal, Turn]]) -> dict[str | None, dict[str, int]]:
    """Return what a report by this must say of the ledger."""
    names = {name_of(by, goal, turn) for goal, turn in ledger}
    return {name: added_up(turn for goal, turn in ledger if name_of(by, goal, turn) == name) for name in names}


@pytest.mark.parametrize("by", UsageGrouping)
async def test_a_report_is_the_sum_of_the_turns(store: Any, clock: Any, by: UsageGrouping) -> None:
    """Each counter of each group, and the total, is what adding up the turns by hand gives."""
    ledger = await fill(store, clock)
    report = await store.usage(by=by)
    assert as_sums(report) == expected(by, ledger)
    assert (report.by, report.left_out) == (by, 0)
    assert {"lines": report.total.lines} | report.total.usage.as_dict() == added_up(turn for _, turn in ledger)


@pytest.mark.parametrize("by", UsageGrouping)
async def test_a_report_of_a_part(store: Any, clock: Any, by: UsageGrouping) -> None:
    """A scope, a goal and a span of time leave out exactly the rest; the span has its begin and not its end."""
    ledger = await fill(store, clock)
    goal = ledger[0][0]
    moments = sorted(turn.at for _, turn in ledger)
    since, until = moments[15], moments[45]
    in_span = [(one, turn) for one, turn in ledger if since <= turn.at < until]
    assert as_sums(await store.usage(by=by, since=since, until=until)) == expected(by, in_span)
    in_scope = [(one, turn) for one, turn in ledger if one.scope == "scope 1"]
    assert as_sums(await store.usage(by=by, scope="scope 1")) == expected(by, in_scope)
    late_of_goal = [(one, turn) for one, turn in ledger if one.id == goal.id and turn.at >= since]
    assert as_sums(await store.usage(by=by, goal_id=goal.id, since=since)) == expected(by, late_of_goal)
    assert (await store.usage(by=by, scope="nobody's")).groups == ()
    assert (await store.usage(by=by, since=moments[-1] + 1)).total.lines == 0


async def test_sums_beyond_a_counters_limit_are_exact(store: Any) -> None:
    """No goal may use more than 2**53 - 1, but goals together may: nothing is rounded."""
    usage = TurnUsage(**dict.fromkeys(TurnUsage().as_dict(), LARGEST))
    for number in range(3):
        goal = await store.create(f"goal {number}", scope=f"scope {number}")
        await store.record_turn(goal.id, usage=usage, model="large")
        await store.hold(goal.id, tokens=LARGEST, cost_microunits=LARGEST)
        await store.hold(goal.id, tokens=LARGEST)
    for by in UsageGrouping:
        total = (await store.usage(by=by)).total
        assert total.usage.as_dict() == {"turns": 3} | dict.fromkeys(TurnUsage().as_dict(), 3 * LARGEST)
    assert (await store.usage()).total.held == Reserved(6, 6 * LARGEST, 0, 3 * LARGEST)


async def test_the_largest_groups_are_named(store: Any, clock: Any) -> None:
    """Those with the most tokens, largest first; of days the latest, in their order; the total has all."""
    ledger = await fill(store, clock)
    whole = await store.usage(by=UsageGrouping.GOAL)
    tokens = [group.sum.usage.tokens for group in whole.groups]
    assert tokens == sorted(tokens, reverse=True)
    part = await store.usage(by=UsageGrouping.GOAL, limit=2)
    assert part.groups == whole.groups[:2]
    assert (part.left_out, part.total) == (len(whole.groups) - 2, whole.total)
    days = await store.usage(by=UsageGrouping.DAY, limit=2)
    assert [group.name for group in days.groups] == sorted(expected(UsageGrouping.DAY, ledger), key=str)[-2:]


async def test_a_report_by_goal_tells_what_is_held_and_uncertain(store: Any, clock: Any) -> None:
    """Open holds and expired ones, apart; settled and released ones in neither; also of a goal without turns."""
    goal = await store.create("holding", scope="a")
    other = await store.create("bystander", scope="b")
    for key in ("settled", "released"):
        await store.hold(goal.id, tokens=1, key=key)
    await store.record_turn(other.id, tokens=9)
    await store.hold(
        goal.id, tokens=100, cost_microunits=5, ttl_seconds=SHORT_SECONDS, frees_on_expiry=True, key="lost"
    )
    await store.hold(
        goal.id, tokens=1000, active_microseconds=7, ttl_seconds=SHORT_SECONDS, frees_on_expiry=True, key="lost too"
    )
    await expire()
    await store.hold(goal.id, tokens=20, key="open")
    assert [group.name for group in (await store.usage()).groups] == [other.id, goal.id]
    await store.record_turn(goal.id, tokens=1, hold="settled")
    await store.release(goal.id, "released")
    (group,) = (await store.usage(scope="a")).groups
    assert group.sum.held == Reserved(1, 20, 0, 0)
    assert group.sum.uncertain == Reserved(2, 1100, 7, 5)
    assert (await store.usage(goal_id=goal.id)).total == group.sum
    assert (await store.usage(since=clock.now() + 1)).total.uncertain == Reserved()


async def test_a_report_is_refused_for_what_makes_no_sense(store: Any) -> None:
    """Typed errors for each."""
    goal = await store.create("x")
    for attempt, kind in (
        ({"by": "colour"}, InvalidInput),
        ({"goal_id": goal.id, "scope": "default"}, InvalidInput),
        ({"scope": "\0"}, InvalidText),
        ({"since": -1}, InvalidNumber),
        ({"until": 1.5}, InvalidNumber),
        ({"limit": 0}, InvalidNumber),
        ({"limit": 100_001}, InvalidNumber),
        ({"goal_id": "0" * 36}, GoalNotFound),
    ):
        await refuses(kind, store.usage(**attempt))
