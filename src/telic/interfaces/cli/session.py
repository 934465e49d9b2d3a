"""What every command starts from: the store it opens, its scope, and how it writes."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, wraps
from pathlib import Path
from typing import Any

import click

from telic.domain.errors import GoalNotFound, InvalidInput
from telic.domain.goal import DEFAULT_SCOPE, Actor, Goal, GoalStatus
from telic.interfaces.cli.observing import observer_of
from telic.interfaces.cli.render import show_goal
from telic.interfaces.cli.terminal import ReaderGone, Terminal
from telic.services.connect import connect
from telic.services.observe.observer import Observer
from telic.services.store import GoalStore

Function = Callable[..., int | None]


def default_store() -> str:
    """The file under the user's data folder, the folder made private."""
    from platformdirs import user_data_path

    folder = user_data_path("telic")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return str(folder / "goals.db")


@dataclass
class Session:
    """One run of one command."""

    location: str | None
    scope: str
    actor: Actor
    terminal: Terminal
    creates: bool = False
    observer: Observer | None = None

    @cached_property
    def place(self) -> str:
        """The store's path or URL."""
        return self.location or default_store()

    @cached_property
    def store(self) -> GoalStore:
        """The open store; a missing one is made only by commands that write new goals."""
        if self.creates and self.location is not None and "://" not in self.location:
            Path(self.location).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return connect(self.place, create=self.creates, observer=self.observer)

    def close(self) -> None:
        """The store, if opened, is closed."""
        if "store" in self.__dict__:
            self.store.close()

    def goal(self, typed: str | None) -> Goal:
        """The goal that a person means: by a prefix of its id, or the scope's active goal.

        Raises:
            GoalNotFound, AmbiguousId, InvalidText: nothing, or too much, is meant.
        """
        if typed is not None:
            return self.store.find(typed)
        found = self.store.active(self.scope)
        if found is None:
            raise NothingActive(self.scope)
        return found

    def show_changed(self, goal: Goal, hint: str) -> None:
        """The goal as it now is, and what can come next, were shown."""
        show_goal(self.terminal, goal)
        self.terminal.hint(hint)

    def resumable(self, typed: str | None) -> Goal:
        """The goal to resume: by a prefix of its id, or the scope's only paused one."""
        if typed is not None:
            return self.store.find(typed)
        paused = self.store.list(scope=self.scope, status=GoalStatus.PAUSED, limit=2).goals
        if len(paused) > 1:
            raise InvalidInput(f"several goals are paused in scope {self.scope!a}: name one")
        if not paused:
            raise NothingActive(self.scope, "paused")
        return paused[0]


class NothingActive(GoalNotFound):
    """The scope has no active (or no paused) goal, and none was named."""

    def __init__(self, scope: str, status: str = "active") -> None:
        Exception.__init__(self, f"no goal is {status} in scope {scope!a}")
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
