"""An operator's action leaves the same goal and the same history through every surface, but for the door."""

from dataclasses import replace
from pathlib import Path

import pytest

import telic
from telic.domain.lifecycle import NamedActor
from telic.services.actions import ActionRequest, GoalAction, execute_blocking, fitting_actions, why_unfit
from telic.testing.surfaces import ACTION_CASES, Acting, ActionCase, Answer, wrong_effects
from telic.testing.surfaces.actions import OPERATOR, Situation
from tests.interfaces.surfaces import SURFACES

ADA = NamedActor(telic.Actor.OPERATOR, OPERATOR, "chat")


@pytest.mark.parametrize(
    ("acting", "case"),
    [(each.acting, case) for case in ACTION_CASES for each in SURFACES if each.acting and each.acting.offers(case)],
    ids=lambda part: part.door if isinstance(part, Acting) else str(part),
)
async def test_an_action_is_the_same_through_every_surface(acting: Acting, case: ActionCase, tmp_path: Path) -> None:
    """The goal and its history; and where it is not done, nothing changes, and the answer is that of the error."""
    assert await wrong_effects(acting, str(tmp_path / "goals.db"), case) == []


async def test_the_contract_notices_what_a_surface_does_otherwise(tmp_path: Path) -> None:
    """Another note, another door, an action that was left out, and one that was done although it was refused."""

    async def act(place: str, goal: telic.Goal | None, case: ActionCase) -> Answer:
        assert goal is not None
        case.meanwhile()
        if case.action is GoalAction.PAUSE:
            with telic.connect(place) as store:
                store.pause(goal.id, note="for coffee", actor=ADA)
        return Answer(is_done=True, status=3, code="not_this")

    async def wrong(case: ActionCase) -> set[str]:
        faults = await wrong_effects(Acting("cli", act), str(tmp_path / f"{case}.db"), case)
        return {line.partition(":")[0] for line in faults}

    assert await wrong(ActionCase(GoalAction.PAUSE, note="for tea")) == {"note", "history", "acted_by"}
    assert await wrong(ActionCase(GoalAction.CLEAR)) >= {"status", "revision", "history", "acted_by"}
    stale = await wrong(ActionCase(GoalAction.PAUSE, note="for coffee", situation=Situation.STALE))
    assert stale >= {"status", "reason", "answer", "code", "advice"}


def test_an_action_that_is_built_on_what_was_read_holds_at_that_revision(tmp_path: Path) -> None:
    """A budget of which some limits stay, an answer; what stops a goal never fails because it has changed."""
    with telic.connect(str(tmp_path / "goals.db")) as store:
        seen = store.create("the goal", token_budget=1_000)
        store.edit(seen.id, text="the goal anew")
        budget = ActionRequest(action=GoalAction.SET_BUDGET, actor=ADA, goal=seen, budget=seen.budget, is_as_read=True)
        with pytest.raises(telic.StaleUpdate):
            execute_blocking(store, budget)
        with pytest.raises(telic.StaleUpdate):
            execute_blocking(store, replace(budget, key="once"))
        assert execute_blocking(store, replace(budget, expected_revision=seen.revision + 1)).goal.budget == seen.budget
        assert not execute_blocking(store, ActionRequest(action=GoalAction.PAUSE, actor=ADA, goal=seen)).goal.is_active


def try_out(store: telic.GoalStore, action: GoalAction, goal: telic.Goal) -> None:
    """Ask the store itself."""
    match action:
        case GoalAction.EDIT:
            store.edit(goal.id, text="anew")
        case GoalAction.SET_BUDGET:
            store.set_budget(goal.id, telic.Budget(turns=3))
        case GoalAction.APPROVE | GoalAction.REJECT:
            store.approve(goal.id, 0, is_approved=action is GoalAction.APPROVE, decided_by="Ada")
        case _:
            getattr(store, action.value)(goal.id)


@pytest.mark.parametrize("status", telic.GoalStatus)
def test_what_fits_a_goal_is_what_the_store_does(status: telic.GoalStatus, tmp_path: Path) -> None:
    """Every action that the one table offers is done, and every other is refused."""
    for action in set(GoalAction) - {GoalAction.CREATE, GoalAction.WAKE}:
        with telic.connect(str(tmp_path / f"{action}.db")) as store:
            goal = store.create("the goal", criteria=[telic.Criterion.approval("Ship it?")])
            if status is not telic.GoalStatus.ACTIVE:
                goal = store.transition(goal.id, status)
            checks = store.overview(goal.id).criteria
            fits = action in fitting_actions(goal, checks)
            assert fits == (why_unfit(action, goal, checks) is None)
            if fits:
                try_out(store, action, goal)
            else:
                with pytest.raises((telic.InvalidTransition, telic.NotAllowed)):
                    try_out(store, action, goal)
