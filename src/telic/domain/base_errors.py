"""The root of every error, and the errors that know nothing of goals: the modules of the domain raise these.

Import them from `telic.domain.errors`, which has all; only what that module needs itself imports them from here.
"""

from collections.abc import Generator
from contextlib import contextmanager
from typing import ClassVar

from telic.domain.clock import MICRO as _MICRO


class GoalError(Exception):
    """The root of every error Telic raises. `code` is stable across releases; messages are not."""

    code: ClassVar[str] = "goal_error"
    retryable: ClassVar[bool] = False

    def __init_subclass__(cls, *, code: str | None = None) -> None:
        super().__init_subclass__()
        if code is not None:
            cls.code = code

    # An exception is pickled as its class and the arguments of its message, which are not those of its constructor.
    def __reduce__(self) -> tuple[object, ...]:
        return _restore, (type(self), self.args, self.__dict__)


def _restore(kind: type[GoalError], arguments: tuple[object, ...], state: dict[str, object]) -> GoalError:
    error = kind.__new__(kind, *arguments)
    error.args = arguments
    error.__dict__.update(state)
    return error


class InvalidInput(GoalError, ValueError, code="invalid_input"):
    """An argument is unusable. Nothing was written; a retry fails alike."""


class InvalidText(InvalidInput, code="invalid_text"):
    """A text holds what no store keeps: NUL, a lone surrogate, or no text at all."""


class EmptyText(InvalidText, code="empty_text"):
    """A text that must say something is empty or white space."""


class TextTooLong(InvalidText, code="text_too_long"):
    """A text has more characters than allowed; `max` says how many are."""

    def __init__(self, name: str, max: int) -> None:
        super().__init__(f"{name} may have at most {max} characters")
        self.max = max


class InvalidNumber(InvalidInput, code="invalid_number"):
    """A number is no integer, out of its range, or would carry a counter past 2**53 - 1."""


class InvalidCursor(InvalidInput, code="invalid_cursor"):
    """The cursor was not made by this listing."""


class InvalidCommand(InvalidInput, code="invalid_command"):
    """A typed command cannot be understood, or means two things. Nothing was done.

    `suggestions` are whole commands that can be sent instead, the likeliest first.
    """

    def __init__(self, message: str, suggestions: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.suggestions = suggestions


class WorkspaceMissing(GoalError, code="workspace_missing"):
    """The folder that a goal is worked on in is not there, or is none. Nothing was written; put it back first."""


class MissingExtra(GoalError, ModuleNotFoundError, code="missing_extra"):
    """A library that this part of Telic needs is not installed. Nothing was written; install `extra`, then retry."""

    def __init__(self, what: str, extra: str, also: str = "") -> None:
        super().__init__(f"{what} needs its extra: pip install 'telic[{extra}]'{also and ' '}{also}")
        self.extra = extra


@contextmanager
def needs_extra(extra: str, what: str, also: str = "") -> Generator[None]:
    """Import inside what the extra brings, else raise MissingExtra; `also` names the packages to install besides."""
    try:
        yield
    except ImportError as error:
        # A module of Telic's own that is missing is a fault of Telic, and no extra would mend it.
        if isinstance(error, MissingExtra) or (error.name or "").partition(".")[0] == "telic":
            raise
        raise MissingExtra(what, extra, also) from error


class GoalNotFound(GoalError, code="goal_not_found"):
    """No goal has this id. Nothing was written; a retry finds nothing either."""

    def __init__(self, goal_id: str) -> None:
        super().__init__(f"no goal has the id {goal_id!r}")
        self.goal_id = goal_id


class AmbiguousId(GoalError, code="ambiguous_id"):
    """Several goals' ids begin, or end, like this. Nothing was written; give more characters.

    `ids` are some of them.
    """

    def __init__(self, prefix: str, ids: tuple[str, ...] = ()) -> None:
        known = f": {', '.join(ids)}" if ids else ""
        super().__init__(f"several goals have an id that begins or ends with {prefix!r}{known}")
        self.prefix = prefix
        self.ids = ids


class KeyConflict(GoalError, code="key_conflict"):
    """The key already belongs to another call. Nothing was written; use a fresh key for a new call."""

    def __init__(self, key: str) -> None:
        super().__init__(f"the key {key!r} was already used for another call")
        self.key = key


class TurnConflict(KeyConflict, code="turn_conflict"):
    """The turn key was recorded with other usage. Nothing was written; the first record stands."""


class LeaseLost(GoalError, code="lease_lost"):
    """Another worker holds the goal, or the lease ran out. Nothing was written; stop working on it."""


class LeaseHeld(GoalError, code="lease_held"):
    """Another worker has the goal's lease: `worker` says who. Nothing was written; ask again when it has expired."""

    def __init__(self, goal_id: str, worker: str | None, expires_in_microseconds: int) -> None:
        seconds = max(0, expires_in_microseconds) / _MICRO
        super().__init__(f"goal {goal_id} is driven by {worker!r} for the next {seconds:.1f} s")
        self.goal_id = goal_id
        self.worker = worker
        self.expires_in_microseconds = expires_in_microseconds


class HoldLost(GoalError, code="hold_lost"):
    """The hold was settled, released, or freed by its expiry. Nothing was written; record the turn without it."""


class NotAllowed(GoalError, code="not_allowed"):
    """This actor may not do this. Nothing was written; somebody with the authority must."""


def unknown_price(who: str, *ways: str, has_table: bool) -> str:
    """Return why a goal's budget of money cannot hold, and the ways in which it can."""
    table = [] if has_table else ["install the table of prices (pip install 'telic[pricing]')"]
    *first, last = [*table, *ways]
    listed = f"{', '.join(first)}, or {last}" if first else last
    return f"the goal has a budget of money, but the price of {who} is unknown: {listed}"


class PriceUnknown(GoalError, code="price_unknown"):
    """The goal has a budget of money, and nobody knows what the model costs. The model was not called.

    Give a price of your own for the model (`None` where its name is not known either), install the extra `pricing`,
    take the budget of money away, or allow unknown prices.
    """

    def __init__(self, model: str | None, *, has_table: bool) -> None:
        own, allow = "give a price of your own (`prices` in the settings)", "set `allow_unknown_price`"
        who = "its model" if model is None else f"the model {model!a}"
        super().__init__(unknown_price(who, own, "take the budget of money away", allow, has_table=has_table))
        self.model = model


class StoreError(GoalError, code="store_error"):
    """The store failed, as opposed to refusing. Subclasses say what was written."""


class StoreBusy(StoreError, code="store_busy"):
    """Others held the store for longer than the time-out. Nothing was written; a retry is safe."""

    retryable = True


class StoreUnavailable(StoreError, code="store_unavailable"):
    """The store cannot be reached. Nothing was written; a retry is safe."""

    retryable = True


class OutcomeUnknown(StoreError, code="outcome_unknown"):
    """The store failed while committing: the change may or may not be there.

    Repeat the call with `key`: it then happens exactly once.
    """

    retryable = True

    def __init__(self, key: str | None) -> None:
        super().__init__(f"the store failed while committing; repeat the call with the key {key!r}")
        self.key = key


class StoreFull(StoreError, code="store_full"):
    """The disk, or the database's allowance of it, is full. Nothing was written; retry when there is room."""


class StoreMoved(StoreError, code="store_moved"):
    """The database file was deleted or replaced under the open store. Nothing was written; open it again."""


class StoreCorrupt(StoreError, code="store_corrupt"):
    """The database holds what Telic cannot have written. Nothing was written; run `telic doctor`."""


class StoreMisconfigured(StoreError, code="store_misconfigured"):
    """The path or URL cannot be a Telic store as it stands. Nothing was written; the message says what to mend."""


class SchemaMismatch(StoreError, code="schema_mismatch"):
    """The database's schema is newer than this Telic, or not Telic's. Nothing was written; upgrade Telic."""


class StoreClosed(StoreError, code="store_closed"):
    """The store was closed before this call. Nothing was written; open a new one."""


PASSING: tuple[type[StoreError], ...] = (StoreBusy, StoreUnavailable, StoreFull, OutcomeUnknown)
"""Failures that pass, by themselves or with an operator's help: repeat the call with its key until then."""
