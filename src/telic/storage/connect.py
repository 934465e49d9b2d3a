"""From a path or URL to a driver; a database's library is imported only when such a database is opened."""

import re
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from telic.domain.base_errors import needs_extra
from telic.domain.errors import StoreMisconfigured
from telic.storage.transaction import SIDE_FILES, TURNSTILE, AsyncDriver, Driver, OpenOptions

_HOST_AND_PATH: Final = re.compile(r"^([^/?#]*)(/[^?#]*)?")
IN_MEMORY: Final = ":memory:"
_POSTGRES_SCHEMES: Final = ("postgresql", "postgres")


def open_driver(location: str | Path, options: OpenOptions) -> Driver:
    """Return a blocking driver for the location, whose database is there and at the newest schema.

    Raise StoreError if it cannot be opened, MissingExtra if the database's library is not installed.
    """
    if _names_postgres(location):
        with needs_extra("postgres", "PostgreSQL"):
            from telic.storage.drivers.postgres import PostgresDriver

        return PostgresDriver.open(str(location), options)
    from telic.storage.drivers.sqlite import SqliteDriver

    return SqliteDriver(sqlite_path(location), options)


async def open_async_driver(location: str | Path, options: OpenOptions) -> AsyncDriver:
    """Return an async driver for the location; otherwise as `open_driver`."""
    if _names_postgres(location):
        with needs_extra("postgres", "PostgreSQL"):
            from telic.storage.drivers.postgres_queue import QueuedPostgresDriver

        return await QueuedPostgresDriver.open(str(location), options)
    import asyncio

    from telic.storage.drivers.sqlite_async import AsyncSqliteDriver

    return await asyncio.to_thread(AsyncSqliteDriver, sqlite_path(location), options)


def system_of(location: str | Path) -> str:
    """Return the location's database in OpenTelemetry's words."""
    return "postgresql" if _names_postgres(location) else "sqlite"


def is_shared(location: str | Path) -> bool:
    """Return whether another connection to the location finds the same database: not where it is in memory."""
    return _names_postgres(location) or str(sqlite_path(location)) != IN_MEMORY


def name_of(location: str | Path) -> str:
    """Return the location as others may read it: a whole path, or a URL without user, password and parameters.

    Raises:
        StoreMisconfigured: there can be no store.
    """
    if not _names_postgres(location):
        path = sqlite_path(location)
        return str(path) if str(path) == IN_MEMORY else str(Path(path).absolute())
    scheme, _, rest = str(location).partition("://")
    authority, path = _HOST_AND_PATH.findall(rest)[0]
    secret, at, host = authority.rpartition("@")
    # A secret that was not percent-encoded may stand anywhere.
    return f"{scheme}://…" if "@" in rest.removeprefix(f"{secret}{at}") else f"{scheme}://{host}{path}"


def files_of(location: str | Path) -> tuple[Path, ...]:
    """Return the whole paths of the files that the store at the location has, or may have; none on a server."""
    if not is_shared(location) or _names_postgres(location):
        return ()
    path = Path(sqlite_path(location))
    path = path.parent.resolve() / path.name
    return tuple(path.with_name(path.name + side) for side in ("", *SIDE_FILES, TURNSTILE))


def _names_postgres(location: str | Path) -> bool:
    return isinstance(location, str) and location.split("://")[0].lower() in _POSTGRES_SCHEMES and "://" in location


def sqlite_path(location: str | Path) -> str | Path:
    """Return the path that an SQLite location names: a path as it is, or what follows `sqlite:///`.

    Raises:
        StoreMisconfigured: it is a URL of another kind, or no path at all.
    """
    if isinstance(location, Path):
        return location
    if not isinstance(location, str) or not location or "\0" in location:
        raise StoreMisconfigured("a store is opened by a path, or a sqlite:/// or postgresql:// URL")
    if "://" not in location and location.split(":")[0].lower() in (*_POSTGRES_SCHEMES, "sqlite"):
        # Not repeated: a mistyped URL may hold a password.
        raise StoreMisconfigured("a URL has :// after its scheme: sqlite:///path or postgresql://…")
    if "://" not in location:
        return location
    try:
        parts = urlsplit(location)
    except ValueError:
        raise StoreMisconfigured("the URL cannot be read: sqlite:///path or postgresql://…") from None
    if parts.scheme != "sqlite" or parts.netloc or parts.query or parts.fragment or len(parts.path) < 2:
        raise StoreMisconfigured(f"a URL of kind {parts.scheme!a} opens no store; use sqlite:///path or postgresql://…")
    return unquote(parts.path[1:])
