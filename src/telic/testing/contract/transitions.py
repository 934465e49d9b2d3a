"""Moves of the state machine: which there are, who may make them, and from which revision."""

from typing import Any

import pytest

from telic import (
    Actor,
    Budget,
    BudgetExceeded,
    Criterion,
    EventKind,
    Goal,
    GoalStatus,
    InvalidInput,
    InvalidTransition,
    NotAllowed,
    Reason,
    StaleUpdate,
)
from telic.domain.history import replay
from telic.domain.lifecycle import TRANSITIONS
from telic.testing.contract import refuses
from telic.types import NamedActor


async def goal_that_is(store: Any, status: GoalStatus) -> Goal:
    """Return a goal of its own scope, brought to the status."""
    goal: Goal = await store.create(f"a goal that is {status}", scope=status.value)
    match status:
        case GoalStatus.PAUSED:
            goal = await store.pause(goal.id)
        case GoalStatus.COMPLETED:
            goal = await store.complete(goal.id)
        case GoalStatus.CLEARED:
            goal = await store.clear(goal.id)
        case GoalStatus.ACTIVE:
            pass
    return goal


@pytest.mark.parametrize("source", GoalStatus)
@pytest.mark.parametrize("target", GoalStatus)
async def test_exactly_the_moves_of_the_table_exist(store: Any, source: GoalStatus, target: GoalStatus) -> None:
    """A move outside the table is refused and changes nothing; one inside raises the revision by one."""
    goal = await goal_that_is(store, source)
    if target in TRANSITIONS[source]:
        moved = await store.transition(goal.id, target, expected_revision=goal.revision)
        assert (moved.status, moved.revision) == (target, goal.revision + 1)
        assert (moved.ended_at is None) == (target in (GoalStatus.ACTIVE, GoalStatus.PAUSED))
        return
    with pytest.raises(InvalidTransition) as refusal:
        await store.transition(goal.id, target)
    assert (refusal.value.from_status, refusal.value.to_status) == (source, target)
    assert await store.get(goal.id) == goal


async def test_a_stale_update_is_refused_with_the_current_goal(store: Any) -> None:
    """The wrong revision changes nothing, and the error carries the goal as it is."""
    goal = await store.create("test")
    current = await store.edit(goal.id, text="changed", expected_revision=1)
    for call in (
        store.transition(goal.id, GoalStatus.PAUSED, expected_revision=1),
        store.pause(goal.id, expected_revision=3),
        store.clear(goal.id, expected_revision=1),
        store.complete(goal.id, expected_revision=1),
        store.edit(goal.id, text="other", expected_revision=1),
        store.set_budget(goal.id, Budget(tokens=5), expected_revision=1),
    ):
        with pytest.raises(StaleUpdate) as refusal:
            await call
        assert refusal.value.goal == current
    assert await store.get(goal.id) == current


async def test_two_equal_timestamps_cannot_hide_a_change(store: Any) -> None:
    """The revision guards, not the time: with a clock that stands still, a stale write is still refused."""
    goal = await store.create("still")
    paused = await store.pause(goal.id, expected_revision=goal.revision)
    active = await store.resume(goal.id, expected_revision=paused.revision)
    assert active.updated_at == goal.updated_at
    await refuses(StaleUpdate, store.pause(goal.id, expected_revision=goal.revision))


async def test_resume_swaps_with_the_active_goal_of_the_scope(store: Any) -> None:
    """The resumed goal takes the slot; the active goal is paused as superseded, and its history names the successor."""
    first = await store.create("first")
    second = await store.create("second")
    resumed = await store.resume(first.id, expected_revision=2)
    active = await store.get(second.id)
    assert (resumed.status, resumed.reason, resumed.revision) == (GoalStatus.ACTIVE, None, 3)
    assert (active.status, active.reason, active.revision) == (GoalStatus.PAUSED, Reason.SUPERSEDED, 2)
    last = (await store.events(second.id))[-1]
    assert (last.kind, last.data) == (EventKind.PAUSED, {"reason": "superseded", "by": first.id})


async def test_a_refused_resume_leaves_the_active_goal(store: Any) -> None:
    """A stale resume pauses nobody."""
    first = await store.create("first")
    second = await store.create("second")
    await refuses(StaleUpdate, store.resume(first.id, expected_revision=1))
    assert await store.active() == second
    assert (await store.get(second.id)).revision == 1


async def test_a_paused_goal_is_completed_in_one_call(store: Any) -> None:
    """It is resumed and completed in one step, while the scope's other active goal keeps its slot."""
    first = await store.create("first")
    second = await store.create("second")
    done = await store.complete(first.id, expected_revision=2, note="by hand")
    assert (done.status, done.reason, done.note, done.revision) == (
        GoalStatus.COMPLETED,
        Reason.ASSERTED,
        "by hand",
        4,
    )
    assert [event.kind for event in await store.events(first.id)][-2:] == [EventKind.RESUMED, EventKind.COMPLETED]
    assert await store.active() == second


async def test_an_over_budget_goal_is_raised_and_resumed_in_one_call(store: Any) -> None:
    """Resuming over budget is refused with the figures, until the same call raises the budget."""
    goal = await store.create("costly", token_budget=100)
    goal = (await store.record_turn(goal.id, tokens=150)).goal
    assert (goal.status, goal.reason) == (GoalStatus.PAUSED, Reason.BUDGET)
    with pytest.raises(BudgetExceeded) as refusal:
        await store.resume(goal.id)
    assert (refusal.value.limit, refusal.value.used, refusal.value.budget) == ("tokens", 150, 100)
    await refuses(BudgetExceeded, store.resume(goal.id, budget=Budget(tokens=150)))
    assert await store.get(goal.id) == goal
    raised = await store.resume(goal.id, budget=Budget(tokens=151), expected_revision=goal.revision)
    assert (raised.status, raised.token_budget, raised.revision) == (GoalStatus.ACTIVE, 151, goal.revision + 2)


async def test_an_over_budget_goal_is_completed_in_one_call(store: Any) -> None:
    """Finishing needs no budget."""
    goal = await store.create("costly", budget=Budget(turns=1))
    await store.record_turn(goal.id, tokens=1)
    assert (await store.complete(goal.id)).status is GoalStatus.COMPLETED


async def test_a_budget_lowered_below_the_usage_pauses_the_goal(store: Any) -> None:
    """An active goal is never over its budget."""
    goal = await store.create("costly")
    await store.record_turn(goal.id, tokens=100)
    lowered = await store.set_budget(goal.id, Budget(tokens=100), expected_revision=1)
    assert (lowered.status, lowered.reason, lowered.revision) == (GoalStatus.PAUSED, Reason.BUDGET, 3)
    assert (await store.events(goal.id))[-1].actor is Actor.SYSTEM
    raised = await store.set_budget(goal.id, Budget(tokens=200))
    assert (raised.status, raised.token_budget) == (GoalStatus.PAUSED, 200)


async def test_a_finished_goal_is_not_redefined(store: Any) -> None:
    """Text, criteria and budget of a completed or cleared goal stay."""
    for status in (GoalStatus.COMPLETED, GoalStatus.CLEARED):
        goal = await goal_that_is(store, status)
        await refuses(NotAllowed, store.edit(goal.id, text="new"))
        await refuses(NotAllowed, store.set_budget(goal.id, Budget(tokens=1)))
        assert await store.get(goal.id) == goal


async def test_an_edit_keeps_the_usage_and_the_status(store: Any) -> None:
    """Text and criteria change, each alone or together; what is not given stays."""
    goal = await store.create("old", criteria=[Criterion.judge("done?")])
    await store.record_turn(goal.id, tokens=7)
    goal = await store.edit(goal.id, text="new")
    assert (goal.text, goal.criteria, goal.tokens_used, goal.status) == (
        "new",
        (Criterion.judge("done?"),),
        7,
        GoalStatus.ACTIVE,
    )
    goal = await store.edit(goal.id, criteria=[])
    assert (goal.text, goal.criteria, goal.revision) == ("new", (), 3)
    await refuses(InvalidInput, store.edit(goal.id))


async def test_a_completion_is_named_by_who_vouches_for_it(store: Any) -> None:
    """Asserted without criteria; with criteria accepted by a person, else refused: a verifier has its verdicts."""
    check = [Criterion.command(["true"])]

    async def completed(actor: Actor, criteria: list[Criterion]) -> Reason:
        goal = await store.create("x", criteria=criteria)
        done = await store.complete(goal.id, actor=actor, expected_revision=1)
        reason: Reason = done.reason
        assert (await store.events(goal.id))[-1].data == {"reason": reason.value}
        return reason

    assert await completed(Actor.MODEL, []) is Reason.ASSERTED
    assert await completed(Actor.VERIFIER, []) is Reason.ASSERTED
    assert await completed(Actor.USER, check) is Reason.ACCEPTED
    assert await completed(Actor.OPERATOR, check) is Reason.ACCEPTED
    for actor in (Actor.MODEL, Actor.HOST, Actor.VERIFIER):
        await refuses(NotAllowed, completed(actor, check))
        assert (await store.active()).status is GoalStatus.ACTIVE
        paused = await store.pause((await store.active()).id)
        await refuses(NotAllowed, store.complete(paused.id, actor=actor, expected_revision=paused.revision))


async def test_the_model_may_only_report(store: Any) -> None:
    """It reports complete or blocked, at the revision it has seen; everything else is refused and changes nothing."""
    goal = await store.create("x")
    model = {"actor": Actor.MODEL, "expected_revision": 1}
    await refuses(
        NotAllowed,
        store.create("another", actor=Actor.MODEL),
        store.pause(goal.id, **model),
        store.clear(goal.id, **model),
        store.edit(goal.id, text="y", **model),
        store.set_budget(goal.id, Budget(tokens=1), **model),
        store.resume(goal.id, **model),
        store.record_turn(goal.id, tokens=1, actor=Actor.MODEL),
        store.complete(goal.id, actor=Actor.MODEL),
        store.pause(goal.id, actor=Actor.MODEL, reason=Reason.BLOCKED),
    )
    assert await store.get(goal.id) == goal
    blocked = await store.pause(goal.id, reason=Reason.BLOCKED, note="no credentials", **model)
    assert (blocked.reason, blocked.note) == (Reason.BLOCKED, "no credentials")


async def test_a_reason_goes_with_its_status(store: Any) -> None:
    """A reason of another status, or an unknown actor, is refused."""
    goal = await store.create("x")
    await refuses(
        InvalidInput,
        store.pause(goal.id, reason=Reason.DISMISSED),
        store.clear(goal.id, reason=Reason.USER),
        store.transition(goal.id, GoalStatus.PAUSED, reason="because"),
        store.transition(goal.id, "asleep"),
        store.pause(goal.id, actor="root"),
    )
    assert await store.get(goal.id) == goal
    assert (await store.clear(goal.id, reason=Reason.GIVEN_UP)).reason is Reason.GIVEN_UP


async def test_events_name_who_acted_and_by_which_door(store: Any) -> None:
    """Every event of such a call does, its repetition by another door is the same call, and the chain holds."""
    ada = NamedActor(Actor.OPERATOR, "Ada", "dashboard")
    goal = await store.create("named", scope="named", criteria=[Criterion.approval("Ship it?")], actor=ada)
    await store.edit(goal.id, text="named again", actor=ada)
    await store.set_budget(goal.id, Budget(turns=3), actor=ada, key="budget")
    again = NamedActor(Actor.OPERATOR, door="api")
    await store.set_budget(goal.id, Budget(turns=3), actor=again, key="budget")
    await store.approve(goal.id, 0, decided_by="Ada", actor=ada)
    await store.pause(goal.id, actor=ada)
    await store.resume(goal.id, budget=Budget(turns=4), actor=ada)
    await store.complete(goal.id, actor=ada)
    events = await store.events(goal.id)
    assert [event.kind for event in events] == [
        "created", "edited", "budget_set", "approved", "paused", "budget_set", "resumed", "completed",
    ]  # fmt: skip
    assert {event.actor for event in events} == {Actor.OPERATOR}
    assert all(event.acted_by == {"name": "Ada", "door": "dashboard"} for event in events)
    assert [answer.decided_by for answer in await store.approvals(goal.id)] == ["Ada"]
    assert replay(goal.id, events, []).goal == await store.get(goal.id)
    with pytest.raises(InvalidInput):
        NamedActor(Actor.USER, " ")
