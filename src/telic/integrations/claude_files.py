"""The files in which Claude Code keeps a session: what its sub-agents used, and what the session had used before."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from telic.domain.budget import ModelUsage
from telic.integrations.claude_usage import money, sum_of_models
from telic.integrations.hosts.claude_code_usage import ClaudeCodeUsage
from telic.integrations.hosts.usage import Response
from telic.loop.agents.json_reader import Fields, fields_of, read_values

_TAIL_BYTES: Final = 1_048_576
_TOTAL: Final = b'{"type":"cost-state"'


@dataclass(slots=True)
class _Growing:
    """One file, and where to read on."""

    path: Path
    offset: int = 0
    reader: ClaudeCodeUsage = field(default_factory=lambda: ClaudeCodeUsage(True))

    def new(self) -> list[Response]:
        """Return the responses that were completed since the last call. A line that is not ended is left for later."""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            grown = file.read()
        whole = grown[: grown.rfind(b"\n") + 1]
        for line in whole.splitlines():
            self.reader.take(line, self.offset)
        self.offset += len(whole)
        return self.reader.finished()


class SessionFiles:
    """A session's files, read on from where they ended when this was made.

    `transcript` is the main conversation's file, as hooks are told of it. `used_before` is what former processes had
    used, of this session or of the one that it was forked from: the command goes on counting from there. It is None
    where no file tells.
    """

    def __init__(self, transcript: Path, forked_from: str | None = None) -> None:
        self._folder = transcript.with_suffix("") / "subagents"
        self._files = {path: _Growing(path, path.stat().st_size) for path in self._paths()}
        self.used_before = _recorded_total(transcript.with_stem(forked_from) if forked_from else transcript)

    def _paths(self) -> Iterator[Path]:
        return self._folder.rglob("*.jsonl")

    def new_responses(self) -> list[tuple[str, Response]]:
        """Return sub-agents' responses that were completed since the last call, each with its sub-agent's id."""
        found: list[tuple[str, Response]] = []
        for path in sorted(self._paths()):
            file = self._files.setdefault(path, _Growing(path))
            found += [(path.stem.removeprefix("agent-"), response) for response in file.new()]
        return found


def _recorded_total(transcript: Path) -> ModelUsage | None:
    if not transcript.is_file():
        return None
    with transcript.open("rb") as file:
        file.seek(max(transcript.stat().st_size - _TAIL_BYTES, 0))
        lines = file.read().splitlines()
    last = next((line for line in reversed(lines) if line.startswith(_TOTAL)), b"")
    return next((_total(fields) for fields in read_values(last)), ModelUsage())


def _total(fields: Fields) -> ModelUsage:
    return sum_of_models(fields_of(fields, "modelUsage"), cost_microunits=money(fields.get("totalCostUSD")))
