"""Settings of a server, fixed when it starts; no client's argument can widen them."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from telic.domain.budget import Budget
from telic.domain.goal import DEFAULT_SCOPE
from telic.domain.limits import check_name


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
