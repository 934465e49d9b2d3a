"""Structured log lines, one for each event: programs can read them, and no text can forge one."""

import json
import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from telic.domain.errors import GoalError, InvalidInput, LeaseLost, StoreError
from telic.domain.goal import Goal
from telic.observability.observer import (
    AgentTurn,
    EventsReceived,
    Fact,
    HoldMoved,
    LeaseRanOut,
    Observer,
    StatusSet,
    StoreCall,
    TurnCounted,
    VerificationRun,
    Work,
)
from telic.prompt import quote

Value = str | int | float | None

# The names are part of the interface: hosts set levels and handlers by them.
_STORE: Final = logging.getLogger("telic.store")
_LOOP: Final = logging.getLogger("telic.loop")
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.:/+-]{1,200}")
# In URLs, and in the key=value form of a connection string.
_SECRETS: Final = re.compile(r"(://[^\s/@:]*:)[^\s@]*(?=@)|(password=)('[^']*'|[^\s&'\"]+)", re.IGNORECASE)


class LineForm(StrEnum):
    """The form of a line: `name=value` pairs, or one JSON object."""

    LOGFMT = "logfmt"
    JSON = "json"


class LogLine:
    """An event's name and its particulars; as text it is in the form of logfmt."""

    __slots__ = ("fields",)

    def __init__(self, event: str, **particulars: Value) -> None:
        self.fields: dict[str, Value] = {"event": event}
        for name, value in particulars.items():
            if value is not None:
                self.fields[name] = value

    def __str__(self) -> str:
        return " ".join(f"{name}={_plain_or_quoted(value)}" for name, value in self.fields.items())


class LineFormatter(logging.Formatter):
    """Each record is one line: when, how grave, who says it, and what.

    Others' words are escaped as in prompts, and passwords of connection strings left out, also from what other
    loggers say.

    Raises:
        InvalidInput: there is no such form.
    """

    def __init__(self, form: LineForm | str = LineForm.LOGFMT) -> None:
        super().__init__()
        if form not in [each.value for each in LineForm]:
            raise InvalidInput(f"a log line has one of these forms: {', '.join(LineForm)}")
        self._is_json = form == LineForm.JSON

    def format(self, record: logging.LogRecord) -> str:
        """The record's line."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        fields: dict[str, Value] = {"time": at, "level": record.levelname.lower(), "logger": record.name}
        message: object = record.msg
        if isinstance(message, LogLine):
            fields |= message.fields
        else:
            fields["message"] = record.getMessage()
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        safe = {name: without_secrets(value) if isinstance(value, str) else value for name, value in fields.items()}
        return _as_json(safe) if self._is_json else " ".join(f"{n}={_plain_or_quoted(v)}" for n, v in safe.items())


def without_secrets(text: str) -> str:
    """Return the text without passwords of connection strings."""
    return _SECRETS.sub(lambda found: f"{found[1] or found[2]}***", text)


def _plain_or_quoted(value: Value) -> str:
    if not isinstance(value, str):
        return json.dumps(value)
    return value if _PLAIN.fullmatch(value) else quote(value)


def _as_json(fields: Mapping[str, Value]) -> str:
    pairs = (f"{quote(n)}:{quote(v) if isinstance(v, str) else json.dumps(v)}" for n, v in fields.items())
    return "{" + ",".join(pairs) + "}"


class Logging(Observer):
    """Writes a line for each thing that happens to the standard library's loggers `telic.store` and `telic.loop`.

    What is committed and what is refused is at level info, what a person should look at is a warning, and calls
    that changed nothing are for debugging. No line has a goal's text, nor any note.
    """

    def end(self, work: Work) -> None:
        """See `Observer.end`."""
        if isinstance(work, StoreCall):
            self._log_call(work)
        elif isinstance(work, AgentTurn) and _LOOP.isEnabledFor(logging.INFO):
            ended: dict[str, Value] = {"number": work.number, "step": work.step, "outcome": work.outcome}
            _LOOP.info(_line("turn", work.goal, **ended, model=work.model, **_how(work)))
        elif isinstance(work, VerificationRun) and _LOOP.isEnabledFor(logging.INFO):
            outcome = None if work.found is None else work.found.outcome.value
            _LOOP.info(_line("verification", work.goal, outcome=outcome, **_how(work)))

    def _log_call(self, call: StoreCall) -> None:
        level = logging.DEBUG if call.error is None else _gravity(call.error)
        if _STORE.isEnabledFor(level):
            particulars: dict[str, Value] = {"call": call.name, "goal": call.goal_id, **_how(call)}
            _STORE.log(level, LogLine("called" if call.error is None else "failed", **particulars))
        for fact in call.facts:
            self.on_fact(fact)

    def on_fact(self, fact: Fact) -> None:
        """See `Observer.on_fact`."""
        level = _GRAVITY[type(fact)]
        if _STORE.isEnabledFor(level):
            _STORE.log(level, _fact_line(fact))


_GRAVITY: Final[dict[type, int]] = {
    StatusSet: logging.INFO,
    TurnCounted: logging.INFO,
    HoldMoved: logging.DEBUG,
    EventsReceived: logging.DEBUG,
    LeaseRanOut: logging.WARNING,
}


def _gravity(error: BaseException) -> int:
    if isinstance(error, StoreError | LeaseLost):
        return logging.WARNING
    if isinstance(error, GoalError):
        return logging.INFO
    return logging.ERROR if isinstance(error, Exception) else logging.DEBUG


def _how(work: Work) -> dict[str, Value]:
    return {"error": work.error_code, "milliseconds": round(work.seconds * 1000, 3)}


def _line(event: str, goal: Goal, **particulars: Value) -> LogLine:
    return LogLine(event, goal=goal.id, scope=goal.scope, revision=goal.revision, **particulars)


def _fact_line(fact: Fact) -> LogLine:
    match fact:
        case StatusSet(goal, kind):
            return _line(kind.value, goal, status=fact.status.value, reason=fact.reason and fact.reason.value)
        case TurnCounted(goal, turn):
            tokens: dict[str, Value] = {**turn.usage.as_dict()}
            return _line("usage", goal, kind=turn.kind.value, model=turn.model, **tokens)
        case HoldMoved(hold):
            return LogLine("hold", goal=hold.goal_id, state=hold.state.value, tokens=hold.reserved.tokens)
        case EventsReceived(count, lag_microseconds):
            return LogLine("received", events=count, lag_microseconds=lag_microseconds)
        case LeaseRanOut(goal):
            return _line("lease_ran_out", goal)
