"""Turns, budgets, keys and limits."""

from dataclasses import replace
from typing import Any

import pytest

from telic import Budget, EventKind, GoalStatus, InvalidInput, ModelUsage, Reason, TurnUsage
from telic.domain.history import replay
from telic.errors import EmptyText, InvalidNumber, InvalidText, KeyConflict, TextTooLong, TurnConflict
from telic.testing.contract import refuses

LARGEST = 2**53 - 1
USAGE = TurnUsage(
    tokens=1500,
    input_tokens=1000,
    cached_input_tokens=800,
    output_tokens=500,
    reasoning_tokens=200,
    active_microseconds=90_000_000,
    cost_microunits=12_345,
)


async def test_a_turn_raises_the_counters(store: Any) -> None:
    """Every component is added to the goal and kept in the ledger."""
    goal = await store.create("counting goal")
    result = await store.record_turn(goal.id, usage=USAGE, key="run-7/turn-1")
    assert result.goal.turns_used == 1
    assert result.goal.tokens_used == 1500
    assert {name: count for name, count in result.goal.usage.as_dict().items() if name != "turns"} == USAGE.as_dict()
    (turn,) = await store.turns(goal.id)
    assert turn == result.turn
    assert (turn.number, turn.key, turn.usage) == (1, "run-7/turn-1", USAGE)


async def test_a_repeated_turn_counts_once(store: Any) -> None:
    """Same key and usage again give the same turn; other usage under the key is refused; nothing is added."""
    goal = await store.create("once")
    first = await store.record_turn(goal.id, tokens=5, key="k")
    await store.record_turn(goal.id, tokens=6, key="l")
    again = await store.record_turn(goal.id, tokens=5, key="k")
    assert again.turn == first.turn
    assert (again.goal.turns_used, again.goal.tokens_used) == (2, 11)
    await refuses(TurnConflict, store.record_turn(goal.id, tokens=6, key="k"))
    assert (await store.get(goal.id)).tokens_used == 11


async def test_a_turn_on_a_paused_or_finished_goal_is_still_counted(store: Any) -> None:
    """Money that was spent is counted, also when the goal was stopped meanwhile; the status stays."""
    for end in (store.pause, store.complete, store.clear):
        goal = await end((await store.create("late turn", token_budget=1)).id)
        after = (await store.record_turn(goal.id, tokens=9)).goal
        assert (after.tokens_used, after.turns_used) == (9, 1)
        assert (after.status, after.reason, after.revision) == (goal.status, goal.reason, goal.revision)


async def test_a_turn_never_makes_a_users_command_stale(store: Any) -> None:
    """Bookkeeping leaves the revision alone."""
    goal = await store.create("busy")
    for number in range(3):
        await store.record_turn(goal.id, tokens=number)
    assert (await store.pause(goal.id, expected_revision=goal.revision)).status is GoalStatus.PAUSED


@pytest.mark.parametrize(
    ("budget", "usage"),
    [
        (Budget(tokens=100), TurnUsage(tokens=50)),
        (Budget(turns=2), TurnUsage()),
        (Budget(active_microseconds=100), TurnUsage(active_microseconds=50)),
        (Budget(cost_microunits=100), TurnUsage(cost_microunits=50)),
        (Budget(tokens=10**9, turns=2), TurnUsage(tokens=1)),
    ],
)
async def test_the_turn_that_reaches_a_budget_pauses_the_goal(store: Any, budget: Budget, usage: TurnUsage) -> None:
    """Below the limit nothing happens; at the limit the goal is paused by the system, in the turn's own step."""
    goal = await store.create("bounded", budget=budget)
    first = await store.record_turn(goal.id, usage=usage)
    assert (first.goal.status, first.goal.revision) == (GoalStatus.ACTIVE, 1)
    second = await store.record_turn(goal.id, usage=usage)
    assert (second.goal.status, second.goal.reason, second.goal.revision) == (GoalStatus.PAUSED, Reason.BUDGET, 2)
    last = (await store.events(goal.id))[-1]
    assert (last.kind, last.actor.value, last.data) == (EventKind.PAUSED, "system", {"reason": "budget"})
    assert await store.active() is None


async def test_numbers_up_to_the_largest_are_exact(store: Any) -> None:
    """2**53 - 1 is kept exactly, as a limit and as a sum."""
    goal = await store.create("huge", token_budget=LARGEST)
    assert (await store.get(goal.id)).token_budget == LARGEST
    goal = (await store.record_turn(goal.id, tokens=LARGEST - 1)).goal
    assert (goal.tokens_used, goal.status) == (LARGEST - 1, GoalStatus.ACTIVE)
    assert (await store.record_turn(goal.id, tokens=1)).goal.status is GoalStatus.PAUSED


@pytest.mark.parametrize("counted", [{"input_tokens": 5}, {"active_microseconds": 5}, {"cost_microunits": 5}])
@pytest.mark.parametrize("beyond", [0, 10, 2**70, 10**99], ids=str)
async def test_usage_beyond_a_goals_counters_is_a_line_of_what_fits(
    store: Any, counted: dict[str, int], beyond: int
) -> None:
    """The goal is paused as failed, its history has what was told, and the same key counts nothing again."""
    ((name, before),) = counted.items()
    goal = await store.create("without a budget")
    await store.record_turn(goal.id, usage=ModelUsage(**{name: LARGEST - before}), key="before")
    told = {name: before + beyond}
    result = await store.record_turn(goal.id, usage=ModelUsage(**told), key="beyond")
    assert (getattr(result.turn.usage, name), getattr(result.goal.usage, name)) == (before, LARGEST)
    assert await store.record_turn(goal.id, usage=ModelUsage(**told), key="beyond") == result
    assert await store.get(goal.id) == result.goal
    events = await store.events(goal.id)
    if not beyond:
        assert (result.goal.status, len(events)) == (GoalStatus.ACTIVE, 1)
        return
    assert (result.goal.status, result.goal.reason, result.goal.turns_used) == (GoalStatus.PAUSED, Reason.FAILED, 2)
    assert "more was used than a goal can count" in (result.goal.note or "")
    assert [event.kind for event in events[1:]] == [EventKind.USAGE_CLIPPED, EventKind.PAUSED]
    assert (events[1].data["line"], events[1].data["reported"][name]) == (2, str(before + beyond))
    await refuses(TurnConflict, store.record_turn(goal.id, usage=ModelUsage(**{name: 10**98}), key="beyond"))
    assert replay(goal.id, await store.events(goal.id), await store.turns(goal.id)).goal == result.goal


async def test_usage_beyond_a_counter_that_has_a_budget_pauses_the_goal_by_its_budget(store: Any) -> None:
    """What was told is in the history all the same."""
    goal = await store.create("bounded", token_budget=100)
    after = (await store.record_turn(goal.id, usage=ModelUsage(input_tokens=2**60))).goal
    assert (after.status, after.reason, after.tokens_used) == (GoalStatus.PAUSED, Reason.BUDGET, LARGEST)
    kinds = [event.kind for event in await store.events(goal.id)]
    assert kinds == [EventKind.CREATED, EventKind.PAUSED, EventKind.USAGE_CLIPPED]


async def test_usage_beyond_the_counters_of_a_goal_that_has_ended_is_in_its_history(store: Any) -> None:
    """Nothing is paused there; the line and what was told are."""
    goal = await store.create("ended")
    await store.complete(goal.id)
    after = (await store.record_turn(goal.id, usage=ModelUsage(output_tokens=2**60))).goal
    assert (after.status, after.tokens_used) == (GoalStatus.COMPLETED, LARGEST)
    assert (await store.events(goal.id))[-1].data["reported"] == {"tokens": str(2**60), "output_tokens": str(2**60)}


async def test_only_the_tokens_that_a_goal_bills_must_fit(store: Any) -> None:
    """Input and output together may be more than a counter holds, where each fits its own."""
    goal = await store.create("output alone", billing="output")
    after = (await store.record_turn(goal.id, usage=ModelUsage(input_tokens=LARGEST, output_tokens=7))).goal
    assert (after.status, after.tokens_used, after.usage.input_tokens) == (GoalStatus.ACTIVE, 7, LARGEST)


@pytest.mark.parametrize("number", [-1, 2**53, 2**63, 2**64, True, False, 1.0, "1", None])
async def test_a_bad_number_is_refused_everywhere(store: Any, number: Any) -> None:
    """No negative, too large, boolean, fractional or textual number gets in."""
    goal = await store.create("x")
    await refuses(
        InvalidNumber,
        lambda: store.record_turn(goal.id, usage=TurnUsage(tokens=number)),
        lambda: store.record_turn(goal.id, usage=TurnUsage(cost_microunits=number)),
        lambda: store.create("y", max_chars=number),
        lambda: store.events(goal.id, after=number),
        lambda: store.turns(goal.id, limit=number),
    )
    if number is not None:
        await refuses(
            InvalidNumber,
            lambda: store.create("y", token_budget=number),
            lambda: store.record_turn(goal.id, tokens=number),
            lambda: store.set_budget(goal.id, Budget(turns=number)),
            lambda: store.pause(goal.id, expected_revision=number),
        )
    assert await store.get(goal.id) == goal
    assert (await store.list()).goals == (goal,)


async def test_a_budget_of_nothing_is_refused(store: Any) -> None:
    """0 would mean «unlimited» to some and «stop at once» to others."""
    for name in ("tokens", "turns", "active_microseconds", "cost_microunits"):
        with pytest.raises(InvalidNumber):
            await store.create("x", budget=replace(Budget(), **{name: 0}))
    await refuses(InvalidInput, store.create("x", token_budget=1, budget=Budget(tokens=1)))
    assert (await store.list()).goals == ()


@pytest.mark.parametrize("text", ["\0", "a\0b", "\ud800", "a\udfffb", 7, None, b"bytes"])
async def test_ill_formed_text_is_refused_everywhere(store: Any, text: Any) -> None:
    """NUL, lone surrogates and what is no text get in nowhere, on any database."""
    goal = await store.create("x")
    await refuses(
        InvalidText,
        lambda: store.create(text),
        lambda: store.create("y", scope=text),
        lambda: store.active(text),
        lambda: store.get(text),
        lambda: store.record_turn(text, tokens=1),
    )
    if text is not None:
        await refuses(
            InvalidText,
            lambda: store.create("y", key=text),
            lambda: store.pause(goal.id, note=text),
            lambda: store.pause(goal.id, key=text),
            lambda: store.edit(goal.id, text=text),
            lambda: store.record_turn(goal.id, tokens=1, key=text),
            lambda: store.events(text),
            lambda: store.events(scope=text),
            lambda: store.list(text=text),
            lambda: store.list(scope=text),
        )
    assert await store.get(goal.id) == goal
    assert (await store.list()).goals == (goal,)


async def test_texts_and_names_have_bounds(store: Any) -> None:
    """Empty says nothing; each kind of text has its longest."""
    goal = await store.create("x" * 20_000, max_chars=20_000)
    await refuses(
        EmptyText,
        lambda: store.create(""),
        lambda: store.create(" \n\t"),
        lambda: store.create("y", scope=""),
        lambda: store.record_turn(goal.id, tokens=1, key=""),
    )
    await refuses(
        TextTooLong,
        lambda: store.create("x" * 2001),
        lambda: store.create("y", scope="s" * 201),
        lambda: store.pause(goal.id, note="n" * 4001),
        lambda: store.record_turn(goal.id, tokens=1, key="k" * 201),
    )
    await refuses(InvalidNumber, store.create("y", max_chars=20_001))
    assert (await store.list()).goals == (goal,)


async def test_a_turn_needs_its_usage_one_way(store: Any) -> None:
    """Neither nothing nor two answers to the same question."""
    goal = await store.create("x")
    for arguments in ({}, {"tokens": 1, "usage": USAGE}):
        await refuses(InvalidInput, store.record_turn(goal.id, **arguments))


async def test_every_mutating_call_with_a_key_happens_once(store: Any) -> None:
    """Repeating a call with its key gives the goal as it stands, also when it would be refused by now."""
    goal = await store.create("one", key="create")
    assert (await store.create("one", key="create")).id == goal.id
    other = await store.create("two")
    calls = [
        lambda: store.resume(goal.id, key="resume", expected_revision=2),
        lambda: store.edit(goal.id, text="new", key="edit", expected_revision=3),
        lambda: store.set_budget(goal.id, Budget(tokens=9), key="budget", expected_revision=4),
        lambda: store.pause(goal.id, key="pause", expected_revision=5),
        lambda: store.resume(goal.id, budget=Budget(tokens=10), key="raise", expected_revision=6),
        lambda: store.complete(goal.id, key="complete", expected_revision=8),
    ]
    for call in calls:
        changed = await call()
        assert await call() == changed
    for call in calls:
        assert (await call()).revision == 9
    assert [event.number for event in await store.events(goal.id)] == list(range(1, 10))
    await store.clear(other.id, key="clear")
    assert (await store.clear(other.id, key="clear")).revision == 3


async def test_a_key_belongs_to_one_call(store: Any) -> None:
    """The same key for another call is refused and changes nothing."""
    goal = await store.create("one", key="k")
    await refuses(KeyConflict, store.create("two", key="k"))
    await store.create("two", scope="another", key="k")
    await store.pause(goal.id, key="p", note="tea")
    await refuses(
        KeyConflict,
        lambda: store.pause(goal.id, key="p", note="coffee"),
        lambda: store.resume(goal.id, key="p"),
        lambda: store.edit(goal.id, text="x", key="p"),
        lambda: store.complete(goal.id, key="k"),
    )
    assert (await store.get(goal.id)).revision == 2


async def test_replaying_the_history_gives_the_stored_goal(store: Any) -> None:
    """Events and turns, chained and complete, are all it takes to make the goal again."""
    goal = await store.create("a life | with «bars» and\nlines", token_budget=1000, key="b|c")
    await store.create("rival")
    await store.resume(goal.id)
    await store.record_turn(goal.id, usage=USAGE, key="t|1")
    await store.resume(goal.id, budget=Budget(tokens=5000, cost_microunits=10**9))
    await store.edit(goal.id, text="another 😀 text")
    await store.record_turn(goal.id, tokens=3)
    await store.pause(goal.id, note="lunch \u202e time")
    await store.complete(goal.id, note="done")
    await store.record_turn(goal.id, tokens=4, key="late")
    history = replay(goal.id, await store.events(goal.id), await store.turns(goal.id))
    assert history.goal == await store.get(goal.id)
