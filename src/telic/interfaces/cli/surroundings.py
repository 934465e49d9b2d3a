"""What surrounds a command: its user, the default store, what observes it, and the words that a shell completes."""

import getpass
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from telic.domain.errors import GoalError, StoreMisconfigured
from telic.domain.ids import short_ids
from telic.domain.views import GoalPage
from telic.observability.observer import Observer

_MOST: Final = 200


def complete_goals(context: click.Context, _parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Return the goals, of the scope that is named if one is, whose id begins as typed, or whose short id does."""
    from telic.wording.amounts import first_words

    found: list[CompletionItem] = []
    is_named = context.get_parameter_source("scope") is ParameterSource.COMMANDLINE
    for page in _pages(context, context.params["scope"] if is_named else os.environ.get("TELIC_SCOPE")):
        listed = list(page.goals)
        for goal, short in zip(listed, short_ids([goal.id for goal in listed]), strict=True):
            word = short if short.startswith(typed) else goal.id
            if word.startswith(typed):
                found.append(CompletionItem(word, help=first_words(goal.text, 40)))
    return found


def complete_scopes(context: click.Context, _parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Return the scopes of the newest goals."""
    return _beginning({goal.scope for page in _pages(context, None) for goal in page.goals}, typed)


def complete_workers(context: click.Context, _parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Return the workers that drive the newest goals."""
    named = {lease.worker for page in _pages(context, None) for lease in page.entries}
    return _beginning({name for name in named if name is not None}, typed)


def _beginning(words: set[str], typed: str) -> list[CompletionItem]:
    return [CompletionItem(word) for word in sorted(words) if word.startswith(typed)]


def _pages(context: click.Context, scope: str | None) -> Iterator[GoalPage]:
    """Yield the newest goals; nothing where the store cannot be read: a shell has no place for an error."""
    from telic.store.connect import connect

    try:
        place = context.params.get("store") or os.environ.get("TELIC_STORE") or default_store()
        with connect(place, create=False) as store:
            yield store.list(scope=scope, limit=_MOST)
    except GoalError:
        return


def login_name() -> str:
    """Return the user's name; one without a name is called by number."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"uid {os.getuid()}"


def default_store() -> str:
    """Return the path of the file under the user's data folder; it may not be there.

    Raises:
        StoreMisconfigured: the user has no such folder.
    """
    # Most commands name their store: they need not load what looks for folders.
    from platformdirs import user_data_path

    try:
        folder = user_data_path("telic")
    except (OSError, KeyError, RuntimeError):
        folder = Path()
    if not folder.is_absolute():
        raise StoreMisconfigured("the default store has no place: HOME is not set, and the user has no home folder")
    return str(folder / "goals.db")


def make_folder_of(store: str) -> None:
    """The folder of a store that is to be made is there, for its owner only; a URL has none.

    Raises:
        StoreMisconfigured: it cannot be made.
    """
    if "://" in store:
        return
    folder = Path(store).parent
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreMisconfigured(f"the store's folder {folder} cannot be made: {error.strerror}") from error


def observer_of(context: click.Context) -> Observer | None:
    """Return what observes the stores that the command opens, if anything does."""
    found = context.find_root().obj
    return found if isinstance(found, Observer) else None
