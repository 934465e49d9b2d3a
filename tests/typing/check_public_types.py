"""Never executed: both type checkers must accept this, and find these types."""

from collections.abc import Sequence
from typing import assert_type

import telic


def blocking() -> None:
    with telic.connect("goals.db") as store:
        assert_type(store, telic.GoalStore)
        goal = store.create("text", token_budget=2_000_000, criteria=[telic.Criterion.judge("done?")])
        assert_type(goal, telic.Goal)
        assert_type(goal.reason, telic.Reason | None)
        assert_type(store.active(), telic.Goal | None)
        assert_type(store.record_turn(goal.id, tokens=1).goal, telic.Goal)
        assert_type(store.list(status=telic.GoalStatus.ACTIVE), telic.GoalPage)
        assert_type(store.events(goal.id), Sequence[telic.Event])
        assert_type(store.turns(goal.id), Sequence[telic.Turn])
        assert_type(store.usage(by=telic.types.UsageGrouping.DAY).groups, tuple[telic.types.UsageGroup, ...])
        try:
            store.pause(goal.id, expected_revision=1)
        except telic.StaleUpdate as error:
            assert_type(error.goal, telic.Goal)


async def waiting() -> None:
    async with telic.connect_async("postgresql://localhost/goals") as store:
        assert_type(store, telic.AsyncGoalStore)
        assert_type(await store.active("scope"), telic.Goal | None)
        result = await store.record_turn("id", usage=telic.TurnUsage(tokens=1))
        assert_type(result, telic.TurnResult)
    opened = await telic.connect_async("goals.db")
    assert_type(opened, telic.AsyncGoalStore)
    await opened.close()


def observed() -> None:
    with telic.connect("goals.db", observer=telic.observe.OpenTelemetry(records_text=True)) as store:
        assert_type(store, telic.GoalStore)
        assert_type(store.observer, telic.observe.Observer)
    telic.connect_async("goals.db", observer=telic.observe.Logging())
