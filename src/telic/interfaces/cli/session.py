"""The session of one command: its store, its scope, who runs it, and how it writes."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Any, Final

import click

from telic.domain.errors import GoalNotFound, InvalidInput
from telic.domain.goal import DEFAULT_SCOPE, Actor, Goal, GoalStatus
from telic.domain.lifecycle import NamedActor
from telic.interfaces.cli.observing import observer_of
from telic.interfaces.cli.options import login_name
from telic.interfaces.cli.render import show_goal
from telic.interfaces.cli.store_place import default_store, make_folder_of
from telic.interfaces.cli.terminal import ReaderGone, Terminal
from telic.observability.observer import Observer
from telic.services.actions import ActionRequest, GoalAction, execute_blocking
from telic.services.scoped_goals import ScopedGoals
from telic.store.connect import as_async_store, complete, connect
from telic.store.goal_store import GoalStore
from telic.wording.words import first_words, spoken

if TYPE_CHECKING:
    from telic.store.async_store import AsyncGoalStore

Function = Callable[..., int | None]
_NAMED: Final = 5


@dataclass
class Session:
    """One run of one command."""

    location: str | None
    scope: str
    actor: Actor
    terminal: Terminal
    creates: bool = False
    observer: Observer | None = None
    _superseded: Goal | None = None

    @cached_property
    def place(self) -> str:
        """Return the store's path or URL."""
        return self.location or default_store()

    @cached_property
    def store(self) -> GoalStore:
        """Return the open store; a missing one is made only by commands that write new goals."""
        if self.creates:
            make_folder_of(self.place)
        return connect(self.place, create=self.creates, observer=self.observer)

    def close(self) -> None:
        """The store, if opened, is closed."""
        if "store" in self.__dict__:
            self.store.close()

    def goal(self, typed: str | None) -> Goal:
        """Return the goal that a person means: by a part of its id, else the scope's active goal, else its latest.

        Raises:
            GoalNotFound, AmbiguousId, InvalidText: nothing, or too much, is meant.
        """
        if typed is not None:
            return self.store.find(typed)
        found = complete(ScopedGoals(self.async_store, self.scope).meant())
        if found is None:
            raise NoGoals(self.scope)
        return found

    @property
    def async_store(self) -> "AsyncGoalStore":
        """The store for what is written once, for both kinds of stores: give its coroutines to `complete`."""
        return as_async_store(self.store)

    @property
    def named_actor(self) -> NamedActor:
        """Return who runs the command, by the login name where that is a person."""
        is_person = self.actor in (Actor.USER, Actor.OPERATOR)
        return NamedActor(self.actor, login_name() if is_person else None, "cli")

    def act(self, action: GoalAction, goal: Goal | None, revision: int | None, key: str | None, **more: Any) -> Goal:
        """The action is done, as the person or program that runs the command; here is the goal after it.

        Raises:
            GoalError: as `execute`.
        """
        request = ActionRequest(
            action=action,
            actor=self.named_actor,
            goal=goal,
            expected_revision=revision,
            key=key,
            scope=self.scope,
            **more,
        )
        result = execute_blocking(self.store, request)
        self._superseded = result.superseded
        return result.goal

    def show_changed(self, goal: Goal, hint: str) -> None:
        """The goal as it now is, the goal that was paused for it, and what can come next, were shown."""
        show_goal(self.terminal, goal, self._superseded)
        self.terminal.hint(hint)

    def resumable(self, typed: str | None) -> Goal:
        """Return the goal to resume: by a part of its id, or the scope's only paused one."""
        if typed is not None:
            return self.store.find(typed)
        paused = self.store.list(scope=self.scope, status=GoalStatus.PAUSED, limit=_NAMED + 1).goals
        if len(paused) > 1:
            named = [f"{goal.id} ({spoken(goal.reason)}) “{first_words(goal.text, 30)}”" for goal in paused[:_NAMED]]
            more = ", and others" if len(paused) > _NAMED else ""
            raise InvalidInput(f"several goals are paused in scope {self.scope!r}: {', '.join(named)}{more}; name one")
        if not paused:
            raise NothingActive(self.scope, "paused")
        return paused[0]


class NoGoals(GoalNotFound):
    """The scope has no goal at all, and none was named."""

    def __init__(self, scope: str) -> None:
        Exception.__init__(self, f"scope {scope!r} has no goals")
        self.goal_id = ""


class NothingActive(GoalNotFound):
    """The scope has no active (or no paused) goal, and none was named."""

    def __init__(self, scope: str, status: str = "active") -> None:
        Exception.__init__(self, f"no goal is {status} in scope {scope!r}")
        self.goal_id = ""


def command(*, creates: bool = False, actor: Actor = Actor.USER) -> Callable[[Function], Function]:
    """Adds the options that every command has, and calls it with a `Session` first."""

    def decorate(function: Function) -> Function:
        @wraps(function)
        def call(store: str | None, scope: str, actor: str, as_json: bool, **arguments: Any) -> int | None:
            context = click.get_current_context()
            session = Session(store, scope, Actor(actor), Terminal(as_json=as_json), creates, observer_of(context))
            context.call_on_close(session.close)
            try:
                return function(session, **arguments)
            except BrokenPipeError as error:
                # Click would make a failure of it.
                raise ReaderGone from error

        for option in _shared_options(actor):
            call = option(call)
        return call

    return decorate


def _shared_options(actor: Actor) -> list[Callable[[Any], Any]]:
    return [
        click.option("--json", "as_json", is_flag=True, help="Write JSON, also for errors."),
        click.option(
            "--actor",
            type=click.Choice([kind.value for kind in Actor]),
            default=actor.value,
            show_default=True,
            help="On whose behalf.",
        ),
        click.option(
            "--scope",
            default=lambda: os.environ.get("TELIC_SCOPE", DEFAULT_SCOPE),
            help=f"The goals' owner, also TELIC_SCOPE.  [default: {DEFAULT_SCOPE}]",
        ),
        click.option(
            "--store",
            default=lambda: os.environ.get("TELIC_STORE") or None,
            help="A path, or a sqlite:/// or postgresql:// URL, also TELIC_STORE.  [default: the user's data folder]",
        ),
    ]
