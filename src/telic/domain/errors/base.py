"""The root of every error, the errors of unusable arguments, and that of a missing extra."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import ClassVar


class GoalError(Exception):
    """The root of every error Telic raises. `code` is stable across releases; messages are not."""

    code: ClassVar[str] = "goal_error"
    retryable: ClassVar[bool] = False

    def __reduce__(self) -> tuple[object, ...]:
        return _restore, (type(self), self.args, self.__dict__)


def _restore(kind: type[GoalError], arguments: tuple[object, ...], state: dict[str, object]) -> GoalError:
    """The error as it was pickled; its own arguments are not those of its message."""
    error = kind.__new__(kind, *arguments)
    error.args = arguments
    error.__dict__.update(state)
    return error


class InvalidInput(GoalError, ValueError):
    """An argument is unusable. Nothing was written; a retry fails alike."""

    code = "invalid_input"


class InvalidText(InvalidInput):
    """A text holds what no store keeps: NUL, a lone surrogate, or no text at all."""

    code = "invalid_text"


class EmptyText(InvalidText):
    """A text that must say something is empty or white space."""

    code = "empty_text"


class TextTooLong(InvalidText):
    """A text has more characters than allowed; `max` says how many are."""

    code = "text_too_long"

    def __init__(self, name: str, max: int) -> None:
        super().__init__(f"{name} may have at most {max} characters")
        self.max = max


class InvalidNumber(InvalidInput):
    """A number is no integer, out of its range, or would carry a counter past 2**53 - 1."""

    code = "invalid_number"


class InvalidCursor(InvalidInput):
    """The cursor was not made by this listing."""

    code = "invalid_cursor"


class InvalidCommand(InvalidInput):
    """A typed command cannot be understood, or means two things. Nothing was done.

    `suggestions` are whole commands that can be sent instead, the likeliest first.
    """

    code = "invalid_command"

    def __init__(self, message: str, suggestions: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.suggestions = suggestions


class MissingExtra(GoalError, ModuleNotFoundError):
    """A library that this part of Telic needs is not installed. Nothing was written; install `extra`, then retry."""

    code = "missing_extra"

    def __init__(self, what: str, extra: str, also: str = "") -> None:
        super().__init__(f"{what} needs its extra: pip install 'telic[{extra}]'{also and ' '}{also}")
        self.extra = extra


@contextmanager
def needs_extra(extra: str, what: str, also: str = "") -> Generator[None]:
    """Import inside what the extra brings; `also` names the packages to install besides.

    Raises:
        MissingExtra: a module that is not Telic's own cannot be imported.
    """
    try:
        yield
    except ImportError as error:
        if isinstance(error, MissingExtra) or (error.name or "").partition(".")[0] == "telic":
            raise
        raise MissingExtra(what, extra, also) from error
