"""The words that a shell offers where a goal, a scope or a worker is typed."""

import os
from collections.abc import Iterator
from typing import Final

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from telic.domain.errors import GoalError
from telic.domain.ids import short_ids
from telic.domain.views import GoalPage

_MOST: Final = 200


def goals(context: click.Context, _parameter: click.Parameter, typed: str) -> list[CompletionItem]:
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


def scopes(context: click.Context, _parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Return the scopes of the newest goals."""
    return _beginning({goal.scope for page in _pages(context, None) for goal in page.goals}, typed)


def workers(context: click.Context, _parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Return the workers that drive the newest goals."""
    named = {lease.worker for page in _pages(context, None) for lease in page.entries}
    return _beginning({name for name in named if name is not None}, typed)


def _beginning(words: set[str], typed: str) -> list[CompletionItem]:
    return [CompletionItem(word) for word in sorted(words) if word.startswith(typed)]


def _pages(context: click.Context, scope: str | None) -> Iterator[GoalPage]:
    """Yield the newest goals; nothing where the store cannot be read: a shell has no place for an error."""
    from telic.interfaces.cli.options import default_store
    from telic.store.connect import connect

    try:
        place = context.params.get("store") or os.environ.get("TELIC_STORE") or default_store()
        with connect(place, create=False) as store:
            yield store.list(scope=scope, limit=_MOST)
    except GoalError:
        return
