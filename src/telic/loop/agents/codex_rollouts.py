"""The rollout files of Codex's threads: JSON lines, in which a `token_usage_record` tells each response's usage.

Checked against Codex 0.171.0. A record names the thread, the thread that the session began with (`session_id`), and the
response. Sub-agents have files of their own; a forked one begins with a copy of its parent's records, which are known
by their response. Older releases write no such records, and then `CodexRollouts` tells nothing.

`CopiedHistory` finds where the parent's history ends, with which a forked thread begins, or a sub-agent that was given
one. Threads and turns have UUIDs that hold the millisecond in which they were made: a turn that is older than the
thread it stands in was copied there, however long the copying took, and the turn that a hook names is the thread's own.
Where no id tells, the lines do: copying goes on without a pause, and what follows the first pause is the thread's own.
That is a guess for as long as the turn that the hook names may still come.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from uuid import UUID

from telic.domain.budget import ModelUsage
from telic.domain.clock import Instant
from telic.domain.errors import InvalidNumber
from telic.loop.agents.codex import token_usage
from telic.loop.agents.json_reader import Fields, Parsed, count_of, fields_of, read_values, text_of
from telic.loop.agents.usage_records import (
    CumulativeSession,
    GrowingFile,
    GrowingFiles,
    RecordedResponse,
    RecordedResponses,
    folder_of,
    home,
    read_session,
    with_recorded,
)

_WORDS = (b'"token_usage_record"', b'"turn_context"')


class CodexRollouts:
    """Follows the files of one thread and of its sub-agents."""

    def __init__(self, environment: Mapping[str, str], session: str | None) -> None:
        self._sessions = folder_of(environment, "CODEX_HOME", home(environment) / ".codex") / "sessions"
        known = read_session(session)
        self._thread = None if known is None else known.id
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
        """See `UsageRecords`. What is recorded of each response is exact; a thread's sum may have begun anew."""
        session = read_session(parsed.session)
        if session is None:
            return parsed
        self._thread = session.id
        grown = {path: size for path, size in self._rollouts() if self._sizes.get(path) != size}
        self._sizes |= grown
        self._family += [path for path in grown if path not in self._family and belongs_to(path, self._thread)]
        self._read()
        recorded = self._responses.total
        if recorded is None:
            return parsed
        whole = CumulativeSession(session.id, self._thread_total or session.used)
        told = session.used
        if parsed.usage is not None and told is not None and not _covers(self._thread_total, told):
            # The files tell less than what was printed: somebody has changed them.
            return with_recorded(replace(parsed, model=parsed.model or self._model), recorded)
        return replace(parsed, usage=recorded, model=parsed.model or self._model, session=str(whole))

    def _rollouts(self) -> Iterator[tuple[Path, int]]:
        for folder, _, names in os.walk(self._sessions):
            for name in names:
                if name.startswith("rollout-") and name.endswith(".jsonl"):
                    path = Path(folder) / name
                    try:
                        yield path, path.lstat().st_size
                    except OSError:
                        continue

    def _read(self) -> None:
        for line in self._files.lines(self._family):
            if any(word in line for word in _WORDS):
                for fields in read_values(line):
                    self._take(fields.get("type"), fields_of(fields, "payload"))

    def _take(self, kind: object, payload: Fields) -> None:
        if kind == "turn_context":
            self._model = text_of(payload, "model") or self._model
        if kind != "token_usage_record":
            return
        try:
            told = rollout_usage(payload)
        except InvalidNumber:
            return
        if told.thread == self._thread:
            self._thread_total = told.thread_total or self._thread_total
        if told.usage is not None and told.response is not None:
            self._responses.take(RecordedResponse(told.response, told.usage))


@dataclass(frozen=True, slots=True)
class RolloutUsage:
    """One `token_usage_record`: what a response used, and what its whole thread had used after it."""

    thread: str | None
    response: str | None
    usage: ModelUsage | None
    thread_total: ModelUsage | None


def rollout_usage(record: Fields) -> RolloutUsage:
    """Return what the record tells, with None for what it does not.

    Raises:
        InvalidNumber: a count is none.
    """
    return RolloutUsage(
        thread=text_of(record, "thread_id"),
        response=text_of(record, "response_id"),
        usage=token_usage(fields_of(record, "usage")),
        thread_total=token_usage(fields_of(record, "thread_token_usage")),
    )


def belongs_to(path: Path, thread: str | None) -> bool:
    """Whether the file is the thread's own, or one of a thread that was begun in its session."""
    if path.name.endswith(f"-{thread}.jsonl"):
        return True
    first = next(GrowingFile(path).lines(), b"")
    return any(text_of(fields_of(fields, "payload"), "session_id") == thread for fields in read_values(first))


def _covers(whole: ModelUsage | None, part: ModelUsage) -> bool:
    return whole is not None and whole.input_tokens >= part.input_tokens and whole.output_tokens >= part.output_tokens


_PAUSE_MICROSECONDS: Final = 1_000_000
_TIME_ORDERED: Final = 7


class CopiedHistory:
    """Follows the lines of one thread, and knows which of them are another's."""

    def __init__(self, own_turn: str | None) -> None:
        self.is_copy = False
        self.is_under_way = False
        self.is_guess = False
        self._own_turn = own_turn
        self._born: int | None = None
        self._told_by_ids = False
        self._last: int | None = None

    def begin_thread(self, meta: Fields, thread: str | None, at: Instant | None) -> None:
        """The thread's own first line was read. A sub-agent that names its parent has its history only by ids."""
        is_sub_agent = bool(fields_of(fields_of(meta, "source"), "subagent"))
        is_fork = bool(text_of(meta, "forked_from_id"))
        self.is_copy = is_fork or (is_sub_agent and not text_of(meta, "parent_thread_id"))
        # A file that refers to its parent's holds no copy of it.
        self.is_under_way = self.is_copy and not fields_of(meta, "history_base")
        self._born = _made_at(thread) if is_fork or is_sub_agent else None
        self._last = at

    def pass_line(self, at: Instant | None) -> None:
        """A line of this time was written: after a pause, by the thread itself."""
        if not self.is_under_way or at is None:
            return
        if not self._told_by_ids and self._last is not None and at - self._last > _PAUSE_MICROSECONDS:
            self.is_under_way, self.is_guess = False, self._own_turn is not None
        self._last = at

    def begin_turn(self, turn: str | None) -> None:
        """What follows belongs to this turn."""
        made_at = _made_at(turn)
        if self._born is not None and made_at is not None:
            self._told_by_ids, self.is_under_way, self.is_guess = True, made_at < self._born, False
        elif turn and turn == self._own_turn:
            self._told_by_ids, self.is_under_way, self.is_guess = True, False, False

    def carry(self) -> Fields:
        """What must be known to go on."""
        return {
            "is_copy": self.is_copy,
            "is_under_way": self.is_under_way,
            "born": self._born,
            "told_by_ids": self._told_by_ids,
            "last": self._last,
        }

    def resume(self, carry: Fields) -> None:
        """It goes on from where `carry` was taken."""
        self.is_copy = carry.get("is_copy") is True
        self.is_under_way = carry.get("is_under_way") is True
        self._born = count_of(carry, "born")
        self._told_by_ids = carry.get("told_by_ids") is True
        self._last = count_of(carry, "last")


def _made_at(name: str | None) -> int | None:
    """The millisecond in which the id was made, if it holds one."""
    try:
        made = UUID(name or "")
    except ValueError:
        return None
    return made.int >> 80 if made.version == _TIME_ORDERED else None
