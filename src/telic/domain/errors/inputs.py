"""Arguments that cannot be used."""

from telic.domain.errors.base import GoalError


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
