"""What every part of the blocking store works with."""

from telic.services.context import Context
from telic.storage.transaction import Driver


class StoreBase:
    """A driver, and what the host has set."""

    def __init__(self, driver: Driver, context: Context) -> None:
        self._driver = driver
        self._context = context
