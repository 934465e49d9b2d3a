"""The session of one command: its store, its scope, who runs it, and how it writes."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Any, Final

import click

from telic.domain.errors import GoalError, GoalNotFound, InvalidInput
from telic.domain.goal import Actor, Goal
from telic.domain.lifecycle import NamedActor
from telic.interfaces.cli import options
from telic.interfaces.cli.exit_codes import CommandFailed
from telic.interfaces.cli.options import default_store, login_name, make_folder_of, observer_of
from telic.interfaces.cli.render import show_goal
from telic.interfaces.cli.terminal import ReaderGone, Terminal
from telic.observability.observer import Observer
from telic.services.actions import ActionRequest, GoalAction, execute_blocking
from telic.services.insight import ScopedGoals
from telic.services.next_steps import about
from telic.store.connect import as_async_store, complete, connect
from telic.store.goal_store import GoalStore
from telic.wording.amounts import first_words, humanize

if TYPE_CHECKING:
    from telic.store.async_store import AsyncGoalStore

Function = Callable[..., int | None]
_NAMED: Final = 5


@dataclass
class Session:
    """One run of one command. `key` and `revision` are those that were typed, where the command takes them."""

    location: str | None
    scope: str
    actor: Actor
    terminal: Terminal
    creates: bool = False
    observer: Observer | None = None
    revision: int | None = None
    key: str | None = None
    target: Goal | None = None
    """The goal that the command is about, as soon as it is known: hints name it."""
    _superseded: Goal | None = None

    @cached_property
    def place(self) -> str:
        """Return the store's path or URL."""
        return self.location or default_store()

    @cached_property
    def store(self) -> GoalStore:
        """Return the open store; a missing one is made only by commands that write new goals."""
        # A command that only reads must not leave an empty store where a path was mistyped.
        if self.creates:
            make_folder_of(self.place)
        return connect(self.place, create=self.creates, observer=self.observer)

    @property
    def async_store(self) -> "AsyncGoalStore":
        """Return the store for what is written once for both kinds of stores: give its coroutines to `complete`."""
        return as_async_store(self.store)

    @property
    def goals(self) -> ScopedGoals:
        """Return the reader of the scope's goals: give its coroutines to `complete`."""
        return ScopedGoals(self.async_store, self.scope)

    @property
    def target_id(self) -> str | None:
        """Return the id of the command's goal; None before it is known."""
        return None if self.target is None else self.target.id

    def close(self) -> None:
        """The store, if opened, is closed."""
        if "store" in self.__dict__:
            self.store.close()

    def goal(self, typed: str | None) -> Goal:
        """Return the goal that a person means: by a part of its id, else the scope's active goal, else its latest.

        Raises:
            GoalNotFound, AmbiguousId, InvalidText: nothing, or too much, is meant.
        """
        self.target = complete(self.goals.default_goal()) if typed is None else self.store.find(typed)
        if self.target is None:
            raise NoDefaultGoal(self.scope)
        return self.target

    def resumable(self, typed: str | None) -> Goal:
        """Return the goal to resume: by a part of its id, or the scope's only paused one.

        Raises:
            GoalNotFound, AmbiguousId, InvalidText, InvalidInput: nothing, or too much, is meant.
        """
        if typed is not None:
            return self.goal(typed)
        paused = complete(self.goals.paused(_NAMED + 1))
        if len(paused) > 1:
            named = [f"{goal.id} ({humanize(goal.reason)}) “{first_words(goal.text, 30)}”" for goal in paused[:_NAMED]]
            more = ", and others" if len(paused) > _NAMED else ""
            raise InvalidInput(f"several goals are paused in scope {self.scope!r}: {', '.join(named)}{more}; name one")
        if not paused:
            raise NoDefaultGoal(self.scope, "paused")
        self.target = paused[0]
        return paused[0]

    @property
    def named_actor(self) -> NamedActor:
        """Return who runs the command, by the login name where that is a person."""
        # A model or a host that runs as somebody is not that person.
        is_person = self.actor in (Actor.USER, Actor.OPERATOR)
        return NamedActor(self.actor, login_name() if is_person else None, "cli")

    def act(self, action: GoalAction, goal: Goal | None, **more: Any) -> Goal:
        """Do the action as the person or program that runs the command, and return the goal after it.

        Raises:
            GoalError: as `execute`.
        """
        request = ActionRequest(
            action=action,
            actor=self.named_actor,
            goal=goal,
            expected_revision=self.revision,
            key=self.key,
            scope=self.scope,
            **more,
        )
        result = execute_blocking(self.store, request)
        self._superseded, self.target = result.superseded, result.goal
        return result.goal

    def show_changed(self, goal: Goal, hint: str) -> None:
        """Show the goal as it is now, the goal that was paused for it, and the next step."""
        show_goal(self.terminal, goal, self._superseded)
        self.target = goal
        self.hint(hint)

    def hint(self, text: str) -> None:
        """Show the next step, with the goal's id for `{id}`."""
        self.terminal.hint(about(text, self.target_id))


class NoDefaultGoal(GoalNotFound):
    """No goal was named, and the scope has no goal that the command could take by default."""

    def __init__(self, scope: str, status: str | None = None) -> None:
        found = f"scope {scope!r} has no goals" if status is None else f"no goal is {status} in scope {scope!r}"
        Exception.__init__(self, found)
        self.goal_id = ""


def command(
    *, creates: bool = False, actor: Actor = Actor.USER, keyed: bool = False, guarded: bool = False
) -> Callable[[Function], Function]:
    """Return the decorator that adds the options that every command has, and calls it with a `Session` first.

    A `keyed` command takes --key, a `guarded` one --key and --revision.
    """

    def decorate(function: Function) -> Function:
        @wraps(function)
        def call(store: str | None, scope: str, actor: str, as_json: bool, **arguments: Any) -> int | None:
            context = click.get_current_context()
            session = Session(store, scope, Actor(actor), Terminal(as_json=as_json), creates, observer_of(context))
            if guarded:
                session.revision = arguments.pop("revision")
            if keyed or guarded:
                session.key = arguments.pop("key")
            context.call_on_close(session.close)
            try:
                return function(session, **arguments)
            except GoalError as error:
                raise CommandFailed(error, context.command, session.target_id) from error
            except BrokenPipeError as error:
                # Click would make a failure of it.
                raise ReaderGone from error

        as_json = click.option("--json", "as_json", is_flag=True, help="Write JSON, also for errors.")
        kinds = click.Choice([kind.value for kind in Actor])
        by = click.option("--actor", type=kinds, default=actor.value, show_default=True, help="On whose behalf.")
        own = [options.key] * (keyed or guarded) + [options.revision] * guarded
        for option in (as_json, by, options.scope, options.store, *own):
            call = option(call)
        return call

    return decorate
