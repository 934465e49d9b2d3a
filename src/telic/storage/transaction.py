"""The view that an operation has of a database, the methods of a driver, its options, and its rest at a fork."""

import os
import weakref
from collections.abc import Callable, Coroutine, Hashable, Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from telic.domain.errors import InvalidNumber, StoreCorrupt, StoreError
from telic.domain.report import Finding

Value = int | str | None
Row = tuple[Any, ...]
Parameters = Mapping[str, Value]

T = TypeVar("T")


SIDE_FILES: Final = ("-wal", "-shm", "-journal")
"""The files that SQLite puts beside a database while it is open."""
TURNSTILE: Final = "-turnstile"
"""The file that Telic keeps beside it: the writers' queue, and where the database came from."""


class Durability(StrEnum):
    """How durable an acknowledged write is: it survives a power cut (`full`), or the process's end only (`normal`)."""

    FULL = "full"
    NORMAL = "normal"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenOptions:
    """Settings of a driver.

    No call lasts longer than `timeout_seconds` without an answer. With `create` off, a database that is not
    there, or has no tables yet, is an error. `pool_size` bounds the connections to PostgreSQL. Behind a pooler in
    transaction mode, `notification_url` leads past it to the server, for notifications.
    """

    timeout_seconds: float = 10.0
    durability: Durability = Durability.FULL
    create: bool = True
    pool_size: int = 8
    notification_url: str | None = None

    def __post_init__(self) -> None:
        if not 0 < self.timeout_seconds <= 3600:
            raise InvalidNumber("timeout_seconds must be more than 0 and at most 3600")
        if not 1 <= self.pool_size <= 1000:
            raise InvalidNumber("pool_size must be from 1 to 1000")


class Mode(Enum):
    """The transaction that an operation needs."""

    READ = "read"
    """It writes nothing."""
    SINGLE = "single"
    """Its first statement alone writes, all or nothing; what follows only reads. It may run without BEGIN."""
    ATOMIC = "atomic"
    """Several of its statements write; they commit together."""


class Raced(StoreError):
    """Another transaction got in between. The driver runs the operation again; users never see this."""


class ConstraintRefused(Raced):
    """A unique index refused the change: another transaction was first, or the rows do not fit together."""


def never_accepted() -> StoreCorrupt:
    """Return the error of a call that a unique index refuses whenever it is made."""
    return StoreCorrupt(
        "an index refuses this change every time: the goal's rows do not fit together; run `telic doctor`"
    )


class LimitViolated(StoreError):
    """A column's CHECK refused a value. The operation only reads from then on, and raises the error that says which."""


class Transaction(Protocol):
    """The only thing an operation may await."""

    async def one_or_none(self, statement: str, parameters: Parameters) -> Row | None:
        """Return the row that the named statement gives, or None where it gives none."""

    async def all(self, statement: str, parameters: Parameters) -> list[Row]:
        """Return all rows that the named statement gives."""
        ...


Operation = Callable[[Transaction], Coroutine[Any, Any, T]]


class CommitWatch(Protocol):
    """A watch over commits of all processes; asking costs microseconds while nobody commits."""

    def token(self) -> Hashable:
        """Return something that differs from its earlier values once a change was, or may have been, committed."""

    def close(self) -> None:
        """The watch is over. Closing twice does nothing."""


class Changes(CommitWatch, Protocol):
    """A watch for threads."""

    def wait(self, token: Hashable, seconds: float) -> None:
        """Return when the token may differ from the given one, or the seconds are over, or earlier."""


class AsyncChanges(CommitWatch, Protocol):
    """A watch for tasks."""

    async def wait(self, token: Hashable, seconds: float) -> None:
        """See `Changes.wait`; other tasks go on meanwhile."""


class Driver(Protocol):
    """Runs operations, each in its own transaction, and translates every database error."""

    def run(self, operation: Operation[T], mode: Mode, key: str | None) -> T:
        """Return what the operation returned, committed; nothing of it is there if this raises.

        Except for OutcomeUnknown(key), after which the same call with the same key is the safe retry. The
        operation may be run more than once, so it has no effect but through its transaction.
        """
        ...

    def read_one(self, statement: str, parameters: Parameters) -> Row | None:
        """Return the row of a statement that reads at most one, by the shortest way there is."""

    def changes(self) -> Changes:
        """Return a new watch over commits: one thread waits with it, any may ask for its token."""
        ...

    def inspect(self) -> list[Finding]:
        """Return the findings on the database beyond its rows: damage, schema, durability, file safety."""
        ...

    def copy_into(self, target: Path, /) -> None:
        """The empty file is a copy of the database as it was at some moment since; any thread may call it.

        Raises:
            InvalidInput: this database is not copied so; the message says how it is.
        """

    def close(self) -> None:
        """The database is released. Closing twice does nothing."""


class AsyncDriver(Protocol):
    """`Driver`, awaited."""

    async def run(self, operation: Operation[T], mode: Mode, key: str | None) -> T:
        """See `Driver.run`."""
        ...

    async def read_one(self, statement: str, parameters: Parameters) -> Row | None:
        """See `Driver.read_one`."""

    def changes(self) -> AsyncChanges:
        """Return a new watch over commits, for one task."""
        ...

    def copy_into(self, target: Path, /) -> None:
        """See `Driver.copy_into`; blocks."""

    async def close(self) -> None:
        """See `Driver.close`."""


def complete(operation: Coroutine[Any, Any, T]) -> T:
    """Return what the coroutine returns; it awaits only a blocking transaction, and so never suspends (ADR 1)."""
    try:
        operation.send(None)
    except StopIteration as stop:
        value: T = stop.value
        return value
    operation.close()
    raise RuntimeError("an operation awaited something other than its transaction")


class ForkAware(Protocol):
    """Something that must be at rest when the process forks (ADR 9); work goes on in the parent.

    The child leaves to the parent what is the parent's, and makes its own when it needs it.
    """

    def before_fork(self) -> None:
        """Nothing of it is under way."""

    def after_fork_in_parent(self) -> None:
        """It goes on."""

    def after_fork_in_child(self) -> None:
        """It has nothing of the parent's."""


def watch_forks(target: ForkAware) -> None:
    """As long as the target lives, its methods are called at every fork."""
    reference = weakref.ref(target)

    def at_fork(method: str) -> Callable[[], None]:
        # What is registered can never be taken back, so it must not keep the target alive.
        return lambda: getattr(reference(), method, lambda: None)()

    os.register_at_fork(
        before=at_fork("before_fork"),
        after_in_parent=at_fork("after_fork_in_parent"),
        after_in_child=at_fork("after_fork_in_child"),
    )
