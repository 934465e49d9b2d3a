"""How the goal is read, so that no cached one outlives a change that could have been seen."""

import logging
from typing import Final

from telic.accounting.ports import Port
from telic.accounting.state import Book
from telic.domain.errors import StoreError
from telic.domain.goal import Goal

_ATTEMPTS: Final = 5
_PAUSE_SECONDS: Final = 0.002
_LOG: Final = logging.getLogger("telic.accounting")


class Reader:
    """Keeps a book's goal as its store has it."""

    def __init__(self, port: Port, book: Book, scope: str) -> None:
        self._port = port
        self._book = book
        self._scope = scope

    async def look(self) -> bool:
        """The book has the goal as it is now, stale without an answer; whether it was read anew for that."""
        try:
            return await self.read()
        except StoreError as error:
            self._book.is_stale = True
            _LOG.debug("the goal cannot be read: %s", error)
        except Exception:
            self._book.is_stale = True
            _LOG.exception("the goal cannot be read")
        return False

    async def read(self) -> bool:
        """As `look`.

        Raises:
            StoreError: the store did not answer.
        """
        for attempts_left in reversed(range(_ATTEMPTS)):
            token = self._port.token()
            if self._book.is_as_of(token):
                return False
            writes = self._book.writes()
            if writes is not None or not attempts_left:
                goal = await self._goal()
                if self._book.publish(goal, token, writes, is_last_chance=not attempts_left):
                    break
            await self._port.pause(_PAUSE_SECONDS)
        return True

    async def _goal(self) -> Goal | None:
        """The scope's active goal, else what became of the one known before."""
        known = self._book.goal
        active = await self._port.active(self._scope)
        return active if active is not None or known is None else await self._port.get(known.id)
