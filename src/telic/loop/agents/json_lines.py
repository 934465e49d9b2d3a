"""Telic's own line protocol for agents: one JSON object a line on standard output, each with a `type`.

    {"type": "text", "text": "Looked at the tests."}
    {"type": "tool", "name": "write_file", "changed": true, "output": "wrote a.py"}
    {"type": "usage", "input_tokens": 900, "cached_input_tokens": 600, "output_tokens": 80, "model": "some-model"}
    {"type": "session", "session": "conversation-7"}
    {"type": "claim", "claim": "complete"}
    {"type": "claim", "claim": "blocked", "note": "the key of the staging server"}
    {"type": "claim", "claim": "waiting", "wake_after_seconds": 600}
    {"type": "claim", "claim": "waiting", "wake_at": "2030-01-31T12:00:00Z", "signal": "deployed"}
    {"type": "quota", "resets_at": "2030-01-31T12:00:00Z"}
    {"type": "error", "message": "the model's provider is down"}

Usage lines add up: one for each response of a model, printed as soon as it is known, so that a budget holds within the
turn. They may also have `reasoning_tokens`, `active_microseconds` and `cost_microunits`; cached tokens are a part of
the input, reasoning tokens of the output. Where the goal has a budget of money, a line without a cost is priced by its
model. Without a usage line, usage is unknown; without a tool line, so is what changed. The last claim, session and
quota count. Unknown types and fields are passed over. Anything else than such lines is broken, except a last line that
was cut off. Notes for people go to standard error.
"""

from dataclasses import replace
from typing import Final

from telic.domain.budget import MODEL_COUNTERS, ModelUsage
from telic.domain.clock import MICRO, Instant
from telic.domain.errors import InvalidInput
from telic.domain.goal import Wake
from telic.domain.loop_state import Claim
from telic.loop.agents.formats import OutputFormat, Parsed, TextTail
from telic.loop.agents.json_reader import Fields, amount_of, count_of, read_values, sum_usage, text_of
from telic.loop.agents.protocol import AgentStatement, QuotaReached, TurnReport, read_claim, read_time, wake_after

_SHOWN_CHARS: Final = 200
_TELLING: Final = frozenset({"tool", "usage", "session", "claim", "quota"})
_KNOWN: Final = _TELLING | {"text", "error"}


def _is_telling(line: bytes) -> bool | None:
    """Return whether the line holds more than text; None where it is no line of this protocol."""
    values = read_values(line)
    kind = text_of(values[0], "type") if len(values) == 1 else None
    return None if kind not in _KNOWN else kind in _TELLING


class JsonLinesParser:
    """Follows the lines; nothing is guessed."""

    def __init__(self) -> None:
        self._text = TextTail()
        self._tool_output = TextTail()
        self._tool_effects: int | None = None
        self._usage: ModelUsage | None = None
        self._without_cost = ModelUsage()
        self._model: str | None = None
        self._session: str | None = None
        self._claim: Fields | None = None
        self._quota: QuotaReached | None = None
        self._failure: str | None = None
        self._broken: str | None = None
        self._unclear: str | None = None
        self._understood = False

    def take(self, line: bytes) -> None:
        """The line is read."""
        if not line.strip():
            return
        self._broken = self._broken or self._unclear
        values = read_values(line)
        if len(values) != 1 or text_of(values[0], "type") is None:
            self._unclear = f"not a JSON object with a type: {line[:_SHOWN_CHARS].decode(errors='replace')!a}"
            return
        self._understood = True
        try:
            self._message(values[0])
        except InvalidInput as error:
            self._broken = self._broken or str(error)

    def _message(self, fields: Fields) -> None:
        match fields["type"]:
            case "text":
                self._text.add(text_of(fields, "text") or "")
            case "tool":
                self._tool_output.add(text_of(fields, "output") or "")
                self._tool_effects = (self._tool_effects or 0) + (fields.get("changed") is True)
            case "usage":
                self._add_usage(fields)
            case "session":
                self._session = TurnReport(text="", session=text_of(fields, "session")).session
            case "claim":
                self._claim = fields
            case "quota":
                resets_at = text_of(fields, "resets_at")
                self._quota = QuotaReached(resets_at=None if resets_at is None else read_time(resets_at))
            case "error":
                self._failure = text_of(fields, "message") or "the agent reports an error"
            case _:
                pass

    def _add_usage(self, fields: Fields) -> None:
        self._model = text_of(fields, "model") or self._model
        added = ModelUsage(**{name: amount_of(fields, name) or 0 for name in MODEL_COUNTERS})
        self._usage = added if self._usage is None else sum_usage([self._usage, added])
        if fields.get("cost_microunits") is None:
            self._without_cost = sum_usage([self._without_cost, added])

    def so_far(self) -> Parsed:
        """See `OutputParser`."""
        usage = None if self._broken is not None else self._usage
        return Parsed(
            usage=usage,
            model=self._model,
            session=self._session,
            without_cost=self._without_cost,
            quota=self._quota,
        )

    def parsed(self, now: Instant) -> Parsed:
        """See `OutputParser`."""
        statement, broken = AgentStatement(), self._broken or (None if self._understood else self._unclear)
        try:
            statement = _statement(self._claim, now)
        except InvalidInput as error:
            broken = broken or str(error)
        return Parsed(
            text=str(self._text),
            usage=self._usage,
            model=self._model,
            statement=statement,
            session=self._session,
            tool_effects=self._tool_effects,
            tool_output_tail=str(self._tool_output),
            quota=self._quota,
            failure=self._failure,
            broken=broken,
            makes_claims=self._claim is not None,
            without_cost=self._without_cost,
        )


def _statement(fields: Fields | None, now: Instant) -> AgentStatement:
    if fields is None:
        return AgentStatement()
    name = text_of(fields, "claim")
    if name not in tuple(Claim):
        raise InvalidInput(f"{name!a} is no claim")
    claim = Claim(name)
    return AgentStatement(
        claim=claim, note=text_of(fields, "note"), wake=_wake(fields, now) if claim is Claim.WAITING else None
    )


def _wake(fields: Fields, now: Instant) -> Wake:
    seconds, at = count_of(fields, "wake_after_seconds"), text_of(fields, "wake_at")
    signal = text_of(fields, "signal")
    if seconds is not None:
        wake = wake_after(seconds * MICRO, now)
        if wake is None:
            raise InvalidInput("wake_after_seconds is more than a year")
        return Wake(at=wake.at, signal=signal)
    return Wake(at=None if at is None else read_time(at), signal=signal)


_RECOGNISED: Final = "the agent prints JSON lines, which are read as such; --format json-lines says so from the start"


class PlainParser:
    """Text, and a claim on its last line; lines of Telic's own protocol, and nothing else, are read as that."""

    def __init__(self) -> None:
        self._text = TextTail()
        self._lines: JsonLinesParser | None = JsonLinesParser()
        self._tells = False

    def take(self, line: bytes) -> None:
        """The line is the text's last; bytes that are no UTF-8 become U+FFFD."""
        self._text.add(line.decode(errors="replace"))
        if self._lines is None or not line.strip():
            return
        kind = _is_telling(line)
        if kind is None:
            self._lines = None
            return
        self._tells = self._tells or kind
        self._lines.take(line)

    def _recognised(self) -> JsonLinesParser | None:
        return self._lines if self._tells else None

    def so_far(self) -> Parsed:
        """See `OutputParser`."""
        lines = self._recognised()
        if lines is None:
            return Parsed()
        return replace(lines.so_far(), notice=_RECOGNISED)

    def parsed(self, now: Instant) -> Parsed:
        """See `OutputParser`."""
        lines = self._recognised()
        if lines is not None:
            return lines.parsed(now)
        text = str(self._text)
        statement = read_claim(text, now)
        return Parsed(text=text, statement=statement, makes_claims=statement.claim is not Claim.WORKING)


PLAIN: Final = OutputFormat(
    "plain", lambda _: PlainParser(), tells_usage=False, is_host=False, prints_before_it_asks=False
)
JSON_LINES: Final = OutputFormat(
    "json_lines", lambda _: JsonLinesParser(), tells_cost=True, is_host=False, prints_before_it_asks=False
)
