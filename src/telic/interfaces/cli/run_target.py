"""Which goal `telic run` is about: a new one, the scope's active one, or one that was left."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from telic.domain.budget import Budget
from telic.domain.criteria import Criterion
from telic.domain.errors import InvalidInput, NotAllowed
from telic.domain.goal import Goal, GoalStatus
from telic.domain.ids import looks_like_id
from telic.domain.lifecycle import NamedActor
from telic.interfaces.cli.session import NothingActive
from telic.services.actions import ActionRequest, ActionResult, GoalAction, execute_blocking
from telic.store.goal_store import GoalStore
from telic.wording.amounts import parse_budget
from telic.wording.goals import status_of
from telic.wording.words import first_words

_AGAIN: Final = "--again makes a new goal of it, which is checked before anything is spent"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What was typed: a text or an id, or neither, and how the goal is to be.

    A text is the same whatever its line ends are. `again` makes a new goal although the same one is completed.
    `accept` raises for a goal that is there and cannot be driven, `accept_budget` for limits that cannot hold.
    """

    target: str | None
    scope: str
    criteria: tuple[Criterion, ...]
    budgets: tuple[str, ...]
    replace: bool
    again: bool
    max_chars: int
    actor: NamedActor
    accept: Callable[[Goal], None]
    accept_budget: Callable[[Budget], None]

    @property
    def is_id(self) -> bool:
        """Whether the target names a goal that is there."""
        return self.target is not None and looks_like_id(self.target)


def choose(store: GoalStore, wish: RunRequest) -> tuple[Goal, str]:
    """The goal, and what was done so that it can be driven, in a few words.

    A text makes a new goal, unless the scope has an unfinished one: that goes on where it has the same text, as if
    its id had been typed, and otherwise gives way only with `replace`. Where the scope's last goal of that text and
    these criteria is completed, that is given, unless `again` is asked for. A goal that was paused is resumed; one that
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
    text = with_plain_lines(wish.target)
    goals = store.list(scope=wish.scope, limit=1000).goals
    unfinished = [goal for goal in goals if not goal.is_finished]
    same = [goal for goal in goals if with_plain_lines(goal.text) == text]
    open_one = next((goal for goal in same if not goal.is_finished), None)
    if open_one is not None:
        return _go_on(store, wish, open_one)
    done = next((goal for goal in same if goal.criteria == wish.criteria), None)
    if done is not None and done.status is GoalStatus.COMPLETED and not wish.again:
        return done, f"goal {done.id} is {status_of(done)} already: nothing was started. {_AGAIN}"
    if unfinished and not wish.replace:
        raise _would_replace(unfinished[0])
    return _create(store, wish, text)


def _create(store: GoalStore, wish: RunRequest, text: str) -> tuple[Goal, str]:
    budget = parse_budget(wish.budgets, Budget())
    wish.accept_budget(budget)
    request = ActionRequest(
        action=GoalAction.CREATE,
        actor=wish.actor,
        scope=wish.scope,
        text=text,
        budget=budget,
        criteria=wish.criteria,
        max_chars=wish.max_chars,
        replace=wish.replace,
    )
    created = execute_blocking(store, request)
    return created.goal, f"new goal {created.goal.id}" + _given_way(created)


def with_plain_lines(text: str) -> str:
    """The text as every editor keeps it: without a byte order mark, with line ends of one character."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")


def _meant(store: GoalStore, scope: str) -> Goal:
    active = store.active(scope)
    if active is not None:
        return active
    paused = store.list(scope=scope, status=GoalStatus.PAUSED, limit=1000).goals
    waiting = [goal for goal in paused if goal.is_waiting]
    if len(waiting) == 1:
        return waiting[0]
    raise NothingActive(scope)


def _go_on(store: GoalStore, wish: RunRequest, goal: Goal) -> tuple[Goal, str]:
    if goal.is_finished:
        return goal, f"goal {goal.id} is {goal.status} already: nothing was started"
    wish.accept(goal)
    if wish.criteria and wish.criteria != goal.criteria:
        raise InvalidInput(f"goal {goal.id} is there with other criteria: telic edit {goal.id} --check … changes them")
    if goal.status is GoalStatus.ACTIVE or goal.is_waiting:
        if wish.budgets and parse_budget(wish.budgets, goal.budget) != goal.budget:
            raise InvalidInput(f"goal {goal.id} has another budget: telic budget {goal.id} AMOUNT changes it")
        wish.accept_budget(goal.budget)
        return goal, f"{'waits with' if goal.is_waiting else 'goes on with'} goal {goal.id}: {first_words(goal.text)}"
    return _resume(store, wish, goal)


def _resume(store: GoalStore, wish: RunRequest, goal: Goal) -> tuple[Goal, str]:
    active = store.active(goal.scope)
    if active is not None and not wish.replace:
        raise _would_replace(active)
    wanted = parse_budget(wish.budgets, goal.budget) if wish.budgets else goal.budget
    wish.accept_budget(wanted)
    request = ActionRequest(
        action=GoalAction.RESUME,
        actor=wish.actor,
        goal=goal,
        expected_revision=goal.revision,
        budget=None if wanted == goal.budget else wanted,
        replace=wish.replace,
    )
    resumed = execute_blocking(store, request)
    was = f"{goal.reason}{f': {goal.note}' if goal.note else ''}"
    return resumed.goal, f"resumed goal {goal.id}, which was paused ({was})" + _given_way(resumed)


def _would_replace(goal: Goal) -> NotAllowed:
    return NotAllowed(
        f"scope {goal.scope!r} has an unfinished goal, {goal.id} ({goal.status}): {first_words(goal.text)!r}; "
        f"telic run {goal.id} goes on with it, --replace puts it aside"
    )


def _given_way(result: ActionResult) -> str:
    return "" if result.superseded is None else f"; goal {result.superseded.id} is paused for it"
