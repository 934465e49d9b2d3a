"""The rollout files of Codex's threads: JSON lines, in which a `token_usage_record` tells each response's usage.

Checked against Codex 0.171.0. A record names the thread, the thread that the session began with (`session_id`), and the
response. Sub-agents have files of their own; a forked one begins with a copy of its parent's records, which are known
by their response. Older releases write no such records, and then nothing is told here.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from telic.domain.budget import ModelUsage
from telic.domain.errors import InvalidNumber
from telic.loop.agents.codex import token_usage
from telic.loop.agents.json_reader import Fields, Parsed, fields_of, read_values, text_of
from telic.loop.agents.records import GrowingFile, GrowingFiles, Response, Responses, folder_of, home, with_recorded
from telic.loop.agents.usage_delta import CumulativeSession, read_session

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
        self._responses = Responses()
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
        thread, response = text_of(payload, "thread_id"), text_of(payload, "response_id")
        try:
            usage = token_usage(fields_of(payload, "usage"))
            total = token_usage(fields_of(payload, "thread_token_usage"))
        except InvalidNumber:
            return
        if thread == self._thread:
            self._thread_total = total or self._thread_total
        if usage is not None and response is not None:
            self._responses.take(Response(response, usage))


def belongs_to(path: Path, thread: str | None) -> bool:
    """Whether the file is the thread's own, or one of a thread that was begun in its session."""
    if path.name.endswith(f"-{thread}.jsonl"):
        return True
    first = next(GrowingFile(path).lines(), b"")
    return any(text_of(fields_of(fields, "payload"), "session_id") == thread for fields in read_values(first))


def _covers(whole: ModelUsage | None, part: ModelUsage) -> bool:
    return whole is not None and whole.input_tokens >= part.input_tokens and whole.output_tokens >= part.output_tokens
