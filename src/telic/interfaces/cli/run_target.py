"""Which goal `telic run` is about: a new one, the scope's active one, or one that was left."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from telic.domain.budget import Budget
from telic.domain.criteria import Criterion
from telic.domain.errors import InvalidInput, WouldReplace
from telic.domain.goal import Goal, GoalStatus
from telic.domain.ids import looks_like_id
from telic.domain.lifecycle import NamedActor
from telic.domain.limits import MAX_PAGE
from telic.interfaces.cli.session import NoDefaultGoal
from telic.services.actions import ActionRequest, GoalAction, execute_blocking
from telic.services.insight import ScopedGoals
from telic.store.connect import as_async_store, complete
from telic.store.goal_store import GoalStore
from telic.wording.amounts import first_words, parse_budget
from telic.wording.goals import status_of

_AGAIN: Final = "--again makes a new goal of it, which is checked before anything is spent"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """The text or the id that was typed, or neither, and how the goal is to be.

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


def choose(store: GoalStore, request: RunRequest) -> tuple[Goal, str]:
    """Return the goal, and in a few words what was done so that it can be driven.

    A text makes a new goal, unless the scope has an unfinished one: that goes on where it has the same text, as if
    its id had been typed, and otherwise gives way only with `replace`. Where the scope's last goal of that text and
    these criteria is completed, that is given, unless `again` is asked for. A goal that was paused is resumed; one that
    waits goes on waiting; one that is over is given as it is. Without a target the scope's active goal is meant, or
    the only one that waits.

    Raises:
        NoDefaultGoal: there is no goal to continue.
        WouldReplace: an unfinished goal would have to give way.
        InvalidInput: the goal is there with other criteria, or another budget.
        GoalNotFound, AmbiguousId, BudgetExceeded, StoreError: as they say.
    """
    if request.target is None:
        return _go_on(store, request, _goal_to_continue(store, request.scope))
    if looks_like_id(request.target):
        return _go_on(store, request, store.find(request.target))
    # An editor or another system may have changed the line ends of a text that is kept in a file.
    text = with_plain_lines(request.target)
    goals = store.list(scope=request.scope, limit=MAX_PAGE).goals
    unfinished = [goal for goal in goals if not goal.is_finished]
    same = [goal for goal in goals if with_plain_lines(goal.text) == text]
    open_one = next((goal for goal in same if not goal.is_finished), None)
    if open_one is not None:
        return _go_on(store, request, open_one)
    # The same command in cron must not pay for what is done already.
    done = next((goal for goal in same if goal.criteria == request.criteria), None)
    if done is not None and done.status is GoalStatus.COMPLETED and not request.again:
        return done, f"goal {done.id} is {status_of(done)} already: nothing was started. {_AGAIN}"
    # Where a goal is active, the action itself refuses; nobody who types another text means to forget a paused one.
    if unfinished and not request.replace and not any(goal.is_active for goal in unfinished):
        raise WouldReplace(unfinished[0], None)
    return _create(store, request, text)


def _create(store: GoalStore, request: RunRequest, text: str) -> tuple[Goal, str]:
    budget = parse_budget(request.budgets, Budget())
    request.accept_budget(budget)
    wanted = {"text": text, "criteria": request.criteria, "max_chars": request.max_chars, "scope": request.scope}
    created, given_way = _act(store, request, GoalAction.CREATE, budget=budget, **wanted)
    return created, f"new goal {created.id}{given_way}"


def _act(store: GoalStore, request: RunRequest, action: GoalAction, **more: Any) -> tuple[Goal, str]:
    """Do the action; return the goal, and a note that says which other goal was paused."""
    asked = ActionRequest(action=action, actor=request.actor, replace=request.replace, **more)
    result = execute_blocking(store, asked)
    return result.goal, "" if result.superseded is None else f"; goal {result.superseded.id} is paused for it"


def with_plain_lines(text: str) -> str:
    """Return the text as every editor keeps it: without a byte order mark, with line ends of one character."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")


def _goal_to_continue(store: GoalStore, scope: str) -> Goal:
    found = complete(ScopedGoals(as_async_store(store), scope).under_way())
    if len(found) != 1:
        raise NoDefaultGoal(scope, "active")
    return found[0]


def _go_on(store: GoalStore, request: RunRequest, goal: Goal) -> tuple[Goal, str]:
    if goal.is_finished:
        return goal, f"goal {goal.id} is {goal.status} already: nothing was started"
    request.accept(goal)
    # Criteria that were typed and not checked would be worse than a refusal.
    if request.criteria and request.criteria != goal.criteria:
        raise InvalidInput(f"goal {goal.id} is there with other criteria: telic edit {goal.id} --check … changes them")
    if goal.status is GoalStatus.ACTIVE or goal.is_waiting:
        if request.budgets and parse_budget(request.budgets, goal.budget) != goal.budget:
            raise InvalidInput(f"goal {goal.id} has another budget: telic budget {goal.id} AMOUNT changes it")
        request.accept_budget(goal.budget)
        return goal, f"{'waits with' if goal.is_waiting else 'goes on with'} goal {goal.id}: {first_words(goal.text)}"
    return _resume(store, request, goal)


def _resume(store: GoalStore, request: RunRequest, goal: Goal) -> tuple[Goal, str]:
    wanted = parse_budget(request.budgets, goal.budget) if request.budgets else goal.budget
    request.accept_budget(wanted)
    budget = None if wanted == goal.budget else wanted
    resumed, given_way = _act(
        store, request, GoalAction.RESUME, goal=goal, expected_revision=goal.revision, budget=budget
    )
    was = f"{goal.reason}{f': {goal.note}' if goal.note else ''}"
    return resumed, f"resumed goal {goal.id}, which was paused ({was}){given_way}"
