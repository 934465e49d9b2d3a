"""How a store is opened."""

from collections.abc import Coroutine, Generator
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from telic.domain.clock import Clock
from telic.observability.observer import UNOBSERVED, Observer
from telic.storage.connect import files_of, is_shared, named, open_async_driver, open_driver, system_of
from telic.storage.options import Durability, OpenOptions
from telic.store.context import Context
from telic.store.goal_store import GoalStore

if TYPE_CHECKING:
    from telic.observability.store_calls import CallObserver
    from telic.store.async_store import AsyncGoalStore


def connect(
    location: str | Path,
    *,
    timeout_seconds: float = 10.0,
    durability: Durability = Durability.FULL,
    create: bool = True,
    pool_size: int = 8,
    notification_url: str | None = None,
    model_may_create: bool = False,
    clock: Clock | None = None,
    observer: Observer | None = None,
) -> GoalStore:
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
    options = OpenOptions(
        timeout_seconds=timeout_seconds,
        durability=durability,
        create=create,
        pool_size=pool_size,
        notification_url=notification_url,
    )
    context = Context(clock, model_may_create, observer, files_of(location), named(location))
    driver = open_driver(location, options)
    return GoalStore(driver, context, _call_observer(location, options, context))


class _OpeningStore:
    """SyncToAsyncStore, or entered with `async with`, gives an open store."""

    def __init__(self, opening: Coroutine[Any, Any, "AsyncGoalStore"]) -> None:
        self._opening = opening

    def __await__(self) -> Generator[Any, None, "AsyncGoalStore"]:
        return self._opening.__await__()

    async def __aenter__(self) -> "AsyncGoalStore":
        self._store = await self._opening
        return self._store

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._store.close()


def connect_async(
    location: str | Path,
    *,
    timeout_seconds: float = 10.0,
    durability: Durability = Durability.FULL,
    create: bool = True,
    pool_size: int = 8,
    notification_url: str | None = None,
    model_may_create: bool = False,
    clock: Clock | None = None,
    observer: Observer | None = None,
) -> _OpeningStore:
    """An open async store, awaited or entered with `async with`; otherwise as `connect`."""
    options = OpenOptions(
        timeout_seconds=timeout_seconds,
        durability=durability,
        create=create,
        pool_size=pool_size,
        notification_url=notification_url,
    )

    async def opening() -> "AsyncGoalStore":
        # Programs that block need neither it nor asyncio, which takes as long to load as all the rest.
        from telic.store.async_store import AsyncGoalStore

        context = Context(clock, model_may_create, observer, files_of(location), named(location))
        driver = await open_async_driver(location, options)
        return AsyncGoalStore(driver, context, _call_observer(location, options, context))

    return _OpeningStore(opening())


def name_of(location: str | Path) -> str:
    """How the store at the location is called where others read it: its whole path, or its URL without a password.

    Raises:
        StoreMisconfigured: there can be no store.
    """
    return named(location)


def _call_observer(location: str | Path, options: OpenOptions, context: Context) -> "CallObserver | None":
    """Return what observes the store's calls; None where nobody asked for it, so that nothing of it is imported."""
    if context.observer is UNOBSERVED:
        return None
    from telic.observability.store_calls import CallObserver, StatusCounter

    own = replace(options, create=False, pool_size=1)
    counter = StatusCounter(lambda: open_driver(location, own)) if is_shared(location) else None
    return CallObserver(context.observer, system_of(location), context.clock.now, counter)
