"""What an operator does: asked first, guarded by what the screen showed, kept under their name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import telic
from telic.services.actions import ActionRequest, GoalAction, execute
from telic.store.async_store import AsyncGoalStore
from telic.store.connect import connect_async
from tests.interfaces.top.screen import Top, running

ADA = telic.NamedActor(telic.Actor.OPERATOR, "ada", "top")


@pytest.fixture
def place(tmp_path: Path) -> str:
    path = str(tmp_path / "goals.db")
    with telic.connect(path) as store:
        store.create("move billing", scope="billing", token_budget=1_000)
    return path


def goal_of(place: str) -> telic.Goal:
    with telic.connect(place) as store:
        return store.list().goals[-1]


def last_event(place: str) -> telic.Event:
    with telic.connect(place) as store:
        return store.events(store.list().goals[-1].id)[-1]


async def ask(top: Top, key: str, title: str) -> None:
    await top.shows("move billing")
    await top.press(key)
    await top.shows(title)


async def test_pause_and_resume(location: str) -> None:
    """Each with a note, by the operator, whose name the history has; on both databases."""
    with telic.connect(location) as store:
        store.create("move billing")
    async with running(location, operator="ada") as top:
        await ask(top, "p", "Pause")
        await top.type("tea")
        await top.press("enter")
        await top.shows("‖ user", "paused")
        event = last_event(location)
        assert (event.kind, event.actor, event.data["note"]) == ("paused", "operator", "tea")
        assert event.acted_by == {"name": "ada", "door": "top"}
        await ask(top, "r", "Resume")
        await top.press("enter")
        await top.shows("▶ active")
        event = last_event(location)
        assert (event.kind, event.actor, event.changed) == ("resumed", "operator", {})
        assert event.acted_by == {"name": "ada", "door": "top"}


async def test_a_budget_is_set(place: str) -> None:
    """Twice the limit is proposed; what is no budget is refused in the dialog, and what is not named stays."""
    async with running(place, operator="ada") as top:
        await ask(top, "b", "Set the budget")
        await top.shows("2k")
        await top.press("end")
        await top.type(" 3cats")
        await top.press("enter")
        await top.shows("is no budget")
        assert goal_of(place).revision == 1
        await top.press(*["backspace"] * len(" 3cats"))
        await top.type(" 40turns")
        await top.press("enter")
        await top.shows("has its new budget")
    goal = goal_of(place)
    assert (goal.token_budget, goal.turn_budget) == (2_000, 40)
    assert last_event(place).acted_by == {"name": "ada", "door": "top"}


async def test_a_spent_goal_is_resumed_with_more(place: str) -> None:
    """Where the budget is used up, resuming asks for a larger one, and does both at once."""
    with telic.connect(place) as store:
        store.record_turn(goal_of(place).id, tokens=1_500)
    async with running(place, operator="ada") as top:
        await top.shows("‖ budget")
        await ask(top, "r", "with a larger budget")
        await top.shows("3k")
        await top.press("enter")
        await top.shows("▶ active", "goes on")
    assert goal_of(place).token_budget == 3_000


async def test_clearing_is_confirmed(place: str) -> None:
    """Enter and Escape are no yes; `y` is."""
    async with running(place, operator="ada") as top:
        await ask(top, "c", "never becomes active again")
        await top.press("enter")
        await top.press("n")
        await top.hides("never becomes active again")
        assert goal_of(place).status == "active"
        await ask(top, "c", "never becomes active again")
        await top.press("y")
        await top.shows("✗ dismissed", "cleared")
        await top.press("p")
        await top.shows("not done: the goal is cleared")
    assert last_event(place).actor == "operator"


@pytest.mark.parametrize(("key", "is_approved"), [("a", True), ("x", False)])
async def test_an_answer(tmp_path: Path, key: str, is_approved: bool) -> None:
    """Approved or rejected on the goal's page, which of several is asked; decided by the operator, with a note."""
    place = str(tmp_path / "goals.db")
    with telic.connect(place) as store:
        questions = [telic.Criterion.approval(question) for question in ("Ship it?", "Tell the press?")]
        goal = store.create("move billing", criteria=questions)
    async with running(place, operator="ada") as top:
        await top.shows("move billing")
        await top.press("enter")
        await top.shows("2. pending")
        await top.press(key)
        await top.shows("Which one")
        await top.press("down", "enter")
        await top.shows("Note, if any")
        await top.type("ok")
        await top.press("enter")
        await top.shows(f"2. {'approved' if is_approved else 'rejected'}", "by ada: ok")
    with telic.connect(place) as store:
        (answer,) = store.approvals(goal.id)
        assert (answer.is_approved, answer.decided_by, answer.note) == (is_approved, "ada", "ok")
        assert store.events(goal.id)[-1].actor == "operator"


async def test_nobody_is_asked_for_an_approval(place: str) -> None:
    """A goal without such a criterion says so."""
    async with running(place, operator="ada") as top:
        await top.press("enter")
        await top.shows("lease and holds")
        await top.press("a")
        await top.shows("no criterion of the goal asks for an approval")


def rename(store: telic.GoalStore, goal: telic.Goal) -> None:
    store.edit(goal.id, text="move billing elsewhere")


@pytest.mark.parametrize(
    ("key", "title", "answer"), [("p", "Pause", "enter"), ("b", "budget", "enter"), ("c", "Clear", "y")]
)
async def test_a_stale_screen_cannot_overwrite(place: str, key: str, title: str, answer: str) -> None:
    """Somebody changes the goal while the dialog is open: nothing is done, and the last line says what it is now."""
    async with running(place, operator="ada") as top:
        await ask(top, key, title)
        with telic.connect(place) as store:
            rename(store, goal_of(place))
        await top.press(answer)
        await top.shows("somebody changed the goal meanwhile", "move billing e")
    goal = goal_of(place)
    assert (goal.status, goal.revision, goal.token_budget) == ("active", 2, 1_000)


@pytest.mark.parametrize("key", ["p", "r", "b", "c"])
async def test_read_only_refuses(place: str, key: str) -> None:
    """Without an operator no dialog comes, and nothing changes."""
    async with running(place) as top:
        await top.shows("move billing")
        await top.press(key)
        await top.shows("read-only: telic top --allow-write")
        await top.press("enter")
        await top.shows("lease and holds")
        await top.press("a")
        await top.shows("read-only: telic top --allow-write")
    assert goal_of(place).revision == 1


class _Deaf(AsyncGoalStore):
    """A real store whose answer to the first pause is lost."""

    lost = False

    async def pause(self, *arguments: Any, **named: Any) -> telic.Goal:
        goal = await super().pause(*arguments, **named)
        if not self.lost:
            self.lost = True
            raise telic.OutcomeUnknown(named["key"])
        return goal


async def test_a_lost_answer_is_asked_again(place: str) -> None:
    """With the same key, so that it happens once and is no stale update."""
    async with connect_async(place) as store:
        deaf = _Deaf(store._driver, store._context)
        goal = goal_of(place)
        result = await execute(deaf, ActionRequest(action=GoalAction.PAUSE, actor=ADA, goal=goal, expected_revision=1))
        assert deaf.lost
        assert (result.goal.status, result.goal.revision) == ("paused", 2)


@pytest.mark.parametrize(
    "make",
    [
        lambda _: telic.NamedActor(telic.Actor.OPERATOR, " "),
        lambda _: telic.NamedActor(telic.Actor.OPERATOR, "a" * 101),
        lambda _: ActionRequest(action=GoalAction.PAUSE, actor=ADA),
        lambda goal: ActionRequest(action=GoalAction.SET_BUDGET, actor=ADA, goal=goal),
        lambda goal: ActionRequest(action=GoalAction.APPROVE, actor=ADA, goal=goal),
    ],
)
def test_a_request_is_whole(place: str, make: Callable[[telic.Goal], object]) -> None:
    """Nameless and half requests are refused."""
    with pytest.raises(telic.InvalidInput):
        make(goal_of(place))
