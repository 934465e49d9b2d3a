"""One operation of the API, declared once: it is routed, checked and documented from this."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from starlette.types import ASGIApp

from telic.domain.goal import Actor, Goal
from telic.domain.ids import check_id_prefix
from telic.domain.lease import Lease
from telic.domain.lifecycle import NamedActor
from telic.interfaces.api.schema import Schema
from telic.store.async_store import AsyncGoalStore

_ID_CHARS = 36


class RevisionGuard(Enum):
    """Whether a write names the revision that its caller has seen."""

    NONE = "none"
    OPTIONAL = "optional"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiCall:
    """A request that matches its operation."""

    store: AsyncGoalStore
    document: Mapping[str, Any]
    streams: "OpenStreams"
    actor_name: str
    root: str
    path: Mapping[str, str]
    query: Mapping[str, Any]
    body: Mapping[str, Any]
    key: str | None
    expected_revision: int | None
    known_tags: tuple[str, ...]
    last_event_id: str | None

    async def goal(self) -> Goal:
        """Return the goal that the path names by its id or the beginning of it."""
        return await self.goal_of(self.path["goal_id"])

    async def goal_of(self, prefix: str) -> Goal:
        """Return the goal with the id that begins like this."""
        typed = check_id_prefix(prefix)
        return await (self.store.get(typed) if len(typed) == _ID_CHARS else self.store.find(typed))

    def lease(self, goal: Goal) -> Lease | None:
        """Return the lease that the body shows, if any."""
        shown = self.body.get("lease")
        return None if shown is None else Lease(goal, shown["holder"], shown["token"])

    @property
    def actor(self) -> NamedActor:
        """Return the operator that was let in."""
        return NamedActor(Actor.OPERATOR, self.actor_name, "api")


class OpenStreams:
    """Counts the open streams."""

    def __init__(self) -> None:
        self.open = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiOperation:
    """One method of a path.

    `body` is the schema of what it takes, `answer` of what it gives with `status`. `is_keyed` says that it takes an
    idempotency key, `tagged` that its answer is a goal with a tag.
    """

    name: str
    method: str
    path: str
    summary: str
    handle: Callable[[ApiCall], Awaitable[ASGIApp]]
    answer: Schema
    answer_type: str = "application/json"
    status: int = 200
    query: Mapping[str, Schema] = field(default_factory=dict[str, Schema])
    body: Schema | None = None
    guard: RevisionGuard = RevisionGuard.NONE
    is_write: bool = False
    is_keyed: bool = False
    is_tagged: bool = False
    is_stream: bool = False
