"""The SHA-256 chain of a goal's history, over one canonical text that both databases build alike.

The fields that hold arbitrary characters come last (`data` is self-delimiting JSON), so no two histories share
a canonical text.
"""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

from telic.domain.budget import TURN_COUNTERS, TurnUsage, UsageKind

_ENCODE: Final = json.JSONEncoder(separators=(",", ":"), sort_keys=True).encode


def digest(canonical: str) -> str:
    """The SHA-256 of the text, in hexadecimal."""
    return sha256(canonical.encode()).hexdigest()


def to_data(data: Mapping[str, Any]) -> str:
    """An event's data as the one text it is kept and hashed as."""
    return _ENCODE(data)


def event_hash(
    previous: str,
    *,
    goal_id: str,
    number: int,
    revision: int,
    kind: str,
    actor: str,
    at: int,
    data: str,
    key: str | None,
) -> str:
    """The hash of an event that follows the one whose hash is `previous`."""
    return digest(f"{previous}|{goal_id}|{number}|{revision}|{kind}|{actor}|{at}|{data}|{key or ''}")


def turn_label(kind: UsageKind, model: str | None, *, is_estimate: bool, takes_back: int | None) -> str:
    """Return what stands before a line's counts in its canonical text; nothing for work by no named model.

    The counts begin with a digit or a minus and a label does not, and the name's length says where it ends. Only
    estimates, and lines that take one back, say so: the hashes of all others are as they always were.
    """
    estimate = ("estimate|" if is_estimate else "") + ("" if takes_back is None else f"takes_back|{takes_back}|")
    if kind is UsageKind.WORK and model is None:
        return estimate
    return f"{estimate}{kind.value}|{len(model or '')}|{model or ''}|"


def turn_hash(
    previous: str,
    *,
    goal_id: str,
    number: int,
    at: int,
    usage: TurnUsage,
    key: str,
    kind: UsageKind,
    model: str | None,
    is_estimate: bool,
    takes_back: int | None,
) -> str:
    """The hash of a turn that follows the one whose hash is `previous`."""
    counts = "|".join(str(getattr(usage, name)) for name in TURN_COUNTERS)
    label = turn_label(kind, model, is_estimate=is_estimate, takes_back=takes_back)
    return digest(f"{previous}|{goal_id}|{number}|{at}|{label}{counts}|{key}")
