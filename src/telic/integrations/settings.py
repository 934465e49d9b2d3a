"""Settings of a session, and its way to the store."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

from telic.domain.budget import Budget
from telic.domain.decision import LoopPolicy
from telic.domain.errors import InvalidInput, InvalidNumber
from telic.domain.limits import check_counter
from telic.loop.verification.verifier import Verifier
from telic.pricing import Prices
from telic.services.retry import retry
from telic.store.async_store import AsyncGoalStore
from telic.store.connect import as_async_store
from telic.store.goal_store import GoalStore

T = TypeVar("T")
AnyStore = AsyncGoalStore | GoalStore

_DAY_SECONDS: Final = 86_400
_LONGEST_PAUSE_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSettings:
    """The rules by which a session works on its goal.

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
        for name in ("room_wait_seconds", "patience_seconds"):
            if not 0 <= getattr(self, name) <= _DAY_SECONDS:
                raise InvalidNumber(f"{name} must be from 0 to {_DAY_SECONDS:,}")
        for name, longest in (("call_timeout_seconds", _DAY_SECONDS), ("heartbeat_seconds", 3_600)):
            if not 0 < getattr(self, name) <= longest:
                raise InvalidNumber(f"{name} must be above 0 and at most {longest:,}")


class StoreAccess:
    """A store, and how a session works with it."""

    def __init__(self, store: AnyStore, settings: SessionSettings | None) -> None:
        self.is_blocking = isinstance(store, GoalStore)
        self.store = as_async_store(store) if isinstance(store, GoalStore) else store
        self.settings = settings or SessionSettings()

    async def with_retries(self, call: Callable[[], Awaitable[T]]) -> T:
        """Return the call's result; while the store is away, retry. The call must be repeatable.

        Raises:
            StoreBusy, StoreUnavailable, StoreFull, OutcomeUnknown: the store stayed away, or full, for longer than the
                settings say.
        """
        return await retry(call, seconds=self.settings.patience_seconds, longest_pause_seconds=_LONGEST_PAUSE_SECONDS)
