"""What came of working on a goal by itself."""

from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from telic.domain.claim import Claim
from telic.domain.goal import Goal
from telic.integrations.session import GoalSession

T = TypeVar("T")

CONTINUE: Final = "Continue."
"""What is kept in the conversation where it goes on by itself; what it goes on with is told with each request."""


@dataclass(frozen=True, slots=True)
class RunOutcome(Generic[T]):
    """The goal as it stands, and what the agent's last whole run gave, if there was one.

    An active goal with the claim `complete` waits for the host to check its criteria. An active goal without a claim
    was left since the agent needs the host, or after as many runs as the settings allow.
    """

    goal: Goal | None
    result: T | None
    claim: Claim


async def outcome_of(session: GoalSession, result: T | None) -> RunOutcome[T]:
    """The outcome of the session's runs, of which the last whole one gave this result."""
    return RunOutcome(await session.latest(), result, session.claim)
