"""A store's place as it stands in a host's settings: hosts start hooks in other folders and environments."""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from telic.domain.errors import InvalidInput
from telic.storage.connect import sqlite_path

_POSTGRESQL = ("postgresql", "postgres")


def for_settings(location: str) -> str:
    """Return the store's absolute path, or its URL.

    Raises:
        InvalidInput: it is a URL with a password, or none that can be read.
        StoreMisconfigured: nothing can be opened by it.
    """
    try:
        parts = urlsplit(location)
        if "://" not in location or parts.scheme not in _POSTGRESQL:
            return str(Path(sqlite_path(location)).absolute())
        has_password = bool(parts.password) or "password" in parse_qs(parts.query)
    except ValueError:
        raise InvalidInput("the store's URL cannot be read: postgresql://user@host/database") from None
    if has_password:
        raise InvalidInput(
            "a URL with a password does not belong into settings: give --store the URL without the password, and put it"
            " into ~/.pgpass (mode 600), where it is found; TELIC_STORE does not reach every host"
        )
    return location
