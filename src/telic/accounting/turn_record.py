"""One accepted turn: as a value, as a line of the journal, and summed up with others."""

import json
from binascii import crc32
from collections.abc import Callable
from json.encoder import encode_basestring_ascii
from operator import attrgetter
from typing import Any, Final, NamedTuple

from telic.domain.budget import (
    MODEL_COUNTERS,
    TURN_COUNTERS,
    BillingPolicy,
    ModelUsage,
    TurnUsage,
    Usage,
    UsageKind,
    billed_tokens,
    turns_of,
)
from telic.domain.clock import Instant
from telic.domain.errors import InvalidInput
from telic.domain.goal import DEFAULT_SCOPE
from telic.domain.ids import check_id
from telic.domain.limits import check_name

Counts = Callable[[object], tuple[int, ...]]

_TURN_COUNTS: Final[Counts] = attrgetter(*TURN_COUNTERS)
_MODEL_COUNTS: Final[Counts] = attrgetter(*MODEL_COUNTERS)
_SUM_UP_AT: Final = 64


class MalformedRecord(Exception):
    """A line of a journal is not what was written there."""


class TurnRecord(NamedTuple):
    """A turn that was accepted at an instant, for a goal or, without one, for the goal that the scope then had.

    A tuple, since one is made in every turn and a frozen dataclass takes five times as long.
    """

    key: str
    goal_id: str | None
    scope: str
    at: Instant
    usage: TurnUsage | ModelUsage
    kind: UsageKind = UsageKind.WORK
    model: str | None = None
    hold: str | None = None

    def encoded(self) -> bytes:
        """Return the line with its checksum and its end: one write puts it into a journal.

        Written out by hand, since a general encoder takes several times as long as the write itself.
        """
        usage = self.usage
        name, counts = ("billed", _TURN_COUNTS) if type(usage) is TurnUsage else ("used", _MODEL_COUNTS)
        text = (
            f'{{"key":{encode_basestring_ascii(self.key)},"at":{self.at},"kind":"{self.kind.value}",'
            f'"{name}":{list(counts(usage))}{self._names()}}}'
        ).encode("ascii")
        return b"%08x %s\n" % (crc32(text), text)

    def _names(self) -> str:
        texts = [f',"goal":{encode_basestring_ascii(self.goal_id)}' if self.goal_id else ""]
        for name, text in (("scope", None if self.goal_id else self.scope), ("model", self.model), ("hold", self.hold)):
            if text is not None:
                texts.append(f',"{name}":{encode_basestring_ascii(text)}')
        return "".join(texts)


def decoded(data: bytes) -> TurnRecord:
    """Return the turn of an encoded line, with or without its end; raise MalformedRecord if it was altered."""
    checksum, _, text = data.rstrip(b"\n").partition(b" ")
    if checksum != b"%08x" % crc32(text):
        raise MalformedRecord("the line does not have its checksum")
    try:
        found = json.loads(text)
        return TurnRecord(
            found["key"],
            found.get("goal"),
            found.get("scope", DEFAULT_SCOPE),
            Instant(found["at"]),
            _usage_of(found),
            UsageKind(found["kind"]),
            found.get("model"),
            found.get("hold"),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise MalformedRecord(f"{type(error).__name__}: {error!s:.200}") from error


def _usage_of(found: dict[str, Any]) -> TurnUsage | ModelUsage:
    if "billed" in found:
        return TurnUsage(**dict(zip(TURN_COUNTERS, found["billed"], strict=True)))
    return ModelUsage(**dict(zip(MODEL_COUNTERS, found["used"], strict=True)))


def checked_turn(turn: TurnRecord) -> TurnRecord:
    """Return the turn; raise InvalidInput if a store would refuse a part of it for what it is."""
    if type(turn.usage) is not TurnUsage and type(turn.usage) is not ModelUsage:
        raise InvalidInput("the usage must be a TurnUsage, a ModelUsage or a number of tokens")
    if type(turn.kind) is not UsageKind:
        raise InvalidInput(f"the kind of usage must be one of {', '.join(UsageKind)}")
    if turn.goal_id is not None:
        check_id(turn.goal_id)
    check_name("key", turn.key)
    if turn.model is not None:
        check_name("model", turn.model)
    if turn.hold is not None:
        check_name("hold", turn.hold)
    return turn


class PendingUsage:
    """The sum of one goal's lines that are accepted and not yet stored."""

    def __init__(self) -> None:
        self.lines = 0
        self._turns = 0
        self._of_turns = [0] * len(TURN_COUNTERS)
        self._of_models = [0] * len(MODEL_COUNTERS)
        self._unsummed: list[tuple[TurnRecord, int]] = []

    def add(self, line: TurnRecord) -> None:
        """The line is part of the sum. It is summed up later, since accepting a turn must not take long."""
        self.lines += 1
        self._unsummed.append((line, 1))
        if len(self._unsummed) >= _SUM_UP_AT:
            self._sum_up()

    def remove(self, line: TurnRecord) -> None:
        """The line, which was added before, is no longer part of the sum."""
        self.lines -= 1
        self._unsummed.append((line, -1))

    def added_to(self, usage: Usage, policy: BillingPolicy) -> Usage:
        """Return the usage plus the pending sum; the policy says how much of the sum is billed."""
        self._sum_up()
        counts = usage.as_dict()
        counts["turns"] += self._turns
        for name, count in (
            *zip(TURN_COUNTERS, self._of_turns, strict=True),
            *zip(MODEL_COUNTERS, self._of_models, strict=True),
        ):
            counts[name] += count
        used = dict(zip(MODEL_COUNTERS, self._of_models, strict=True))
        counts["tokens"] += billed_tokens(
            policy, used["input_tokens"], used["cached_input_tokens"], used["output_tokens"]
        )
        return Usage(**counts)

    def _sum_up(self) -> None:
        for line, sign in self._unsummed:
            self._turns += sign * turns_of(line.kind, line.usage)
            usage = line.usage
            if isinstance(usage, TurnUsage):
                self._of_turns = _sum(self._of_turns, _TURN_COUNTS(usage), sign)
            else:
                self._of_models = _sum(self._of_models, _MODEL_COUNTS(usage), sign)
        self._unsummed.clear()


def _sum(totals: list[int], counts: tuple[int, ...], sign: int) -> list[int]:
    return [total + sign * count for total, count in zip(totals, counts, strict=True)]
