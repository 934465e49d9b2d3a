"""The bounds of every input, the same on every database."""

from datetime import datetime
from enum import StrEnum
from typing import Final, TypeVar

from telic.domain.base_errors import EmptyText, InvalidInput, InvalidNumber, InvalidText, TextTooLong
from telic.domain.clock import MICRO, Instant, from_datetime

E = TypeVar("E", bound=StrEnum)

MAX_COUNTER: Final = 2**53 - 1
"""The largest count: exact also in readers whose only number is a double."""

MAX_TOLD: Final = 10**100
"""No amount that somebody told is taken for larger; what no counter holds is clipped where it is recorded (ADR 60)."""

DEFAULT_MAX_CHARS: Final = 2_000
MAX_TEXT_CHARS: Final = 20_000
MAX_NOTE_CHARS: Final = 4_000
MAX_NAME_CHARS: Final = 200
MAX_PAGE: Final = 1_000
MAX_TTL_SECONDS: Final = 86_400


def check_choice(choices: type[E], name: str, value: object) -> E:
    """Return the choice that the value is or, as text, names; else raise InvalidInput with the list of them."""
    if type(value) is choices:
        return value
    if isinstance(value, str) and value in list(choices):
        return choices(value)
    shown = f"{value!a:.50}" if isinstance(value, str) else type(value).__name__
    raise InvalidInput(f"{name} must be one of {', '.join(choices)}, not {shown}")


def check_counter(name: str, value: object) -> int:
    """Return the value, an integer from 0 to 2**53 - 1; else raise InvalidNumber: True and 1.0 are none here."""
    if type(value) is not int:
        raise InvalidNumber(f"{name} must be an integer, not {type(value).__name__}")
    if not 0 <= value <= MAX_COUNTER:
        raise InvalidNumber(f"{name} must be from 0 to 2**53 - 1")
    return value


def check_told(name: str, value: object) -> int:
    """Return the value, an amount of at least 0 that an agent, a host or a provider told; else raise InvalidNumber.

    One of more than a hundred digits is told as 10**100.
    """
    if type(value) is not int or value < 0:
        raise InvalidNumber(f"{name} must be an integer of at least 0")
    return min(value, MAX_TOLD)


def check_page_size(value: object) -> int:
    """Return the value, an integer from 1 to 1,000; else raise InvalidNumber."""
    size = check_counter("limit", value)
    if not 1 <= size <= MAX_PAGE:
        raise InvalidNumber(f"limit must be from 1 to {MAX_PAGE}")
    return size


def check_text(name: str, value: object, max_chars: int) -> str:
    """Return the value, a text of so many characters that every store keeps exactly; else raise InvalidText."""
    if not isinstance(value, str):
        raise InvalidText(f"{name} must be a text, not {type(value).__name__}")
    # Before it is searched: a huge text must cost nothing.
    if len(value) > max_chars:
        raise TextTooLong(name, max_chars)
    if "\0" in value:
        raise InvalidText(f"{name} holds a NUL character")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise InvalidText(f"{name} holds a lone surrogate, which is no character") from None
    return value


def check_goal_text(value: object, max_chars: int) -> str:
    """Return the value, a goal's text that says something; else raise InvalidText, or InvalidNumber for the bound."""
    if not 1 <= check_counter("max_chars", max_chars) <= MAX_TEXT_CHARS:
        raise InvalidNumber(f"max_chars must be from 1 to {MAX_TEXT_CHARS}")
    text = check_text("the goal's text", value, max_chars)
    if not text.strip():
        raise EmptyText("the goal's text says nothing")
    return text


def check_name(name: str, value: object) -> str:
    """Return the value, a name (scope or key) of 1 to 200 characters; else raise InvalidText."""
    text = check_text(name, value, MAX_NAME_CHARS)
    if not text:
        raise EmptyText(f"{name} is empty")
    return text


def check_note(value: object) -> str | None:
    """Return the value, a note of at most 4,000 characters, or None; else raise InvalidText."""
    return None if value is None else check_text("the note", value, MAX_NOTE_CHARS)


def check_revision(value: object) -> int | None:
    """Return the value, a revision, or None for an unguarded write; else raise InvalidNumber."""
    return None if value is None else check_counter("expected_revision", value)


def check_ttl(value: object) -> int:
    """Return the value, seconds from 0.001 to 86,400, in microseconds; else raise InvalidNumber."""
    return _microseconds("ttl_seconds", value, 0.001)


def check_pause(value: object) -> int:
    """Return the value, seconds from 0 to 86,400, in microseconds; else raise InvalidNumber."""
    return _microseconds("pause_seconds", value, 0)


def _microseconds(name: str, value: object, least: float) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidNumber(f"{name} must be a number, not {type(value).__name__}")
    if not least <= value <= MAX_TTL_SECONDS:
        raise InvalidNumber(f"{name} must be from {least} to {MAX_TTL_SECONDS}")
    return round(value * MICRO)


def check_instant(name: str, value: object) -> Instant | None:
    """Return the instant of an aware datetime, of microseconds since the epoch, or None; else raise InvalidNumber."""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise InvalidNumber(f"{name} has no time zone: give an aware datetime, such as datetime.now(UTC)")
        value = from_datetime(value)
    return None if value is None else Instant(check_counter(name, value))
