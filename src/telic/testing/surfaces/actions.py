"""A contract for surfaces on which people act: an action leaves the same goal and the same history through each.

A surface is one row: the door that its events name, and a function that does a deed through it. `DEEDS` are what it is
tried with, and `wrong_effects` compares what it left with what the action itself leaves.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from telic.domain.budget import Budget
from telic.domain.criteria import Criterion
from telic.domain.goal import DEFAULT_SCOPE, Actor, Goal
from telic.domain.lifecycle import NamedActor
from telic.services.actions import ANSWERS, ActionRequest, GoalAction, execute_blocking
from telic.store.connect import connect
from telic.store.goal_store import GoalStore
from telic.wording.amounts import parse_budget

OPERATOR: Final = "Ada"
"""The name under which a surface must act."""

_ITSELF: Final = "done without a surface"
# No two goals share these, and the two that are compared are of two scopes.
_DIFFERENT: Final = frozenset({"id", "scope", "created_at", "updated_at", "ended_at"})


@dataclass(frozen=True, slots=True)
class ActionCase:
    """An operator's action to try on a goal for which it fits, with its note or its budget of tokens, if any."""

    action: GoalAction
    note: str = ""
    budget: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.action, self.budget)))


DEEDS: Final = (
    ActionCase(GoalAction.PAUSE, note="for tea"),
    ActionCase(GoalAction.RESUME),
    ActionCase(GoalAction.RESUME, budget="5k"),
    ActionCase(GoalAction.SET_BUDGET, budget="5k"),
    ActionCase(GoalAction.CLEAR),
    ActionCase(GoalAction.APPROVE, note="well done"),
    ActionCase(GoalAction.REJECT, note="not yet"),
)


@dataclass(frozen=True, slots=True)
class ActingSurface:
    """A way to act on goals.

    `act` takes a store's location, a goal of the default scope, and a deed, which it does in the name of `OPERATOR`.
    `door` is what the events say of the surface. `lacks` names actions that it does not offer, each with the reason. A
    surface that `is_nameless` cannot know who acts.
    """

    door: str
    act: Callable[[str, Goal, ActionCase], Awaitable[None]]
    lacks: Mapping[GoalAction, str] = field(default_factory=dict[GoalAction, str])
    is_nameless: bool = False


async def wrong_effects(surface: ActingSurface, location: str, deed: ActionCase) -> list[str]:
    """Return a line for each thing in which the deed, done through the surface, is not what it is by itself.

    The store at the location must be new: it has no goal.
    """
    with connect(location) as store:
        goal = _goal_for(store, deed, DEFAULT_SCOPE)
    await surface.act(location, goal, deed)
    with connect(location) as store:
        by_itself = _goal_for(store, deed, _ITSELF)
        actor = NamedActor(Actor.OPERATOR, None if surface.is_nameless else OPERATOR, surface.door)
        execute_blocking(store, _request(deed, by_itself, actor))
        found, wanted = _left_by(store, goal.id), _left_by(store, by_itself.id)
    return [f"{name}: {found[name]!r} instead of {wanted[name]!r}" for name in wanted if found[name] != wanted[name]]


def _goal_for(store: GoalStore, deed: ActionCase, scope: str) -> Goal:
    goal = store.create("the goal", scope=scope, token_budget=1_000, criteria=[Criterion.approval("Ship it?")])
    if deed.action not in (GoalAction.RESUME, GoalAction.CLEAR):
        return goal
    goal = store.pause(goal.id)
    # Only a goal that has used up its budget needs another one to go on.
    return store.record_turn(goal.id, tokens=1_000).goal if deed.budget else goal


def _request(deed: ActionCase, goal: Goal, actor: NamedActor) -> ActionRequest:
    return ActionRequest(
        action=deed.action,
        actor=actor,
        goal=goal,
        expected_revision=goal.revision,
        note=deed.note or None,
        budget=parse_budget((deed.budget,), Budget()) if deed.budget else None,
        criterion=0 if deed.action in ANSWERS else None,
    )


def _left_by(store: GoalStore, goal_id: str) -> dict[str, Any]:
    """Return the goal and its history without what no two goals share, and by which doors operators came."""
    goal = {name: value for name, value in store.get(goal_id).to_json().items() if name not in _DIFFERENT}
    events = store.events(goal_id)
    history = [(event.kind, event.revision, event.actor, _changed(event.changed)) for event in events]
    acted_by = [dict(event.acted_by) for event in events if event.actor is Actor.OPERATOR]
    return {**goal, "history": history, "acted_by": acted_by}


def _changed(changed: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in changed.items() if name not in _DIFFERENT}
