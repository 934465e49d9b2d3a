"""How a store is opened."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from telic.domain.errors import InvalidNumber

SIDE_FILES: Final = ("-wal", "-shm", "-journal")
"""What SQLite puts beside a database while it is open."""

TURNSTILE: Final = "-turnstile"
"""What Telic keeps beside it: the writers' queue, and where the file came from."""


class Durability(StrEnum):
    """What an acknowledged write survives: a power cut (`full`), or the end of the process only (`normal`)."""

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
