"""The rollout file of a Codex thread: JSON lines, in which `token_count` reports what the thread has used so far.

The same report may come again, with the limits of the account; a resumed thread goes on counting. A forked thread
begins with its parent's lines, written anew in one burst: they consumed nothing here. So may a sub-agent's, unless it
names its parent thread and is no fork of it.
"""

from dataclasses import asdict
from typing import Final

from telic.domain.budget import ModelUsage, UsageKind
from telic.domain.clock import Instant
from telic.domain.errors import InvalidNumber
from telic.integrations.hooks.usage import Response, instant_of
from telic.loop.agents.codex import token_usage
from telic.loop.agents.cumulative import used_since
from telic.loop.agents.parsing import Fields, count_of, fields_of, read_values, text_of

_BURST_MICROSECONDS: Final = 1_000_000
_COUNTS: Final = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_tokens")


class CodexUsage:
    """Tells each response's share from the growing sum."""

    def __init__(self, is_sub_agent: bool) -> None:
        self._kind = UsageKind.SUB_AGENT if is_sub_agent else UsageKind.WORK
        self._thread: str | None = None
        self._model: str | None = None
        self._total: ModelUsage | None = None
        self._copied_until: int = 0
        self._new: list[Response] = []

    def take(self, line: bytes, _start: int, /) -> None:
        """See `UsageReader`."""
        if not any(word in line for word in (b"token_count", b"session_meta", b"turn_context")):
            return
        for fields in read_values(line):
            payload = fields_of(fields, "payload")
            at = instant_of(fields)
            match fields.get("type"):
                case "session_meta":
                    self._begin(payload, at)
                case "turn_context":
                    self._model = text_of(payload, "model") or self._model
                case "event_msg" if payload.get("type") == "token_count":
                    self._count(fields_of(payload, "info"), at)
                case _:
                    pass

    def _begin(self, meta: Fields, at: Instant | None) -> None:
        # The first one is the thread's own; those of its ancestors are copied after it.
        if self._thread is not None:
            return
        self._thread = text_of(meta, "id") or text_of(meta, "session_id")
        is_sub_agent = bool(fields_of(fields_of(meta, "source"), "subagent"))
        is_copy = bool(text_of(meta, "forked_from_id")) or (is_sub_agent and not text_of(meta, "parent_thread_id"))
        if is_copy and at is not None:
            self._copied_until = at + _BURST_MICROSECONDS

    def _count(self, info: Fields, at: Instant | None) -> None:
        try:
            total = token_usage(fields_of(info, "total_token_usage"))
            last = token_usage(fields_of(info, "last_token_usage"))
        except InvalidNumber:
            return
        if total is None or total == self._total:
            return
        share = used_since(self._total, total) if self._total is not None else last or total
        self._total = total
        if self._thread is None or (at is not None and at <= self._copied_until):
            return
        counts = "-".join(str(getattr(total, name)) for name in _COUNTS)
        self._new.append(
            Response(key=f"codex/{self._thread}/{counts}", usage=share, kind=self._kind, model=self._model, at=at)
        )

    def end_of_turn(self, last_message: str | None) -> None:
        """Every report is complete."""

    def finished(self) -> list[Response]:
        """See `UsageReader`."""
        given, self._new = self._new, []
        return given

    def safe_offset(self, end: int) -> int:
        """Every report is complete."""
        return end

    def carry(self) -> Fields:
        """See `UsageReader`."""
        return {
            "thread": self._thread,
            "model": self._model,
            "copied_until": self._copied_until,
            "total": None if self._total is None else asdict(self._total),
        }

    def resume(self, carry: Fields) -> None:
        """See `UsageReader`."""
        total = fields_of(carry, "total")
        self._thread = text_of(carry, "thread")
        self._model = text_of(carry, "model")
        self._copied_until = count_of(carry, "copied_until") or 0
        self._total = ModelUsage(**{name: count_of(total, name) or 0 for name in _COUNTS}) if total else None
