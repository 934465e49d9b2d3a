"""Codex, after the schemas of its hooks at 0.163: SessionStart, UserPromptSubmit, Stop.

Its answers have Claude Code's form, and a field that Codex does not know makes it drop the whole answer. It has no
limit of its own on how often a Stop hook keeps a turn going.

Its usage stands in the rollout file of a thread: JSON lines that tell what each response consumed, and what the thread
did so far.

Newer releases write a `token_usage_record` for each response, with its own id and thread: it is exact, also in files
that begin with another thread's history, and stands before or after the `token_count` of its response. All write
`token_count`, the thread's growing sum; the same sum may come again, and after the context overflowed it begins at 0
again. A forked thread, and a sub-agent that is given its parent's history, begin with the parent's lines written anew:
they consumed nothing here.
"""

from collections.abc import Mapping
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from typing import Final

from telic.domain.budget import ModelUsage, UsageKind
from telic.domain.clock import Instant
from telic.integrations.hosts.payload import COMMON_EVENTS, HookEvent, HookHost, HookPayload, read_common_payload
from telic.integrations.hosts.usage_sources import (
    TURN_BEGINS,
    HostResponse,
    TranscriptReader,
    instant_of,
    last_message_in,
)
from telic.loop.agents.codex import CopiedHistory, belongs_to, is_nothing, reported_usage
from telic.loop.agents.json_reader import (
    Fields,
    amount_of,
    count_of,
    fields_of,
    list_of,
    read_values,
    text_of,
    used_since,
)

_DAYS: Final = "[0-9][0-9][0-9][0-9]/[0-9][0-9]/[0-9][0-9]"
"""The folders that the threads of a day lie in."""

_DAYS_ABOVE: Final = 3
_MOST_LATER_FILES: Final = 200


def _said(fields: Fields) -> str | None:
    """Return the text of a line of Codex's."""
    payload = fields_of(fields, "payload")
    if payload.get("type") == "task_started":
        return TURN_BEGINS
    if payload.get("type") != "message" or payload.get("role") != "assistant":
        return None
    return "\n".join(filter(None, (text_of(block, "text") for block in list_of(payload, "content")))) or None


def _read(fields: Fields, environment: Mapping[str, str]) -> HookPayload | None:
    payload = read_common_payload(fields, environment, COMMON_EVENTS)
    if payload is None:
        return None
    payload = replace(payload, sub_transcripts=_with_later_threads(payload))
    if payload.event is not HookEvent.STOP or text_of(fields, "last_assistant_message") is not None:
        return payload
    return replace(payload, last_message=last_message_in(payload.transcript, _said))


def _with_later_threads(payload: HookPayload) -> tuple[Path, ...]:
    # A sub-agent that was killed has no hook of its own that would name its file. The files of sub-agents are among
    # the newest, and newer than the session's.
    named, own = payload.sub_transcripts, payload.transcript
    if own is None or not own.name.startswith("rollout-") or len(own.parents) <= _DAYS_ABOVE:
        return named
    try:
        days = sorted(day for day in own.parents[_DAYS_ABOVE].glob(_DAYS) if day >= own.parent)
        later = [path for day in days for path in sorted(day.glob("rollout-*.jsonl")) if path > own]
    except OSError:
        return named
    found = [path for path in later[-_MOST_LATER_FILES:] if path not in named and belongs_to(path, payload.session)]
    return (*found, *named)


_MOST_UNRECORDED: Final = 20
_COUNTS: Final = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_tokens")
_WORDS: Final = (b"token_count", b"token_usage_record", b"session_meta", b"turn_context", b"task_started")


class CodexUsage(TranscriptReader):
    """Tells each response's usage: as it is recorded, or else its share of the growing sum."""

    def __init__(self, is_sub_agent: bool, own_turn: str | None = None) -> None:
        super().__init__()
        self._kind = UsageKind.SUB_AGENT if is_sub_agent else UsageKind.WORK
        self._thread: str | None = None
        self._model: str | None = None
        self._total: ModelUsage | None = None
        self._restarts = 0
        self._is_sum_missing = False
        self._history = CopiedHistory(own_turn)
        self._guessed: list[HostResponse] = []
        # The sums, each with its share, that counted a response whose record may still come.
        self._unrecorded: list[tuple[ModelUsage, ModelUsage]] = []

    def take(self, line: bytes, _start: int, /) -> None:
        """See `TranscriptReader`."""
        if not self._history.is_under_way and not any(word in line for word in _WORDS):
            return
        for fields in read_values(line):
            at = instant_of(fields)
            self._history.pass_line(at)
            self._take(text_of(fields, "type"), fields_of(fields, "payload"), at)

    def _take(self, kind: str | None, payload: Fields, at: Instant | None) -> None:
        match kind:
            case "session_meta":
                self._begin(payload, at)
            case "turn_context":
                self._begin_turn(payload)
                self._model = text_of(payload, "model") or self._model
            case "token_usage_record":
                self._record(payload, at)
            case "event_msg" if payload.get("type") == "task_started":
                self._begin_turn(payload)
            case "event_msg" if payload.get("type") == "token_count":
                self._count(fields_of(payload, "info"), at)
            case _:
                pass

    def _begin(self, meta: Fields, at: Instant | None) -> None:
        # The first one is the thread's own; those of its ancestors are copied after it.
        if self._thread is None:
            self._thread = text_of(meta, "id") or text_of(meta, "session_id")
            self._history.begin_thread(meta, self._thread, at)

    def _begin_turn(self, fields: Fields) -> None:
        self._history.begin_turn(text_of(fields, "turn_id"))
        if not self._history.is_guess:
            self._guessed, self._unrecorded = [], self._unrecorded[: -len(self._guessed) or None]

    def _record(self, record: Fields, at: Instant | None) -> None:
        # The sum that comes after the record with `token_count` is known by then, and counts nothing.
        response, is_own = text_of(record, "response_id"), text_of(record, "thread_id") == self._thread
        total = reported_usage(record, "thread_token_usage")
        if (is_own and not response) or (is_own and self._is_counted(reported_usage(record, "usage"), total)):
            return
        self._total = total or self._total
        if is_own and response and "usage" in record:
            self._is_sum_missing = total is None
            if not is_nothing(fields_of(record, "usage")):
                self._new.append(self._response(response, reported_usage(record, "usage"), at))

    def _is_counted(self, usage: ModelUsage | None, total: ModelUsage | None) -> bool:
        """Return whether the sum has counted this response; if so, no other record is taken for it."""
        found = [each for each in self._unrecorded if total == each[0]] if total else self._unrecorded[-1:]
        if not found or (total is None and usage != found[0][1]):
            return False
        self._unrecorded.remove(found[0])
        return True

    def _count(self, info: Fields, at: Instant | None) -> None:
        told, last = fields_of(info, "total_token_usage"), fields_of(info, "last_token_usage")
        if not told or is_nothing(told):
            self._restart(told)
            return
        total = reported_usage(info, "total_token_usage")
        if self._is_sum_missing:
            # Its record has counted the response, and did not tell this sum.
            self._total, self._is_sum_missing = total or self._total, total is None
            return
        if total is None:
            self._count_unknown(told, last, at)
            return
        # The same sum is written again after each tool call.
        if total == self._total:
            return
        share = self._share(total, info)
        self._total = total
        if share is None or self._thread is None or self._history.is_under_way:
            return
        counts = "-".join(str(getattr(total, name)) for name in _COUNTS)
        self._tell(f"{counts}~{self._restarts}" if self._restarts else counts, share, at)
        self._unrecorded = [*self._unrecorded, (total, share)][-_MOST_UNRECORDED:]

    def _count_unknown(self, told: Fields, last: Fields, at: Instant | None) -> None:
        # The sum is no sum: the same one may come again after each tool call, and is the same line then.
        if self._thread is not None and not self._history.is_under_way:
            said = repr((sorted(told.items()), sorted(last.items()), self._total, self._restarts))
            self._tell(f"unknown-{sha256(said.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}", None, at)

    def _restart(self, told: Fields) -> None:
        # After the context overflowed the sum is 0 again: what comes is counted from there.
        if told and self._total not in (None, ModelUsage()):
            self._total = ModelUsage()
            self._restarts += 1

    def _share(self, total: ModelUsage, info: Fields) -> ModelUsage | None:
        # The first sum of a copied history is its parent's but for the part that it says was last (ADR 29).
        if self._total is not None:
            return used_since(self._total, total)
        if fields_of(info, "last_token_usage"):
            return reported_usage(info, "last_token_usage")
        return None if self._history.is_copy else total

    def _tell(self, name: str, usage: ModelUsage | None, at: Instant | None) -> None:
        told = self._guessed if self._history.is_guess else self._new
        told.append(self._response(name, usage, at))

    def _response(self, name: str, usage: ModelUsage | None, at: Instant | None) -> HostResponse:
        return HostResponse(key=f"codex/{self._thread}/{name}", usage=usage, kind=self._kind, model=self._model, at=at)

    def end_of_turn(self, last_message: str | None) -> None:
        """Every report is complete, and no turn of the thread's own comes any more that would say otherwise."""
        self._new, self._guessed = self._new + self._guessed, []

    def safe_offset(self, end: int) -> int:
        """Return the file's beginning where something was only guessed: that is read again."""
        return 0 if self._guessed else end

    def carry(self) -> Fields:
        """See `TranscriptReader`."""
        if self._guessed:
            return {}
        return {
            "thread": self._thread,
            "model": self._model,
            "restarts": self._restarts,
            "is_sum_missing": self._is_sum_missing,
            "history": self._history.carry(),
            "total": None if self._total is None else asdict(self._total),
            "unrecorded": [{"total": asdict(total), "share": asdict(share)} for total, share in self._unrecorded],
        }

    def resume(self, carry: Fields) -> None:
        """See `TranscriptReader`."""
        self._thread = text_of(carry, "thread")
        self._model = text_of(carry, "model")
        self._restarts = count_of(carry, "restarts") or 0
        self._is_sum_missing = carry.get("is_sum_missing") is True
        self._history.resume(fields_of(carry, "history"))
        self._total = _kept(carry, "total") if fields_of(carry, "total") else None
        self._unrecorded = [(_kept(each, "total"), _kept(each, "share")) for each in list_of(carry, "unrecorded")]


def _kept(carry: Fields, name: str) -> ModelUsage:
    return ModelUsage(**{each: amount_of(fields_of(carry, name), each) or 0 for each in _COUNTS})


CODEX: Final = HookHost(name="codex", read=_read, usage_reader=CodexUsage, tells_compaction=True)
