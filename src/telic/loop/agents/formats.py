"""The formats of agents' output: how one is read, and the result."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from telic.domain.budget import MODEL_COUNTERS, ModelUsage
from telic.domain.clock import Instant
from telic.domain.errors import InvalidNumber
from telic.loop.agents.json_reader import Fields, read_values, sum_usage
from telic.loop.agents.protocol import MAX_REPORT_TEXT_CHARS, AgentStatement, QuotaReached, read_claim
from telic.loop.agents.provider_errors import is_refusal, quota_of

_SESSION: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9._:-]{0,199})(?: used ([0-9]{1,101}(?:,[0-9]{1,101}){5}))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """The result of reading an agent's output.

    `finished` is True if the format's end was seen; `failure` is the agent's own word for a failure, `broken` says how
    its format was violated. A `boundary` is a limit of the agent's own, reached in an orderly way: its exit code is no
    failure. An estimate leaves some of the usage out. `without_cost` is the part of the usage that came without
    its cost; None where the format does not separate it. `notice` is for people to see while it lasts.
    `has_answered` is True if the model did, so that something was used. An agent that may not know of claims does not
    make them.
    """

    text: str = ""
    usage: ModelUsage | None = None
    model: str | None = None
    statement: AgentStatement = field(default_factory=AgentStatement)
    session: str | None = None
    tool_effects: int | None = None
    tool_output_tail: str = ""
    quota: QuotaReached | None = None
    finished: bool = True
    boundary: bool = False
    failure: str | None = None
    broken: str | None = None
    is_estimate: bool = False
    notice: str | None = None
    has_answered: bool = False
    makes_claims: bool = True
    without_cost: ModelUsage | None = None

    def unless_refused(self, said: str) -> "Parsed":
        """Return the same, with no usage at all if these last words refuse the only request that was made.

        A provider that refuses a request bills nothing for it. Where anything was answered before, or the words mean
        something else, unknown usage stays unknown.
        """
        is_open = self.usage is None and not self.has_answered and self.broken is None
        is_nothing = is_open and (self.quota is not None or is_refusal(said))
        return replace(self, usage=ModelUsage(), is_estimate=False) if is_nothing else self


class OutputParser(Protocol):
    """Reads an agent's output line by line, in bounded memory."""

    def take(self, line: bytes) -> None:
        """The line is read; the last one may be cut off anywhere."""
        ...

    def so_far(self) -> Parsed:
        """Return what is known while the turn runs: usage, model, session, quota, notice. It costs little."""
        ...

    def parsed(self, now: Instant) -> Parsed:
        """Return what the lines say, now that they have ended."""
        ...


class UsageRecords(Protocol):
    """Reads a host's own records of the turn. Its methods may block, and are called one at a time."""

    def begin(self) -> None:
        """Records that are there now are no part of the turn."""
        ...

    def improve(self, parsed: Parsed) -> Parsed:
        """Return the same with the usage, model and session that the host's files hold, where they hold more."""
        ...


@dataclass(frozen=True, slots=True)
class OutputFormat:
    """How a command's output is read: a parser for each turn, which may continue a session.

    `records` gives the reader of the host's own files, by the command's environment and the session. A format that
    `tells_usage` says how many tokens each turn used, and one that `tells_cost` what it cost, perhaps at its end only.
    A host's own format names its limits and conversations in that host's words. A host that `prints_before_it_asks` has
    asked its model for nothing as long as it has printed nothing.
    """

    name: str
    parser: Callable[[str | None], OutputParser]
    records: Callable[[Mapping[str, str], str | None], UsageRecords] | None = None
    tells_usage: bool = True
    tells_cost: bool = False
    tells_cost_at_end: bool = False
    is_host: bool = True
    prints_before_it_asks: bool = True

    def session_id(self, session: str) -> str:
        """Return the id by which the command continues the session."""
        return (id_of(session) or "") if self.is_host else session


@dataclass(frozen=True, slots=True)
class CumulativeSession:
    """A conversation's id, and its usage so far; None where that is unknown, as for one that others began.

    Codex, Claude Code and Qwen Code restore a resumed conversation's counters and report its sum. Billed as it is, each
    turn would pay for all turns before it. So the sum at the end of a turn travels in the session's text, beside the
    command's own id, and `used_since` gives one turn's share.
    """

    id: str
    used: ModelUsage | None = None

    def __str__(self) -> str:
        if self.used is None:
            return self.id
        return f"{self.id} used {','.join(str(getattr(self.used, name)) for name in MODEL_COUNTERS)}"


def read_session(text: str | None) -> CumulativeSession | None:
    """Return the session that the text names, or None."""
    # An id never begins like an option: it becomes a word of a command line.
    match = None if text is None else _SESSION.fullmatch(text)
    if match is None:
        return None
    try:
        counts = dict(zip(MODEL_COUNTERS, map(int, (match[2] or "").split(",")), strict=True))
        return CumulativeSession(match[1], ModelUsage(**counts))
    except (ValueError, InvalidNumber):
        return CumulativeSession(match[1])


def id_of(session: str | None) -> str | None:
    """Return the id of the session that the text names, or None."""
    read = read_session(session)
    return None if read is None else read.id


class TextTail:
    """The end of a growing text."""

    def __init__(self, max_chars: int = MAX_REPORT_TEXT_CHARS) -> None:
        self._max_chars = max_chars
        self._text = ""

    def __str__(self) -> str:
        return self._text

    def add(self, text: str) -> None:
        """The text ends with this one, on a line of its own."""
        kept = text[-self._max_chars :]
        self._text = f"{self._text}\n{kept}"[-self._max_chars :] if self._text else kept


class HostParser(ABC):
    """Follows the JSON messages of one turn of a coding host; a subclass reads its messages and usage."""

    def __init__(self, session: str | None = None) -> None:
        self._resumed = read_session(session)
        self._session: str | None = None
        self._model: str | None = None
        self._text = ""
        self._tool_output = TextTail()
        self._has_answered = False
        self._finished = False
        self._failure: str | None = None
        self._status: int | None = None
        self._broken: str | None = None

    def take(self, line: bytes) -> None:
        """The messages of the line are read; a line that is no JSON is not of the host."""
        for fields in read_values(line):
            try:
                self._message(fields)
            except InvalidNumber as error:
                self._broken = str(error)

    def so_far(self) -> Parsed:
        """See `OutputParser`."""
        usage = self._known_usage()
        return Parsed(usage=usage, model=self._model, session=self._session_text(usage))

    def parsed(self, now: Instant) -> Parsed:
        """See `OutputParser`."""
        usage = self._known_usage()
        parsed = Parsed(
            text=self._text,
            usage=usage,
            is_estimate=not self._finished,
            model=self._model,
            statement=read_claim(self._text, now),
            session=self._session_text(usage),
            tool_output_tail=str(self._tool_output),
            quota=quota_of(self._failure, now),
            finished=self._finished,
            failure=self._failure,
            broken=self._broken,
            has_answered=self._has_answered,
        )
        # The HTTP status of the last error, where the host prints it, is surer than its words.
        return parsed.unless_refused(f"status {self._status}: {self._failure or ''}")

    @abstractmethod
    def _message(self, fields: Fields) -> None: ...

    @abstractmethod
    def _usage(self) -> ModelUsage | None: ...

    def _known_usage(self) -> ModelUsage | None:
        try:
            usage = self._usage()
        except InvalidNumber as error:
            self._broken, usage = str(error), None
        return usage if self._broken is None else None

    def _session_text(self, _: ModelUsage | None, /) -> str | None:
        return id_of(self._session) or (None if self._resumed is None else self._resumed.id)

    def _cumulative_session(self, total: ModelUsage | None, used: ModelUsage | None) -> str | None:
        """Return the session with its usage so far: the total that was printed, or the one before and this turn's."""
        session = id_of(self._session)
        before = ModelUsage() if self._resumed is None else self._resumed.used
        if total is None and before is not None:
            total = sum_usage([before, used or ModelUsage()])
        return None if session is None else str(CumulativeSession(session, total))
