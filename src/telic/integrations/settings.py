"""How a session works on its goal."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from telic.domain.budget import Budget
from telic.domain.decision import LoopPolicy
from telic.domain.errors import InvalidInput, InvalidNumber
from telic.domain.limits import check_counter
from telic.loop.verification.verifier import Verifier
from telic.pricing import Prices


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSettings:
    """How a session works on its goal.

    `verifier` checks the criteria when the model reports completion; without one, the host does. With
    `model_may_create` the model may set a goal, of `created_budget`, where the scope has none; the store must have
    been opened with `model_may_create` too.

    Of a budget of tokens, `held_tokens` are reserved for each call of the model, or what is left if that is less. Where
    other calls hold all that is left, a call waits for them for up to `room_wait_seconds`. A call is given up for lost
    after `call_timeout_seconds`. A stop by anybody reaches a running call within `heartbeat_seconds`. A store that is
    away is waited for `patience_seconds`. Where the adapter goes on by itself, it does so for at most `max_runs` runs
    of the agent.

    Responses are priced by `prices` of your own, else by the extra `pricing`. A goal with a budget of money neither
    starts nor goes on with a model whose price is unknown; with `allow_unknown_price` it does, and such responses are
    recorded without a cost.

    Raises:
        InvalidNumber: a setting is out of its range.
        InvalidInput: a setting is of another kind.
    """

    verifier: Verifier | None = None
    model_may_create: bool = False
    created_budget: Budget = field(default_factory=Budget)
    policy: LoopPolicy = field(default_factory=LoopPolicy)
    held_tokens: int = 50_000
    prices: Prices | None = None
    allow_unknown_price: bool = False
    room_wait_seconds: float = 300.0
    call_timeout_seconds: float = 1800.0
    heartbeat_seconds: float = 2.0
    patience_seconds: float = 30.0
    max_runs: int = 100

    def __post_init__(self) -> None:
        check_counter("held_tokens", self.held_tokens)
        for name in ("model_may_create", "allow_unknown_price"):
            if type(getattr(self, name)) is not bool:
                raise InvalidInput(f"{name} is True or False")
        if self.prices is not None and not callable(self.prices) and not isinstance(self.prices, Mapping):
            raise InvalidInput("prices are a table of models' prices, or a function that gives a usage's cost")
        if check_counter("max_runs", self.max_runs) == 0:
            raise InvalidNumber("max_runs must be at least 1")
        if not 0 <= self.room_wait_seconds <= 86_400:
            raise InvalidNumber("room_wait_seconds must be from 0 to 86,400")
        if not 0 < self.call_timeout_seconds <= 86_400:
            raise InvalidNumber("call_timeout_seconds must be above 0 and at most 86,400")
        if not 0 < self.heartbeat_seconds <= 3_600:
            raise InvalidNumber("heartbeat_seconds must be above 0 and at most 3,600")
        if not 0 <= self.patience_seconds <= 86_400:
            raise InvalidNumber("patience_seconds must be from 0 to 86,400")
