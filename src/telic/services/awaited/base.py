"""What every part of the async store works with."""

from telic.services.context import Context
from telic.services.observe.observer import Observer
from telic.storage.transaction import AsyncDriver


class StoreBase:
    """A driver, and what the host has set."""

    def __init__(self, driver: AsyncDriver, context: Context) -> None:
        self._driver = driver
        self._context = context

    @property
    def observer(self) -> Observer:
        """What observes the store; it observes nothing where none was given."""
        return self._context.observer
