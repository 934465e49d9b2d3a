"""What the rules of accounting ask of a colour; a blocking port never suspends, so one coroutine serves both."""

from collections.abc import Callable, Hashable
from typing import Any, Protocol

from telic.domain.budget import ModelUsage, TurnUsage, UsageKind
from telic.domain.events import TurnResult
from telic.domain.goal import Goal


class Port(Protocol):
    """A store, the time, and a way to run what is not the loop's."""

    def token(self) -> Hashable:
        """Something that differs from its earlier values once a change was, or may have been, committed."""
        ...

    async def active(self, scope: str) -> Goal | None:
        """The scope's active goal, or None."""
        ...

    async def get(self, goal_id: str) -> Goal:
        """The goal with this id."""
        ...

    async def record_turn(
        self,
        goal_id: str,
        *,
        usage: TurnUsage | ModelUsage,
        kind: UsageKind,
        model: str | None,
        hold: str | None,
        key: str,
    ) -> TurnResult:
        """See `GoalStore.record_turn`."""
        ...

    async def rest(self, seconds: float) -> None:
        """There may be something to do, or the seconds are over."""
        ...

    @property
    def is_woken(self) -> bool:
        """Whether something happened since the last rest."""
        ...

    async def pause(self, seconds: float) -> None:
        """The seconds are over."""
        ...

    async def call(self, callback: Callable[..., Any], *arguments: Any) -> None:
        """The host's callback was called, and awaited where it is a coroutine's."""
        ...

    async def offload(self, function: Callable[[], None]) -> None:
        """The function, which waits for the disk, has returned."""
        ...
