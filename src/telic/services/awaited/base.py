"""What every part of the async store works with."""

from telic.services.context import Context
from telic.storage.transaction import AsyncDriver


class StoreBase:
    """A driver, and what the host has set."""

    def __init__(self, driver: AsyncDriver, context: Context) -> None:
        self._driver = driver
        self._context = context
