"""`/goal` for chat programs: a typed line is executed, and answered with a value that tells everything.

One executor serves both stores. It reads the goal that is meant, then writes with that goal's revision, so that what
somebody else changed in between is reported and not overwritten.
"""

from telic.domain.clock import Clock, Instant, SystemClock
from telic.domain.goal import DEFAULT_SCOPE, Actor
from telic.domain.limits import DEFAULT_MAX_CHARS
from telic.services.chat.executor import Executor, Request
from telic.services.chat.replies import Reply
from telic.storage.transaction import complete
from telic.store.async_store import AsyncGoalStore
from telic.store.goal_store import GoalStore
from telic.store.sync_to_async import as_async_store


def execute(
    store: GoalStore,
    line: str,
    *,
    scope: str = DEFAULT_SCOPE,
    actor: Actor = Actor.USER,
    expected_revision: int | None = None,
    max_chars: int = DEFAULT_MAX_CHARS,
    key: str | None = None,
    clock: Clock | None = None,
) -> Reply:
    """The `/goal` command in the line is done, or the reply says why not; no error of the store is raised.

    Only goals of `scope` are seen and changed. `expected_revision` is the revision that the person saw, where the
    program knows it; otherwise the goal as it is read now is meant. `key` is the message's own id, where the program
    has one: delivered again, the message changes its goal no second time. (Without an ID in it, a message means the
    goal that is active by then: a program that has answered a message does not execute it again.) `clock` tells ages.
    """
    request = Request(line, scope, actor, expected_revision, max_chars, key, _now(clock))
    return complete(Executor(as_async_store(store), request).answer())


async def execute_async(
    store: AsyncGoalStore,
    line: str,
    *,
    scope: str = DEFAULT_SCOPE,
    actor: Actor = Actor.USER,
    expected_revision: int | None = None,
    max_chars: int = DEFAULT_MAX_CHARS,
    key: str | None = None,
    clock: Clock | None = None,
) -> Reply:
    """As `execute`, on an async store."""
    request = Request(line, scope, actor, expected_revision, max_chars, key, _now(clock))
    return await Executor(store, request).answer()


def _now(clock: Clock | None) -> Instant:
    return (clock or SystemClock()).now()
