"""Which goal `telic run` is about: a new one, the scope's active one, or one that was left."""

from collections.abc import Callable
from dataclasses import dataclass

from telic.domain.amounts import parse_budget
from telic.domain.budget import Budget
from telic.domain.criteria import Criterion
from telic.domain.errors import InvalidInput, NotAllowed
from telic.domain.goal import Actor, Goal, GoalStatus
from telic.domain.ids import looks_like_id
from telic.domain.wording import first_words
from telic.interfaces.cli.session import NothingActive
from telic.services.store import GoalStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What was typed: a text or an id, or neither, and how the goal is to be.

    `accept` raises for a goal that is there and cannot be driven.
    """

    target: str | None
    scope: str
    criteria: tuple[Criterion, ...]
    budgets: tuple[str, ...]
    replace: bool
    actor: Actor
    accept: Callable[[Goal], None]

    @property
    def is_id(self) -> bool:
        """Whether the target names a goal that is there."""
        return self.target is not None and looks_like_id(self.target)


def choose(store: GoalStore, wish: Wish) -> tuple[Goal, str]:
    """The goal, and what was done so that it can be driven, in a few words.

    A text makes a new goal, unless the scope has an unfinished one: that goes on where it has the same text, as if
    its id had been typed, and otherwise gives way only with `replace`. A goal that was paused is resumed; one that
    waits goes on waiting; one that is over is given as it is. Without a target the scope's active goal is meant, or
    the only one that waits.

    Raises:
        NothingActive: there is nothing to go on with.
        NotAllowed, WouldReplace: an unfinished goal would have to give way.
        InvalidInput: the goal is there with other criteria, or another budget.
        GoalNotFound, AmbiguousId, BudgetExceeded, StoreError: as they say.
    """
    if wish.target is None:
        return _go_on(store, wish, _meant(store, wish.scope))
    if wish.is_id:
        return _go_on(store, wish, store.find(wish.target))
    unfinished = [goal for goal in store.list(scope=wish.scope, limit=1000).goals if not goal.is_finished]
    same = next((goal for goal in unfinished if goal.text == wish.target), None)
    if same is not None:
        return _go_on(store, wish, same)
    if unfinished and not wish.replace:
        raise _would_replace(unfinished[0])
    budget = parse_budget(wish.budgets, Budget())
    goal = store.create(
        wish.target,
        scope=wish.scope,
        budget=budget,
        criteria=wish.criteria,
        replace=wish.replace,
        actor=wish.actor,
    )
    return goal, f"new goal {goal.id}" + _given_way(unfinished)


def _meant(store: GoalStore, scope: str) -> Goal:
    active = store.active(scope)
    if active is not None:
        return active
    paused = store.list(scope=scope, status=GoalStatus.PAUSED, limit=1000).goals
    waiting = [goal for goal in paused if goal.is_waiting]
    if len(waiting) == 1:
        return waiting[0]
    raise NothingActive(scope)


def _go_on(store: GoalStore, wish: Wish, goal: Goal) -> tuple[Goal, str]:
    if goal.is_finished:
        return goal, f"goal {goal.id} is {goal.status} already"
    wish.accept(goal)
    if wish.criteria and wish.criteria != goal.criteria:
        raise InvalidInput(f"goal {goal.id} is there with other criteria: telic edit {goal.id} --check … changes them")
    if goal.status is GoalStatus.ACTIVE or goal.is_waiting:
        if wish.budgets and parse_budget(wish.budgets, goal.budget) != goal.budget:
            raise InvalidInput(f"goal {goal.id} has another budget: telic budget {goal.id} AMOUNT changes it")
        return goal, f"{'waits with' if goal.is_waiting else 'goes on with'} goal {goal.id}: {first_words(goal.text)}"
    return _resume(store, wish, goal)


def _resume(store: GoalStore, wish: Wish, goal: Goal) -> tuple[Goal, str]:
    active = store.active(goal.scope)
    if active is not None and not wish.replace:
        raise _would_replace(active)
    wanted = parse_budget(wish.budgets, goal.budget) if wish.budgets else goal.budget
    resumed = store.resume(
        goal.id,
        budget=None if wanted == goal.budget else wanted,
        expected_revision=goal.revision,
        replace=wish.replace,
        actor=wish.actor,
    )
    was = f"{goal.reason}{f': {goal.note}' if goal.note else ''}"
    return resumed, f"resumed goal {goal.id}, which was paused ({was})" + _given_way([active] if active else [])


def _would_replace(goal: Goal) -> NotAllowed:
    return NotAllowed(
        f"scope {goal.scope!r} has an unfinished goal, {goal.id} ({goal.status}): {first_words(goal.text)!r}; "
        f"telic run {goal.id} goes on with it, --replace puts it aside"
    )


def _given_way(unfinished: list[Goal]) -> str:
    active = next((goal for goal in unfinished if goal.status is GoalStatus.ACTIVE), None)
    return "" if active is None else f"; goal {active.id} is paused for it"
