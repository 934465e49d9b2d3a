"""One client's view of the store: the goals of its scope, and the goal that it was shown last."""

from dataclasses import dataclass, field, replace
from typing import Final

from telic.domain.goal import Goal
from telic.domain.verification import Verification
from telic.integrations.session import GoalSession
from telic.integrations.settings import SessionSettings
from telic.interfaces.mcp.settings import ServerSettings
from telic.loop.prompts import feedback_of
from telic.loop.verification.verifier import Verifier
from telic.prompt import continuation, quote, render
from telic.services.insight import ScopedGoals
from telic.store.async_store import AsyncGoalStore
from telic.wording.goals import status_of

_PATIENCE_SECONDS: Final = 5.0
_UNSEEN: Final = 0
"""No goal is at this revision: a write that names it is refused, unless it was made before under the same key."""


@dataclass(slots=True)
class McpConversation:
    """One client's dealings with the goals of its scope."""

    store: AsyncGoalStore
    settings: ServerSettings
    seen: Goal | None = None
    goals: ScopedGoals = field(init=False)

    def __post_init__(self) -> None:
        self.goals = ScopedGoals(self.store, self.settings.scope)

    async def meant(self, goal_id: str | None) -> Goal | None:
        """Return the goal that is named; else the active one, the one shown last, or the one changed last.

        Raises:
            GoalNotFound, AmbiguousId, InvalidText: the scope has none of this name, or several.
        """
        if goal_id is not None:
            return await self.goals.named(goal_id)
        if self.seen is not None:
            return await self.store.active(self.settings.scope) or await self.store.get(self.seen.id)
        return await self.goals.meant()

    async def reported(self, goal_id: str | None) -> Goal | None:
        """Return the goal that a report is about: the one that is named, or that was shown last; else as `meant`."""
        if goal_id is None and self.seen is not None:
            return await self.store.get(self.seen.id)
        return await self.meant(goal_id)

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
        session.seen = None if goal is None else replace(goal, revision=self._revision(goal, revision))
        return session

    def _revision(self, goal: Goal, given: int | None) -> int:
        if given is not None:
            return given
        return self.seen.revision if self.seen is not None and self.seen.id == goal.id else _UNSEEN

    async def shown(self, goal: Goal) -> str:
        """The goal as a model reads it; from now on the client has seen it so."""
        block = render(goal, secret=await self.store.secret())
        self.remember(goal)
        return block

    def remember(self, goal: Goal) -> None:
        """The client has seen the goal as it is here. Clients that cannot be told apart are not remembered."""
        if not self.settings.shared:
            self.seen = goal


def told(goal: Goal, verification: Verification | None) -> str:
    """Return the prompt to go on: what failed when the goal was last checked, else that it continues."""
    return (verification and feedback_of(goal, verification)) or continuation(goal)


def about(goal: Goal) -> str:
    """Return the goal in one line."""
    return f"{status_of(goal)}, revision {goal.revision}: {quote(goal.text)}"
