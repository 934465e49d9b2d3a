"""What values offer to people: times, money, text for choices, JSON, tables in notebooks."""

import json
import pickle
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import telic
from telic import Actor, Budget, GoalStatus, GoalStore, ModelUsage, Reason, TurnUsage, UsageKind
from telic.domain.history import replay
from telic.domain.jsonable import history_to_json
from telic.errors import InvalidInput, InvalidNumber


@pytest.fixture
def store() -> Iterator[GoalStore]:
    with telic.connect(":memory:") as opened:
        yield opened


def test_a_budget_is_given_in_money_and_time() -> None:
    """It is kept in whole microunits and microseconds, and read back as it was given."""
    budget = Budget(cost="5.25", time=timedelta(hours=2))
    assert budget == Budget(cost_microunits=5_250_000, active_microseconds=7_200_000_000)
    assert (budget.cost, budget.time) == (Decimal("5.25"), timedelta(hours=2))
    assert Budget(cost=Decimal("0.000001")).cost_microunits == 1
    assert Budget(cost=3).cost == 3
    assert (Budget().cost, Budget().time) == (None, None)


@pytest.mark.parametrize(
    "wrong",
    [
        {"cost": 0.1},
        {"cost": True},
        {"cost": "5 dollars"},
        {"cost": "NaN"},
        {"cost": "Infinity"},
        {"cost": "1e999999"},
        {"cost": "-1"},
        {"cost": "0"},
        {"cost": "0.0000001"},
        {"cost": "1.00000000000000000000000000000000000000001"},
        {"cost": "9007199255"},
        {"time": 3600},
        {"time": timedelta(0)},
        {"time": timedelta(seconds=-1)},
        {"time": timedelta.max},
        {"cost": "5", "cost_microunits": 5_000_000},
        {"time": timedelta(hours=1), "active_microseconds": 1},
    ],
)
def test_a_budget_that_is_no_exact_amount_is_refused(wrong: dict[str, Any]) -> None:
    """Nothing is rounded, nothing wraps, and no unit is given twice."""
    with pytest.raises(InvalidNumber):
        Budget(**wrong)


def test_a_cost_is_given_in_money_wherever_it_is_given_in_microunits(store: GoalStore) -> None:
    """Holds take it as a budget does, and refuse what a budget refuses."""
    goal = store.create("count", budget=Budget(cost="5"))
    held = store.hold(goal.id, cost="0.5", time=timedelta(seconds=2)).reserved
    assert (held.cost_microunits, held.active_microseconds) == (500_000, 2_000_000)
    for wrong in ({"cost": "-1"}, {"cost": 0.1}, {"cost": "1", "cost_microunits": 1_000_000}):
        with pytest.raises(InvalidNumber, match="cost"):
            store.hold(goal.id, **wrong)
    with pytest.raises(InvalidNumber, match=r"^a cost must be from 0 to 9,007,199,254\.740991, not '-1'$"):
        Budget(cost="-1")


def test_errors_are_named_by_their_public_place() -> None:
    """In tracebacks and in pickles, which find them there."""
    for name in telic.errors.__all__:
        assert getattr(telic.errors, name).__module__ == "telic.errors"
    error = pickle.loads(pickle.dumps(telic.errors.GoalNotFound("g")))
    assert (type(error), str(error)) == (telic.errors.GoalNotFound, str(telic.errors.GoalNotFound("g")))


def test_a_page_is_a_sequence(store: GoalStore) -> None:
    """Of goals, or of events."""
    goals = [store.create(f"goal {number}", scope=str(number)) for number in range(3)]
    page, events = store.list(order="oldest"), store.events(scope="1")
    assert isinstance(page, Sequence)
    assert isinstance(events, Sequence)
    assert (page[0], page[-1], page[1:], list(page), len(page)) == (goals[0], goals[2], tuple(goals[1:]), goals, 3)
    assert goals[1] in page
    assert (events[0], len(events)) == (events.events[0], 1)


def test_usage_is_read_in_money_and_time(store: GoalStore) -> None:
    """A goal's, a turn's and a model's alike."""
    goal = store.create("count")
    used = TurnUsage(tokens=1, cost_microunits=250_000, active_microseconds=90_000_000)
    result = store.record_turn(goal.id, usage=used)
    for usage in (result.goal.usage, result.turn.usage, ModelUsage(cost_microunits=250_000)):
        assert usage.cost == Decimal("0.25")
    assert result.goal.usage.time == result.turn.usage.time == timedelta(seconds=90)


def test_times_are_datetimes_in_utc(store: GoalStore) -> None:
    """Each is the same moment as the integer beside it, and None where there is none."""
    goal = store.create("when")
    assert goal.created == goal.updated
    assert abs(datetime.now(UTC) - goal.created) < timedelta(hours=1)
    assert goal.created.timestamp() * 1_000_000 == pytest.approx(goal.created_at, abs=1)
    assert (goal.ended, goal.wakes) == (None, None)
    hold = store.hold(goal.id)
    assert hold.expires is not None
    assert hold.expires - hold.placed == timedelta(minutes=10)
    assert store.record_turn(goal.id, tokens=1).turn.time >= goal.created
    woken = datetime(2200, 1, 1, tzinfo=UTC)
    assert store.pause(goal.id, wake_at=telic.types.from_datetime(woken)).wakes == woken
    assert store.pause(goal.id, wake_at=woken + timedelta(hours=1)).wakes == woken + timedelta(hours=1)
    for wrong in (datetime(2200, 1, 1), datetime(1960, 1, 1, tzinfo=UTC)):
        with pytest.raises(InvalidNumber, match="wake_at"):
            store.pause(goal.id, wake_at=wrong)
    assert store.usage(goal_id=goal.id, since=datetime(2020, 1, 1, tzinfo=UTC), until=woken).total.lines == 1
    assert store.usage(goal_id=goal.id, since=woken).total.lines == 0
    assert store.clear(goal.id).ended == store.events(goal.id)[-1].time


def test_a_choice_can_be_given_as_text(store: GoalStore) -> None:
    """Actors, statuses, reasons, kinds, orders and policies: their names say the same."""
    goal = store.create("text", actor="operator", billing="output")
    assert store.events(goal.id)[0].actor is Actor.OPERATOR
    assert store.record_turn(goal.id, tokens=1, kind="judge").turn.kind is UsageKind.JUDGE
    paused = store.transition(goal.id, "paused", reason="blocked")
    assert (paused.status, paused.reason) == (GoalStatus.PAUSED, Reason.BLOCKED)
    assert store.list(status="paused", reason="blocked", order="oldest").goals == (paused,)
    assert store.usage(by="kind").groups[0].name == "judge"


def test_a_text_that_names_no_choice_is_refused_and_changes_nothing(store: GoalStore) -> None:
    """The error lists the choices."""
    goal = store.create("text")
    wrong: Any = 5
    calls = [
        lambda: store.create("other", actor="boss"),
        lambda: store.create("other", billing="everything"),
        lambda: store.record_turn(goal.id, tokens=1, kind="play"),
        lambda: store.transition(goal.id, "done"),
        lambda: store.pause(goal.id, reason="tired"),
        lambda: store.list(status="done"),
        lambda: store.list(reason="tired"),
        lambda: store.list(order="random"),
        lambda: store.usage(by="colour"),
        lambda: store.pause(goal.id, actor=wrong),
    ]
    for call in calls:
        with pytest.raises(InvalidInput, match="one of"):
            call()
    assert store.list().goals == (goal,)


def test_a_goal_is_json_in_the_one_shape(store: GoalStore) -> None:
    """The command, the HTTP API and exports write the same."""
    goal = store.create("json", budget=Budget(tokens=5))
    history = replay(goal.id, store.events(goal.id), store.turns(goal.id))
    assert history_to_json(history)["goal"] == goal.to_json() == json.loads(json.dumps(goal.to_json()))
    assert goal.to_json()["budget"]["tokens"] == 5


def test_a_notebook_shows_a_goal_as_a_table_and_runs_nothing_of_it(store: GoalStore) -> None:
    """Text, scope and note are others' words, and are escaped."""
    evil = "<script>alert('x')</script>"
    goal = store.create(evil, scope="<b>&", budget=Budget(tokens=10, cost="5"))
    table = store.pause(goal.id, note='<img src="x">')._repr_html_()
    assert table.startswith("<table>")
    assert "0 of 10" in table
    for harmful in (evil, "<b>", "<img", "<script"):
        assert harmful not in table
    hiding = store.create("pay \u202eecila\x1b[31m", scope="others")._repr_html_()
    assert "pay \\u202eecila\\x1b[31m" in hiding
    assert "\u202e" not in hiding


def test_a_store_is_shown_without_its_password(tmp_path: Path, new_postgres_database: Callable[[], str]) -> None:
    """A log or a debugger that prints a store tells where it is, and no secret."""
    with telic.connect(tmp_path / "goals.db") as of_file:
        assert repr(of_file) == f"<GoalStore {tmp_path / 'goals.db'}>"
    url = new_postgres_database()
    with telic.connect(url) as of_server:
        shown = repr(of_server)
    assert shown.startswith("<GoalStore postgresql://")
    assert "@" not in shown
