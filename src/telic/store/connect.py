"""Opening a store, and using a blocking one as an async one."""

from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from dataclasses import KW_ONLY, dataclass, replace
from functools import wraps
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from telic.domain.clock import Clock, SystemClock
from telic.domain.goal import Goal
from telic.observability.observer import UNOBSERVED, Observer
from telic.storage.connect import files_of, is_shared, name_of, open_async_driver, open_driver, system_of
from telic.storage.operations.call import Call
from telic.storage.transaction import OpenOptions, complete
from telic.store.context import Context
from telic.store.goal_store import GoalStore

if TYPE_CHECKING:
    from telic.observability.store_calls import CallObserver
    from telic.store.async_store import AsyncGoalStore

__all__ = ["OpeningStore", "StoreOptions", "as_async_store", "complete", "connect", "connect_async", "name_of"]

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class StoreOptions(OpenOptions):
    """The location of a store and the options for opening it: the one list for `connect` and `connect_async`."""

    location: str | Path
    _: KW_ONLY
    model_may_create: bool = False
    clock: Clock | None = None
    observer: Observer | None = None

    def context(self) -> Context:
        """Return what the store brings to its calls."""
        clock = self.clock or SystemClock()
        observer = UNOBSERVED if self.observer is None else self.observer
        return Context(clock, self.model_may_create, observer, files_of(self.location), name_of(self.location))

    def call_observer(self, context: Context) -> "CallObserver | None":
        """Return what observes the store's calls; None where nobody asked, so that nothing of it is imported."""
        if context.observer is UNOBSERVED:
            return None
        from telic.observability.store_calls import CallObserver, StatusCounter

        # Goals are counted over a connection of their own: the exporter asks at any time, from a thread of its own.
        own = replace(self, create=False, pool_size=1)
        counter = StatusCounter(lambda: open_driver(self.location, own)) if is_shared(self.location) else None
        return CallObserver(context.observer, system_of(self.location), context.clock.now, counter)


def _takes(options: Callable[P, StoreOptions]) -> Callable[[Callable[[StoreOptions], R]], Callable[P, R]]:
    """Let a function that opens a store be called with these options; its signature says so at run time, too."""

    def decorate(opens: Callable[[StoreOptions], R]) -> Callable[P, R]:
        @wraps(opens)
        def called(*arguments: P.args, **named: P.kwargs) -> R:
            return opens(options(*arguments, **named))

        returned = signature(opens).return_annotation
        vars(called)["__signature__"] = signature(options).replace(return_annotation=returned)
        return called

    return decorate


@_takes(StoreOptions)
def connect(options: StoreOptions) -> GoalStore:
    """An open store: a path or `sqlite:///…` for SQLite, `postgresql://…` for PostgreSQL, its schema up to date.

    No call lasts longer than `timeout_seconds` without an answer. With `create` off, a missing database is an
    error. Behind a pooler in transaction mode, `notification_url` leads past it to the server, for notifications of
    changes; without one the store looks for changes twice a second. `model_may_create` lets `Actor.MODEL` create
    goals in scopes that have no unfinished one. `observer` sees every call, from `telic.observe`; without one, calls
    are made as if there were none.

    Raises:
        StoreMisconfigured, StoreUnavailable, StoreCorrupt, SchemaMismatch, StoreBusy: nothing was written.
        MissingExtra: the database's library is not installed.
    """
    context = options.context()
    return GoalStore(open_driver(options.location, options), context, options.call_observer(context))


class OpeningStore:
    """A store that is being opened: awaited, or entered with `async with`, it gives the open store."""

    def __init__(self, opening: Coroutine[Any, Any, "AsyncGoalStore"]) -> None:
        self._opening = opening

    def __await__(self) -> Generator[Any, None, "AsyncGoalStore"]:
        return self._opening.__await__()

    async def __aenter__(self) -> "AsyncGoalStore":
        self._store = await self._opening
        return self._store

    async def __aexit__(self, *_: object) -> None:
        await self._store.close()


@_takes(StoreOptions)
def connect_async(options: StoreOptions) -> OpeningStore:
    """An open async store, awaited or entered with `async with`; otherwise as `connect`."""
    return OpeningStore(_open_async(options))


async def _open_async(options: StoreOptions) -> "AsyncGoalStore":
    # Programs that block need neither it nor asyncio, which takes as long to load as all the rest.
    from telic.store.async_store import AsyncGoalStore

    context = options.context()
    driver = await open_async_driver(options.location, options)
    return AsyncGoalStore(driver, context, options.call_observer(context))


class SyncToAsyncStore:
    """A blocking store with the methods of an async one; awaiting them never suspends."""

    def __init__(self, store: GoalStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._store, name)

        async def call(*arguments: Any, **named: Any) -> Any:
            return method(*arguments, **named)

        return call

    def new_call(self, *arguments: Any, **named: Any) -> Call:
        """See `AsyncGoalStore.new_call`, which is no coroutine either."""
        return self._store.new_call(*arguments, **named)

    async def iterate(self, **filters: Any) -> AsyncIterator[Goal]:
        """See `AsyncGoalStore.iterate`."""
        for goal in self._store.iterate(**filters):
            yield goal


def as_async_store(store: GoalStore) -> "AsyncGoalStore":
    """Return the blocking store as an async one, whose coroutines `complete` runs to their end.

    So a service is written once, as coroutines, and runs on both.
    """
    # The one cast: the blocking methods are generated from the async ones, so each of them is there.
    return cast("AsyncGoalStore", SyncToAsyncStore(store))
