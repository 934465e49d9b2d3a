"""How a session works on its goal."""

from dataclasses import dataclass, field

from telic.domain.budget import Budget
from telic.domain.decision import LoopPolicy
from telic.domain.errors import InvalidInput, InvalidNumber
from telic.domain.limits import check_counter
from telic.loop.verification.verifier import Verifier


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSettings:
    """How a session works on its goal.

    `verifier` checks the criteria when the model reports completion; without one, the host does. With
    `model_may_create` the model may set a goal, of `created_budget`, where the scope has none; the store must have
    been opened with `model_may_create` too.

    Of a budget of tokens, `held_tokens` are reserved for each call of the model, and stay reserved for a day where
    the call's usage is unknown. A call is given up for lost after `call_timeout_seconds`. A stop by anybody reaches a
    running call within `heartbeat_seconds`. A store that is away is waited for `patience_seconds`. Where the adapter
    goes on by itself, it does so for at most `max_runs` runs of the agent.

    Raises:
        InvalidNumber: a setting is out of its range.
    """

    verifier: Verifier | None = None
    model_may_create: bool = False
    created_budget: Budget = field(default_factory=Budget)
    policy: LoopPolicy = field(default_factory=LoopPolicy)
    held_tokens: int = 50_000
    call_timeout_seconds: float = 1800.0
    heartbeat_seconds: float = 2.0
    patience_seconds: float = 30.0
    max_runs: int = 100

    def __post_init__(self) -> None:
        check_counter("held_tokens", self.held_tokens)
        if type(self.model_may_create) is not bool:
            raise InvalidInput("model_may_create is True or False")
        if check_counter("max_runs", self.max_runs) == 0:
            raise InvalidNumber("max_runs must be at least 1")
        if not 0 < self.call_timeout_seconds <= 86_400:
            raise InvalidNumber("call_timeout_seconds must be above 0 and at most 86,400")
        if not 0 < self.heartbeat_seconds <= 3_600:
            raise InvalidNumber("heartbeat_seconds must be above 0 and at most 3,600")
        if not 0 <= self.patience_seconds <= 86_400:
            raise InvalidNumber("patience_seconds must be from 0 to 86,400")
