"""One client's conversation: its server's settings, the goals that it sees, and its next steps."""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Final

from telic.domain.budget import Budget
from telic.domain.goal import DEFAULT_SCOPE, Goal
from telic.domain.limits import check_name
from telic.integrations.session import GoalSession
from telic.integrations.settings import SessionSettings
from telic.loop.verification.verifier import Verifier
from telic.prompt import quote, render
from telic.services.insight import ScopedGoals
from telic.store.async_store import AsyncGoalStore
from telic.wording.goals import status_of


class Role(StrEnum):
    """A server's role: what its clients may do."""

    OBSERVER = "observer"
    """Look at goals."""
    AGENT = "agent"
    """Work on the goal: also report progress, completion and obstacles, as the model."""
    OPERATOR = "operator"
    """Steer as well: also create, pause, resume and clear goals and set budgets, as an operator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """Settings of one server. Its clients see the goals of `scope` and no others.

    With `agent_may_create` an agent may set a goal, of `created_budget`, where the scope has no unfinished one; the
    store must have been opened with `model_may_create` too. With a `workspace`, criteria are checked there when
    completion is reported. A `shared` server cannot tell its clients apart: each call must say by itself which
    revision of a goal it is about. `store_name` tells clients which store it is, without a secret.

    Raises:
        EmptyText, TextTooLong, InvalidText: the scope cannot be one.
    """

    scope: str = DEFAULT_SCOPE
    role: Role = Role.AGENT
    agent_may_create: bool = False
    created_budget: Budget = field(default_factory=Budget)
    workspace: Path | None = None
    shared: bool = False
    store_name: str = ""

    def __post_init__(self) -> None:
        check_name("scope", self.scope)


_PATIENCE_SECONDS: Final = 5.0
# No goal is at this revision: a write that names it is refused, unless it was made before under the same key.
_UNSEEN: Final = 0


@dataclass(slots=True)
class McpConversation:
    """One client's dealings with the goals of its scope."""

    store: AsyncGoalStore
    settings: ServerSettings
    seen: Goal | None = None

    @property
    def goals(self) -> ScopedGoals:
        """Return the goals of the server's scope."""
        return ScopedGoals(self.store, self.settings.scope)

    async def resolve_goal(self, goal_id: str | None) -> Goal | None:
        """Return the goal that is named; else the active one, the one shown last, or the one changed last.

        Raises:
            GoalNotFound, AmbiguousId, InvalidText: the scope has none of this name, or several.
        """
        if goal_id is not None:
            return await self.goals.named(goal_id)
        if self.seen is not None:
            return await self.store.active(self.settings.scope) or await self.store.get(self.seen.id)
        return await self.goals.default_goal()

    async def reported(self, goal_id: str | None) -> Goal | None:
        """Return the goal that a report is about: the named one, or the one shown last; else as `resolve_goal`."""
        if goal_id is None and self.seen is not None:
            return await self.store.get(self.seen.id)
        return await self.resolve_goal(goal_id)

    def session(self, goal: Goal | None, revision: int | None) -> GoalSession:
        """Return a session for a report about the goal at this revision, or at the one that was shown."""
        settings, workspace = self.settings, self.settings.workspace
        session = GoalSession(
            self.store,
            scope=settings.scope,
            settings=SessionSettings(
                verifier=None if workspace is None else Verifier(workspace=workspace),
                model_may_create=settings.agent_may_create,
                created_budget=settings.created_budget,
                patience_seconds=_PATIENCE_SECONDS,
            ),
        )
        if goal is not None:
            shown = self.seen.revision if self.seen is not None and self.seen.id == goal.id else _UNSEEN
            session.seen = replace(goal, revision=shown if revision is None else revision)
        return session

    async def shown(self, goal: Goal) -> str:
        """Return the goal as a model reads it; from now on the client has seen it so."""
        block = render(goal, secret=await self.store.secret())
        self.remember(goal)
        return block

    def remember(self, goal: Goal) -> None:
        """Remember that the client has seen this state of the goal, unless the server cannot tell its clients apart."""
        if not self.settings.shared:
            self.seen = goal


def about(goal: Goal) -> str:
    """Return the goal in one line."""
    return f"{status_of(goal)}, revision {goal.revision}: {quote(goal.text)}"
