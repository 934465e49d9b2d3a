"""A contract for surfaces on which people act: an action leaves the same goal and the same history through each.

Each action is done, and it is refused, asked for at a revision that has passed, asked for where another goal is in the
way, and repeated under one key. What a surface left is compared with what the action itself leaves; what it answers,
with the row of the error in the one table of errors.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from telic.domain.budget import Budget
from telic.domain.criteria import Criterion
from telic.domain.errors import GoalError
from telic.domain.goal import DEFAULT_SCOPE, Actor, Goal
from telic.domain.lifecycle import NamedActor
from telic.services.actions import ANSWERS, REPLACING, ActionRequest, GoalAction, execute_blocking
from telic.services.outcomes import outcome_of
from telic.store.connect import connect
from telic.store.goal_store import GoalStore
from telic.wording.amounts import parse_budget

OPERATOR: Final = "Ada"
"""The name under which a surface must act."""

_ITSELF: Final = "done without a surface"
_IN_THE_WAY: Final = "the goal in the way"
# No two goals share these, and the two that are compared are of two scopes.
_DIFFERENT: Final = frozenset({"id", "scope", "created_at", "updated_at", "ended_at", "by"})


class Situation(StrEnum):
    """How an action is asked for: so that it is done, or so that it is not."""

    DONE = "done"
    REFUSED = "refused"
    STALE = "stale"
    WOULD_REPLACE = "would replace"
    REPLACING = "replacing"
    REPEATED = "repeated"


@dataclass(frozen=True, slots=True)
class ActionCase:
    """One action of an operator, perhaps with a note, a budget of tokens, or a text.

    A surface calls `meanwhile` when it has shown the goal and before it acts. With `key`, it asks twice. Where
    `is_guarded`, the surface names the revision of the goal that it is given; where `replaces`, it says that another
    goal may be paused.
    """

    action: GoalAction
    note: str = ""
    budget: str = ""
    text: str = ""
    situation: Situation = Situation.DONE
    meanwhile: Callable[[], None] = lambda: None

    @property
    def key(self) -> str | None:
        """Return the key of both requests, where there are two."""
        return "the same key" if self.situation is Situation.REPEATED else None

    @property
    def is_guarded(self) -> bool:
        """Return whether the revision that was seen is named."""
        return self.situation is Situation.STALE

    @property
    def replaces(self) -> bool:
        """Return whether another goal may be paused."""
        return self.situation is Situation.REPLACING

    def __str__(self) -> str:
        return " ".join(
            filter(None, (self.action, self.budget, "" if self.situation is Situation.DONE else self.situation))
        )


_ACTIONS: Final = (
    ActionCase(GoalAction.CREATE, text="the next goal", budget="5k"),
    ActionCase(GoalAction.EDIT, text="the goal anew"),
    ActionCase(GoalAction.PAUSE, note="for tea"),
    ActionCase(GoalAction.RESUME),
    ActionCase(GoalAction.RESUME, budget="5k"),
    ActionCase(GoalAction.SET_BUDGET, budget="5k"),
    ActionCase(GoalAction.COMPLETE, note="it is there"),
    ActionCase(GoalAction.CLEAR),
    ActionCase(GoalAction.WAKE),
    ActionCase(GoalAction.APPROVE, note="well done"),
    ActionCase(GoalAction.REJECT, note="not yet"),
)


def _can_be(situation: Situation, case: ActionCase) -> bool:
    if situation in (Situation.WOULD_REPLACE, Situation.REPLACING):
        return case.action in REPLACING
    return situation is not Situation.STALE or case.action is not GoalAction.CREATE


ACTION_CASES: Final = tuple(
    replace(case, situation=each) for case in _ACTIONS for each in Situation if _can_be(each, case)
)
"""Every action in every case that it can be in."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a surface answered: whether it was done, else its exit code or HTTP status, the error's code, and advice.

    What a surface does not say is None.
    """

    is_done: bool
    status: int | None = None
    code: str | None = None
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Acting:
    """How people act through a surface.

    `act` takes a store's location, a goal of the default scope (none for a creation) and a case, which it does in the
    name of `OPERATOR`. `door` is what the events say of the surface. `lacks` names actions and cases that it does not
    offer, each with the reason. A surface that `is_nameless` cannot know who acts.
    """

    door: str
    act: Callable[[str, Goal | None, ActionCase], Awaitable[Answer]]
    lacks: Mapping[str, str] = field(default_factory=dict)
    is_nameless: bool = False

    def offers(self, case: ActionCase) -> bool:
        """Return whether the case can be asked for."""
        return not self.lacks.keys() & {str(case.action), str(case.situation), f"{case.action} {case.situation}"}


async def wrong_effects(acting: Acting, location: str, case: ActionCase) -> list[str]:
    """Return a line for each thing in which the case, done through the surface, is not what it is by itself.

    The store at the location must be new: it has no goal.
    """
    with connect(location) as store:
        goal, by_itself = _goal_for(store, case, DEFAULT_SCOPE), _goal_for(store, case, _ITSELF)
    asked = replace(_unfit(case), meanwhile=lambda: _meanwhile(location, case, goal))
    answers = [await acting.act(location, goal, asked) for _ in range(2 if case.key else 1)]
    _meanwhile(location, case, by_itself)
    with connect(location) as store:
        actor = NamedActor(Actor.OPERATOR, None if acting.is_nameless else OPERATOR, acting.door)
        error = _by_itself(store, _request(_unfit(case), by_itself, actor))
        found, wanted = _left_in(store, DEFAULT_SCOPE), _left_in(store, _ITSELF)
    effects = [f"{name}: {found[name]!r} instead of {wanted[name]!r}" for name in wanted if found[name] != wanted[name]]
    return effects + [fault for answer in answers for fault in _wrong_answer(answer, error)]


def _unfit(case: ActionCase) -> ActionCase:
    # Nothing can be wrong of a goal that is not there yet but its text.
    return replace(case, text="x" * 5_000) if (case.action, case.situation) == ("create", Situation.REFUSED) else case


def _goal_for(store: GoalStore, case: ActionCase, scope: str) -> Goal | None:
    """Return the goal that the action is about, as it finds it, and make the one that is in the way."""
    goal = None
    if case.action is not GoalAction.CREATE:
        goal = store.create("the goal", scope=scope, token_budget=1_000, criteria=[Criterion.approval("Ship it?")])
        if case.action is GoalAction.WAKE:
            goal = store.pause(goal.id, wake_signal="ci")
        if case.action in (GoalAction.RESUME, GoalAction.CLEAR):
            goal = store.pause(goal.id)
        # Only a goal that has used up its budget needs another one to go on.
        if case.action is GoalAction.RESUME and case.budget:
            goal = store.record_turn(goal.id, tokens=1_000).goal
        if case.situation is Situation.REFUSED:
            goal = store.clear(goal.id)
    if case.situation in (Situation.WOULD_REPLACE, Situation.REPLACING):
        store.create(_IN_THE_WAY, scope=scope)
    return goal


def _meanwhile(location: str, case: ActionCase, goal: Goal | None) -> None:
    if case.situation is Situation.STALE and goal is not None:
        with connect(location) as store:
            store.edit(goal.id, text="what somebody made of it meanwhile")


def _by_itself(store: GoalStore, request: ActionRequest) -> GoalError | None:
    try:
        execute_blocking(store, request)
    except GoalError as error:
        return error
    return None


def _request(case: ActionCase, goal: Goal | None, actor: NamedActor) -> ActionRequest:
    return ActionRequest(
        action=case.action,
        actor=actor,
        goal=goal,
        expected_revision=None if goal is None else goal.revision,
        note=case.note or None,
        budget=parse_budget((case.budget,), Budget()) if case.budget else None,
        criterion=0 if case.action in ANSWERS else None,
        text=case.text or None,
        replace=case.replaces,
        scope=_ITSELF,
    )


def _left_in(store: GoalStore, scope: str) -> dict[str, Any]:
    """Return each of the scope's goals and its history without what no two share, and by which doors people came."""
    left: dict[str, Any] = {}
    for number, goal in enumerate(store.list(scope=scope).goals):
        events = store.events(goal.id)
        parts = _shared(goal.to_json()) | {
            "history": [(event.kind, event.revision, event.actor, _shared(event.changed)) for event in events],
            "acted_by": [dict(event.acted_by) for event in events if event.actor is Actor.OPERATOR],
        }
        left |= {name if number == 0 else f"{name} of another goal": value for name, value in parts.items()}
    return left | {"goals": len(store.list(scope=scope).goals)}


def _shared(data: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name not in _DIFFERENT}


def _wrong_answer(answer: Answer, error: GoalError | None) -> list[str]:
    """Return a line for each thing that the surface answers otherwise than the error's row says."""
    if error is None:
        return [] if answer.is_done else [f"answer: {answer} to what is done"]
    outcome = outcome_of(error)
    faults = ["answer: done, to what is not"] if answer.is_done else []
    if answer.status not in (None, outcome.exit_code, outcome.http_status):
        faults.append(f"status: {answer.status} to {error.code}")
    if answer.code not in (None, error.code):
        faults.append(f"code: {answer.code} instead of {error.code}")
    return faults if answer.advice else [*faults, f"advice: none to {error.code}"]
