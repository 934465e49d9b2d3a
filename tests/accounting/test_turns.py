"""Accepted turns reach the ledger: each once, in order, with what they consumed, billed to the right goal."""

import asyncio
import inspect
import stat
from pathlib import Path
from typing import Any

import pytest

import telic
from tests.accounting.support import accounting_for, files, ledger_keys


async def test_turns_are_stored_once_and_in_order(location: str, colour: str, folder: Path) -> None:
    """Keys are given back at once; the ledger has them in the order of the calls, and the sums are exact."""
    async with accounting_for(location, colour, folder) as (store, accounting):
        goal = await store.create("count")
        await accounting.snapshot()
        keys = [accounting.on_turn_complete(number) for number in range(1, 201)]
        assert await accounting.flush()
        assert await ledger_keys(store, goal.id) == keys
        assert (await store.get(goal.id)).tokens_used == sum(range(1, 201))


async def test_a_repeated_key_counts_once(location: str, colour: str, folder: Path) -> None:
    """The host's own key makes a turn that it reports twice one turn."""
    async with accounting_for(location, colour, folder) as (store, accounting):
        goal = await store.create("count")
        await accounting.snapshot()
        assert accounting.on_turn_complete(5, key="mine") == "mine"
        assert accounting.on_turn_complete(5, key="mine") == "mine"
        assert await accounting.flush()
        assert await ledger_keys(store, goal.id) == ["mine"]


@pytest.mark.parametrize("policy", telic.BillingPolicy)
async def test_components_are_kept_and_billed_by_policy(
    location: str, colour: str, folder: Path, policy: telic.BillingPolicy
) -> None:
    """Every component reaches the ledger; live and stored counters agree on what is billed."""
    used = telic.ModelUsage(
        input_tokens=1000,
        cached_input_tokens=400,
        output_tokens=70,
        reasoning_tokens=20,
        active_microseconds=9,
        cost_microunits=8,
    )
    async with accounting_for(location, colour, folder) as (store, accounting):
        goal = await store.create("bill", billing=policy)
        await accounting.snapshot()
        accounting.on_turn_complete(used, model="a-model")
        accounting.on_turn_complete(telic.TurnUsage(tokens=3, output_tokens=2), kind=telic.UsageKind.JUDGE)
        accounting.on_turn_complete(used, kind=telic.UsageKind.SUB_AGENT)
        accounting.on_turn_complete(1, kind=telic.UsageKind.TOOL)
        live = await accounting.snapshot()
        assert await accounting.flush()
        stored = await store.get(goal.id)
        assert live.usage == stored.usage == (await accounting.snapshot()).usage
        assert stored.usage.tokens == 2 * used.billed(policy).tokens + 4
        assert (stored.usage.turns, stored.usage.cached_input_tokens, stored.usage.output_tokens) == (1, 800, 142)
        turns = await store.turns(goal.id)
        assert [turn.kind.value for turn in turns] == ["work", "judge", "sub_agent", "tool"]
        assert [turn.model for turn in turns] == ["a-model", None, None, None]
        assert turns[0].usage == used.billed(policy)


async def _shown(accounting: Any, goal_id: str) -> None:
    """PostgreSQL's notification of the goal has arrived, which takes its time on a busy machine."""
    for _ in range(2_000):
        snapshot = await accounting.snapshot()
        if snapshot is not None and snapshot.id == goal_id:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the goal never showed")


async def test_a_turn_belongs_to_the_goal_of_its_time(location: str, colour: str, folder: Path) -> None:
    """A goal that takes the slot later is not billed for what was accepted before, nor one that was named."""
    async with accounting_for(location, colour, folder) as (store, accounting):
        first = await store.create("first")
        await _shown(accounting, first.id)
        accounting.on_turn_complete(1, key="before")
        second = await store.create("second")
        await _shown(accounting, second.id)
        accounting.on_turn_complete(2, key="after")
        accounting.on_turn_complete(3, key="named", goal_id=first.id)
        assert await accounting.flush()
        assert await ledger_keys(store, first.id) == ["before", "named"]
        assert await ledger_keys(store, second.id) == ["after"]


async def test_a_goal_stopped_in_mid_turn_is_billed_for_it(location: str, colour: str, folder: Path) -> None:
    """What was spent before the host could know is counted; turns begun afterwards belong to no goal."""
    async with accounting_for(location, colour, folder) as (store, accounting):
        goal = await store.create("stop me")
        await accounting.snapshot()
        await store.pause(goal.id)
        accounting.on_turn_complete(7, key="running")
        assert await accounting.flush()
        assert not (await accounting.snapshot()).is_active
        accounting.on_turn_complete(9, key="chatting")
        assert await accounting.flush()
        assert await ledger_keys(store, goal.id) == ["running"]


async def test_a_goal_created_a_moment_ago_is_billed(location: str, colour: str, folder: Path) -> None:
    """Whether or not its creation was noticed yet; a scope without a goal bills nobody."""
    async with accounting_for(location, colour, folder) as (store, accounting):
        assert await accounting.maybe_snapshot() is None
        accounting.on_turn_complete(1, key="nobody's")
        assert await accounting.flush()
        goal = await store.create("new")
        accounting.on_turn_complete(2, key="mine")
        assert await accounting.flush()
        assert await ledger_keys(store, goal.id) == ["mine"]


async def test_other_scopes_are_left_alone(location: str, colour: str, folder: Path) -> None:
    """Two accountings of two scopes share the folder and bill their own goals."""
    async with accounting_for(location, colour, folder, scope="a") as (store, accounting):
        goals = [await store.create(scope, scope=scope) for scope in "ab"]
        async with accounting_for(location, colour, folder, scope="b") as (_, other):
            for face, goal in zip((accounting, other), goals, strict=True):
                assert (await face.snapshot()).id == goal.id
                face.on_turn_complete(1, key=f"of {goal.scope}")
                assert await face.flush()
                assert await ledger_keys(store, goal.id) == [f"of {goal.scope}"]


async def test_a_turn_settles_its_hold_or_counts_without_it(location: str, colour: str, folder: Path) -> None:
    """A hold is settled with the turn; a lost one loses no turn."""
    async with accounting_for(location, colour, folder) as (store, accounting):
        goal = await store.create("hold", token_budget=100)
        await accounting.snapshot()
        await store.hold(goal.id, tokens=10, key="h")
        accounting.on_turn_complete(6, key="first", hold="h")
        accounting.on_turn_complete(7, key="second", hold="never was")
        assert await accounting.flush()
        assert (await store.get(goal.id)).tokens_used == 13
        assert [hold.turn_key for hold in await store.holds(goal.id)] == ["first"]


async def test_a_refused_turn_is_set_aside_and_told(location: str, colour: str, folder: Path) -> None:
    """It blocks nothing, reaches `on_failure`, and lies beside the journal with the reason."""
    told: list[tuple[Exception, str | None]] = []
    failures = {"on_failure": lambda error, key: told.append((error, key))}
    async with accounting_for(location, colour, folder, **failures) as (store, accounting):
        goal = await store.create("refuse")
        await accounting.snapshot()
        accounting.on_turn_complete(1, key="same")
        accounting.on_turn_complete(2, key="same")
        accounting.on_turn_complete(3, key="lost", goal_id="01890000-0000-7000-8000-000000000000")
        accounting.on_turn_complete(4, key="good")
        assert await accounting.flush()
        assert await ledger_keys(store, goal.id) == ["same", "good"]
        assert (await accounting.snapshot()).usage.tokens == 5
    kinds = [(type(error).__name__, key) for error, key in told]
    assert kinds == [("TurnConflict", "same"), ("GoalNotFound", "lost")]
    (refused,) = files(folder, ".refused")
    assert [code in refused.read_text() for code in ("turn_conflict", "goal_not_found")] == [True] * 2
    assert stat.S_IMODE(refused.stat().st_mode) == 0o600
    assert files(folder, ".journal") == []


@pytest.mark.parametrize("told", [2**60, 10**5_000], ids=["more than a counter", "more than a text shows"])
async def test_an_accepted_turn_beyond_its_goals_counters_is_stored_as_far_as_it_fits(
    location: str, colour: str, folder: Path, told: int
) -> None:
    """Nothing that was accepted is lost, whatever its size; the goal is paused."""
    async with accounting_for(location, colour, folder) as (store, accounting):
        goal = await store.create("huge")
        accounting.on_turn_complete(telic.ModelUsage(input_tokens=told), key="huge", goal_id=goal.id)
        accounting.on_turn_complete(7, key="next", goal_id=goal.id)
        assert await accounting.flush()
        assert await ledger_keys(store, goal.id) == ["huge", "next"]
        found = await store.get(goal.id)
        assert (found.tokens_used, found.reason) == (2**53 - 1, telic.Reason.FAILED)


@pytest.mark.parametrize(
    ("usage", "options"),
    [
        ("12", {}),
        (None, {}),
        (True, {}),
        (-1, {}),
        (2**53, {}),
        (1.5, {}),
        (1, {"kind": "work"}),
        (1, {"model": ""}),
        (1, {"model": "x" * 201}),
        (1, {"key": "\0"}),
        (1, {"key": "\ud800"}),
        (1, {"key": 7}),
        (1, {"hold": 7}),
        (1, {"goal_id": "ä"}),
        (1, {"goal_id": 5}),
    ],
)
async def test_unusable_arguments_raise_nothing(
    tmp_path: Path, colour: str, folder: Path, usage: Any, options: Any
) -> None:
    """They are told to `on_failure`, and the next turn is accepted as ever."""
    told: list[Exception] = []
    failures = {"on_failure": lambda error, _key: told.append(error)}
    async with accounting_for(str(tmp_path / "g.db"), colour, folder, **failures) as (store, accounting):
        goal = await store.create("carry on")
        await accounting.snapshot()
        assert accounting.on_turn_complete(usage, **options) is None
        assert accounting.on_turn_complete(3, key="next") == "next"
        assert await accounting.flush()
        assert await ledger_keys(store, goal.id) == ["next"]
    assert len(told) == 1
    assert isinstance(told[0], telic.InvalidInput)


async def test_a_closed_accounting_accepts_nothing_and_raises_nothing(
    tmp_path: Path, colour: str, folder: Path
) -> None:
    """It says None, and may be closed again."""
    async with accounting_for(str(tmp_path / "g.db"), colour, folder) as (store, accounting):
        goal = await store.create("close")
        await accounting.snapshot()
        accounting.on_turn_complete(1, key="in time")
        assert await accounting.close()
        assert accounting.on_turn_complete(1) is None
        assert await accounting.close()
        assert (await accounting.snapshot()).is_stale
        assert await ledger_keys(store, goal.id) == ["in time"]


async def test_names_of_any_characters_survive_the_journal(tmp_path: Path, colour: str, folder: Path) -> None:
    """Quotes, line ends, and characters beyond ASCII in keys, models and scopes."""
    name = 'a "b"\n\\ ünïcode 🎯 {"key":1}\x7f'
    async with accounting_for(str(tmp_path / "g.db"), colour, folder, scope=name) as (store, accounting):
        goal = await store.create("names", scope=name)
        accounting.on_turn_complete(1, key=name, model=name)
        assert await accounting.flush()
        (turn,) = await store.turns(goal.id)
        assert (turn.key, turn.model) == (name, name)


def test_both_colours_have_the_same_methods() -> None:
    """Names, parameters and docstrings agree; only the colour differs."""
    blocking, waiting = (
        {name: method for name, method in inspect.getmembers(kind, inspect.isfunction) if name[0] != "_"}
        for kind in (telic.GoalAccounting, telic.AsyncGoalAccounting)
    )
    assert blocking.keys() == waiting.keys()
    for name in blocking.keys() - {"after_fork_in_child"}:
        assert str(inspect.signature(blocking[name])) == str(inspect.signature(waiting[name])), name
        assert inspect.getdoc(blocking[name]) == inspect.getdoc(waiting[name]), name
    parameters = [
        list(inspect.signature(kind).parameters) for kind in (telic.GoalAccounting, telic.AsyncGoalAccounting)
    ]
    assert parameters[0] == parameters[1]
