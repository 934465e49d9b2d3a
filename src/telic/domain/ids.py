"""Ids and keys; values as JSON keeps them, and the digests of such texts."""

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final, NewType

from telic.domain.base_errors import InvalidText
from telic.domain.clock import Instant

GoalId = NewType("GoalId", str)
"""A UUID of version 7 as text, so that ids made later sort later."""

MIN_PREFIX_CHARS: Final = 8
MAX_ID_CHARS: Final = 64
_SHORT_ID_CHARS: Final = 12
_PREFIX = re.compile(r"[0-9a-f-]{8,36}")
_TYPED_ID: Final = re.compile(r"[0-9a-f]{8}[0-9a-f-]{0,28}")


def new_goal_id(at: Instant, randomness: bytes | None = None) -> GoalId:
    """A new UUIDv7 (RFC 9562, section 5.7): 48 bits of milliseconds, 74 bits of chance.

    `randomness` of 10 bytes makes the id repeatable, for imports that must find what they made before.
    """
    # 74 random bits: 12 after the version, 62 after the variant.
    bits = int.from_bytes(os.urandom(10) if randomness is None else randomness[:10])
    value = (at // 1000) << 80 | 0x7 << 76 | (bits >> 68) << 64 | 0b10 << 62 | bits & (1 << 62) - 1
    text = f"{value:032x}"
    return GoalId(f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}")


def new_key() -> str:
    """Return a new idempotency key of 128 random bits."""
    return os.urandom(16).hex()


def looks_like_id(text: str) -> bool:
    """Return whether a typed word can be an id, or 8 or more characters of one."""
    return _TYPED_ID.fullmatch(text.strip().lower()) is not None


def check_id_prefix(prefix: object) -> str:
    """Return the prefix in lower case, at least 8 characters of an id; else raise InvalidText."""
    if not isinstance(prefix, str) or not _PREFIX.fullmatch(prefix.strip().lower()):
        raise InvalidText(
            f"an id is 36 hexadecimal digits and hyphens, of which the first or last {MIN_PREFIX_CHARS} must be given"
        )
    return prefix.strip().lower()


def check_id(goal_id: object) -> str:
    """Return the id, a text that a store can look up; else raise InvalidText."""
    if isinstance(goal_id, str) and goal_id.isascii() and len(goal_id) <= MAX_ID_CHARS and "\0" not in goal_id:
        return goal_id
    raise InvalidText(f"an id is a text of at most {MAX_ID_CHARS} ASCII characters")


def short_ids(ids: Sequence[str]) -> list[str]:
    """Return short ids to show to people: the last 12 characters of each id, or more where two would be equal.

    An id begins with its time, so goals of one millisecond begin alike; its last 12 characters are random. They have
    no hyphen, so no id begins with them, and `find` finds this goal alone.
    """
    length = _SHORT_ID_CHARS
    while len({goal_id[-length:] for goal_id in ids}) < len(set(ids)):
        length += 1
    return [goal_id[-length:] for goal_id in ids]


_ENCODE: Final = json.JSONEncoder(separators=(",", ":"), sort_keys=True).encode


def plain_value(value: Any) -> Any:
    """Return the value as JSON keeps it: an enumeration's member as its text, and what has an `as_dict` as that."""
    if isinstance(value, StrEnum):
        return value.value
    return value.as_dict() if hasattr(value, "as_dict") else value


def plain_fields(value: Any) -> dict[str, Any]:
    """Return the fields of a dataclass by name, each as `plain_value` gives it."""
    return {field.name: plain_value(getattr(value, field.name)) for field in fields(value)}


def digest(canonical: str) -> str:
    """Return the SHA-256 of the text, in hexadecimal."""
    return sha256(canonical.encode()).hexdigest()


def to_data(data: Mapping[str, Any]) -> str:
    """Return an event's data as the one text in which it is kept and hashed."""
    return _ENCODE(data)
