"""Codex: the output of `codex exec --json`, and the rollout files of its threads.

Checked against Codex 0.163.0 and 0.171.0. `turn.completed` reports the usage of the whole thread, also after `resume`,
without its sub-agents, and all zeros where nothing was counted; cached and reasoning tokens are parts of input and
output; an `error` may pass, while `turn.failed` ends the turn.

In a rollout file, a `token_usage_record` has the usage of each response, and names the thread, the thread that the
session began with (`session_id`), and the response. Sub-agents have files of their own; a forked one begins with a copy
of its parent's records, which are known by their response. Older releases write no such records.

`CopiedHistory` finds that copy. Threads and turns have UUIDs with the millisecond in which they were made: a turn that
is older than its thread was copied, and the turn that a hook names is the thread's own. Where no id helps, copying goes
on without a pause: that is a guess for as long as the turn that the hook names may still come.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from uuid import UUID

from telic.domain.budget import ModelUsage
from telic.domain.clock import MICRO, Instant
from telic.domain.errors import InvalidNumber
from telic.loop.agents.formats import CumulativeSession, HostParser, Parsed, id_of, read_session
from telic.loop.agents.json_reader import (
    Fields,
    amount_of,
    count_of,
    fields_of,
    list_of,
    read_values,
    text_of,
    used_since,
    within_total,
)
from telic.loop.agents.usage_records import (
    GrowingFiles,
    RecordedResponse,
    RecordedResponses,
    folder_of,
    home,
    with_recorded,
)

_TOOL_ITEMS: Final = frozenset({"command_execution", "file_change", "mcp_tool_call", "collab_tool_call", "web_search"})
_PAUSE_MICROSECONDS: Final = MICRO
_TIME_ORDERED_UUID: Final = 7
_WORDS: Final = (b'"token_usage_record"', b'"turn_context"')


class CodexParser(HostParser):
    """Follows the events of one thread."""

    def __init__(self, session: str | None = None) -> None:
        super().__init__(session)
        self._total: ModelUsage | None = None
        self._error: str | None = None

    def _message(self, fields: Fields) -> None:
        match fields.get("type"):
            case "thread.started":
                self._session = text_of(fields, "thread_id")
            case "item.completed":
                self._item(fields_of(fields, "item"))
            case "turn.completed":
                self._finished, self._failure = True, None
                self._total = token_usage(fields_of(fields, "usage")) or self._total
            case "turn.failed":
                self._finished = True
                self._failure = text_of(fields_of(fields, "error"), "message") or self._error or "the turn failed"
            case "error":
                # It may pass: it is the turn's failure only where no end of the turn follows.
                self._failure = self._error = text_of(fields, "message")
            case _:
                pass

    def _item(self, item: Fields) -> None:
        kind = text_of(item, "type")
        self._has_answered = self._has_answered or kind != "error"
        if kind == "agent_message":
            self._text = text_of(item, "text") or self._text
        if kind in _TOOL_ITEMS:
            self._tool_output.add(_output(item))

    def so_far(self) -> Parsed:
        """See `OutputParser`."""
        return replace(super().so_far(), notice=None if self._finished else self._error)

    def _before(self) -> ModelUsage | None:
        """Return the thread's usage when this turn began: none where the turn began it, None where unknown."""
        continues = self._resumed is not None and self._resumed.id == self._session
        return self._resumed.used if self._resumed is not None and continues else ModelUsage()

    def _usage(self) -> ModelUsage | None:
        before = self._before()
        if id_of(self._session) is None or self._total is None or before is None:
            return None
        return used_since(before, self._total)

    def _session_text(self, _: ModelUsage | None, /) -> str | None:
        thread = id_of(self._session)
        # A total that this turn did not print is in the next one's, which then pays for both.
        return None if thread is None else str(CumulativeSession(thread, self._total or self._before()))


def _output(item: Fields) -> str:
    if item.get("type") == "command_execution":
        code = item.get("exit_code")
        return f"$ {item.get('command')}\n{text_of(item, 'aggregated_output') or ''}[exit code {code}]"
    if item.get("type") == "file_change":
        return "\n".join(f"{change.get('kind')} {change.get('path')}" for change in list_of(item, "changes"))
    return f"{item.get('type')}: {item.get('tool') or item.get('query') or ''}"


def token_usage(usage: Fields) -> ModelUsage | None:
    """Return the counts of Codex, or None where it counted nothing.

    Raises:
        InvalidNumber: a count is none.
    """
    total_input, output = amount_of(usage, "input_tokens"), amount_of(usage, "output_tokens")
    if total_input is None or output is None:
        return None
    counted = ModelUsage(
        input_tokens=total_input,
        cached_input_tokens=amount_of(usage, "cached_input_tokens") or 0,
        output_tokens=output,
        reasoning_tokens=amount_of(usage, "reasoning_output_tokens") or 0,
    )
    if counted == ModelUsage():
        return None
    return within_total(counted, usage.get("total_tokens"))


class CodexRollouts:
    """Follows the files of one thread and of its sub-agents."""

    def __init__(self, environment: Mapping[str, str], session: str | None) -> None:
        self._sessions = folder_of(environment, "CODEX_HOME", home(environment) / ".codex") / "sessions"
        self._thread = id_of(session)
        self._sizes: dict[Path, int] = {}
        self._family: list[Path] = []
        self._files = GrowingFiles()
        self._responses = RecordedResponses()
        self._model: str | None = None
        self._thread_total: ModelUsage | None = None

    def begin(self) -> None:
        """See `UsageRecords`."""
        self._sizes = dict(self._rollouts())
        if self._thread is not None:
            self._family = [path for path in self._sizes if belongs_to(path, self._thread)]
            self._read()
        self._responses.begin()

    def improve(self, parsed: Parsed) -> Parsed:
        """See `UsageRecords`. The record of each response is exact; a thread's sum may have begun again from 0."""
        session = read_session(parsed.session)
        if session is None:
            return parsed
        self._thread = session.id
        grown = {path: size for path, size in self._rollouts() if self._sizes.get(path) != size}
        self._sizes |= grown
        self._family += [path for path in grown if path not in self._family and belongs_to(path, self._thread)]
        self._read()
        recorded = self._responses.total
        if recorded is None or self._responses.is_partial:
            parsed = replace(parsed, model=parsed.model or self._model) if self._responses.is_partial else parsed
            return with_recorded(parsed, recorded, is_partial=self._responses.is_partial)
        whole = CumulativeSession(session.id, self._thread_total or session.used)
        if parsed.usage is not None and session.used is not None and not _covers(self._thread_total, session.used):
            # The files hold less than what was printed: somebody has changed them.
            return with_recorded(replace(parsed, model=parsed.model or self._model), recorded)
        return replace(parsed, usage=recorded, model=parsed.model or self._model, session=str(whole))

    def _rollouts(self) -> Iterator[tuple[Path, int]]:
        for path in self._sessions.rglob("rollout-*.jsonl"):
            with suppress(OSError):
                yield path, path.lstat().st_size

    def _read(self) -> None:
        for line in self._files.lines(self._family):
            # Most lines are long and of no interest: to read them all as JSON would cost much.
            if any(word in line for word in _WORDS):
                for fields in read_values(line):
                    self._take(fields.get("type"), fields_of(fields, "payload"))

    def _take(self, kind: object, payload: Fields) -> None:
        if kind == "turn_context":
            self._model = text_of(payload, "model") or self._model
        if kind != "token_usage_record":
            return
        if text_of(payload, "thread_id") == self._thread:
            self._thread_total = reported_usage(payload, "thread_token_usage") or self._thread_total
        response = text_of(payload, "response_id")
        if response is not None and "usage" in payload and not is_nothing(fields_of(payload, "usage")):
            self._responses.take(RecordedResponse(response, reported_usage(payload, "usage")))


def reported_usage(fields: Fields, name: str) -> ModelUsage | None:
    """Return the usage under the name; None where there is none, or where its counts are none."""
    try:
        return token_usage(fields_of(fields, name))
    except InvalidNumber:
        return None


def is_nothing(usage: Fields) -> bool:
    """Return whether its counts say that nothing was used."""
    return all(usage.get(name) == 0 and type(usage[name]) is int for name in ("input_tokens", "output_tokens"))


def belongs_to(path: Path, thread: str | None) -> bool:
    """Return whether the file is the thread's own, or one of a thread that was begun in its session."""
    if path.name.endswith(f"-{thread}.jsonl"):
        return True
    first = next(GrowingFiles().lines([path]), b"")
    return any(text_of(fields_of(fields, "payload"), "session_id") == thread for fields in read_values(first))


def _covers(whole: ModelUsage | None, part: ModelUsage) -> bool:
    return whole is not None and whole.input_tokens >= part.input_tokens and whole.output_tokens >= part.output_tokens


@dataclass(slots=True)
class CopiedHistory:
    """Follows the lines of one thread, and separates those that were copied from another."""

    own_turn: str | None
    is_copy: bool = False
    is_under_way: bool = False
    is_guess: bool = False
    _born: int | None = None
    _ids_decide: bool = False
    _last: int | None = None

    def begin_thread(self, meta: Fields, thread: str | None, at: Instant | None) -> None:
        """The thread's own first line was read."""
        is_sub_agent = bool(fields_of(fields_of(meta, "source"), "subagent"))
        # A sub-agent that names its parent refers to its history by ids, and holds no copy.
        is_fork = bool(text_of(meta, "forked_from_id"))
        self.is_copy = is_fork or (is_sub_agent and not text_of(meta, "parent_thread_id"))
        # A file that refers to its parent's holds no copy of it.
        self.is_under_way = self.is_copy and not fields_of(meta, "history_base")
        self._born = _made_at(thread) if is_fork or is_sub_agent else None
        self._last = at

    def pass_line(self, at: Instant | None) -> None:
        """A line of this time was read: after a pause, it is the thread's own."""
        if not self.is_under_way or at is None:
            return
        if not self._ids_decide and self._last is not None and at - self._last > _PAUSE_MICROSECONDS:
            self.is_under_way, self.is_guess = False, self.own_turn is not None
        self._last = at

    def begin_turn(self, turn: str | None) -> None:
        """The lines that follow belong to this turn."""
        made_at = _made_at(turn)
        if self._born is not None and made_at is not None:
            self._ids_decide, self.is_under_way, self.is_guess = True, made_at < self._born, False
        elif turn and turn == self.own_turn:
            self._ids_decide, self.is_under_way, self.is_guess = True, False, False

    def carry(self) -> Fields:
        """Return the state with which another process can go on."""
        return {
            "is_copy": self.is_copy,
            "is_under_way": self.is_under_way,
            "born": self._born,
            "told_by_ids": self._ids_decide,
            "last": self._last,
        }

    def resume(self, carry: Fields) -> None:
        """The history goes on from the state that `carry` returned."""
        self.is_copy = carry.get("is_copy") is True
        self.is_under_way = carry.get("is_under_way") is True
        self._born = count_of(carry, "born")
        self._ids_decide = carry.get("told_by_ids") is True
        self._last = count_of(carry, "last")


def _made_at(name: str | None) -> int | None:
    """Return the millisecond in which the id was made, if it holds one."""
    try:
        made = UUID(name or "")
    except ValueError:
        return None
    return made.int >> 80 if made.version == _TIME_ORDERED_UUID else None
