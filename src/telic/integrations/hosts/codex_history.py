"""Where the parent's history ends, with which a forked thread of Codex, or a sub-agent that was given one, begins.

Threads and turns have UUIDs that hold the millisecond in which they were made: a turn that is older than the thread
it stands in was copied there, however long the copying took, and the turn that a hook names is the thread's own. Where
no id tells, the lines do: copying goes on without a pause, and what follows the first pause is the thread's own. That
is a guess for as long as the turn that the hook names may still come.
"""

from typing import Final
from uuid import UUID

from telic.domain.clock import Instant
from telic.loop.agents.json_reader import Fields, count_of, fields_of, text_of

_PAUSE_MICROSECONDS: Final = 1_000_000
_TIME_ORDERED: Final = 7


class CopiedHistory:
    """Follows the lines of one thread, and knows which of them are another's."""

    def __init__(self, own_turn: str | None) -> None:
        self.is_copy = False
        self.is_under_way = False
        self.is_guess = False
        self._own_turn = own_turn
        self._born: int | None = None
        self._told_by_ids = False
        self._last: int | None = None

    def begin_thread(self, meta: Fields, thread: str | None, at: Instant | None) -> None:
        """The thread's own first line was read. A sub-agent that names its parent has its history only by ids."""
        is_sub_agent = bool(fields_of(fields_of(meta, "source"), "subagent"))
        is_fork = bool(text_of(meta, "forked_from_id"))
        self.is_copy = is_fork or (is_sub_agent and not text_of(meta, "parent_thread_id"))
        # A file that refers to its parent's holds no copy of it.
        self.is_under_way = self.is_copy and not fields_of(meta, "history_base")
        self._born = _made_at(thread) if is_fork or is_sub_agent else None
        self._last = at

    def pass_line(self, at: Instant | None) -> None:
        """A line of this time was written: after a pause, by the thread itself."""
        if not self.is_under_way or at is None:
            return
        if not self._told_by_ids and self._last is not None and at - self._last > _PAUSE_MICROSECONDS:
            self.is_under_way, self.is_guess = False, self._own_turn is not None
        self._last = at

    def begin_turn(self, turn: str | None) -> None:
        """What follows belongs to this turn."""
        made_at = _made_at(turn)
        if self._born is not None and made_at is not None:
            self._told_by_ids, self.is_under_way, self.is_guess = True, made_at < self._born, False
        elif turn and turn == self._own_turn:
            self._told_by_ids, self.is_under_way, self.is_guess = True, False, False

    def carry(self) -> Fields:
        """What must be known to go on."""
        return {
            "is_copy": self.is_copy,
            "is_under_way": self.is_under_way,
            "born": self._born,
            "told_by_ids": self._told_by_ids,
            "last": self._last,
        }

    def resume(self, carry: Fields) -> None:
        """It goes on from where `carry` was taken."""
        self.is_copy = carry.get("is_copy") is True
        self.is_under_way = carry.get("is_under_way") is True
        self._born = count_of(carry, "born")
        self._told_by_ids = carry.get("told_by_ids") is True
        self._last = count_of(carry, "last")


def _made_at(name: str | None) -> int | None:
    """The millisecond in which the id was made, if it holds one."""
    try:
        made = UUID(name or "")
    except ValueError:
        return None
    return made.int >> 80 if made.version == _TIME_ORDERED else None
