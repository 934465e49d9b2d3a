"""What `codex exec --json` prints. Checked against Codex 0.163.0 and 0.171.0.

Of interest here: `turn.completed` reports what the whole thread has used, also after `resume`, without its sub-agents,
and all zeros where nothing was counted; cached and reasoning tokens are parts of input and output; an `error` may be
passing, while `turn.failed` ends the turn. What each response used is in files (`codex_rollouts`).
"""

from typing import Final

from telic.domain.budget import MODEL_COUNTERS, ModelUsage
from telic.domain.clock import Instant
from telic.domain.errors import InvalidNumber
from telic.loop.agents.claims import read_claim
from telic.loop.agents.json_reader import (
    Fields,
    Parsed,
    TextTail,
    count_of,
    fields_of,
    list_of,
    read_values,
    text_of,
    within_total,
)
from telic.loop.agents.provider_errors import is_lost_conversation, quota_of
from telic.loop.agents.usage_records import CumulativeSession, read_session, used_since

_TOOL_ITEMS: Final = frozenset({"command_execution", "file_change", "mcp_tool_call", "collab_tool_call", "web_search"})


class CodexParser:
    """Follows the events of one thread."""

    def __init__(self, session: str | None = None) -> None:
        self._resumed = read_session(session)
        self._thread: str | None = None
        self._text = ""
        self._tool_output = TextTail()
        self._total: ModelUsage | None = None
        self._finished = False
        self._has_answered = False
        self._error: str | None = None
        self._failure: str | None = None
        self._broken: str | None = None

    def take(self, line: bytes) -> None:
        """The event of the line is taken in; what is no JSON was not said by Codex."""
        for fields in read_values(line):
            try:
                self._event(fields)
            except InvalidNumber as error:
                self._broken = str(error)

    def _event(self, fields: Fields) -> None:
        match fields.get("type"):
            case "thread.started":
                self._thread = text_of(fields, "thread_id")
            case "item.completed":
                self._item(fields_of(fields, "item"))
            case "turn.completed":
                self._finished = True
                self._total = token_usage(fields_of(fields, "usage")) or self._total
            case "turn.failed":
                self._finished = True
                self._failure = text_of(fields_of(fields, "error"), "message") or self._error or "the turn failed"
            case "error":
                self._error = text_of(fields, "message")
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
        usage, session = self._usage_and_session()
        return Parsed(usage=usage, session=session, notice=None if self._finished else self._error)

    def parsed(self, now: Instant) -> Parsed:
        """What the events say."""
        failure = self._failure or (None if self._finished else self._error)
        usage, session = self._usage_and_session()
        quota = quota_of(failure, now)
        is_refused = quota is not None or is_lost_conversation(failure or "")
        if is_refused and not self._has_answered and self._total is None and self._broken is None:
            # The provider refused the turn's only request: nothing was used.
            usage = ModelUsage()
        return Parsed(
            text=self._text,
            usage=usage,
            is_estimate=not self._finished,
            statement=read_claim(self._text, now),
            session=session,
            tool_output_tail=str(self._tool_output),
            quota=quota,
            finished=self._finished,
            failure=failure,
            broken=self._broken,
        )

    def _usage_and_session(self) -> tuple[ModelUsage | None, str | None]:
        thread = read_session(self._thread)
        if thread is None:
            return None, None
        continues = self._resumed is not None and self._resumed.id == thread.id
        before = self._resumed.used if self._resumed is not None and continues else ModelUsage()
        # A total that this turn did not tell is told by the next one, which then pays for both.
        session = str(CumulativeSession(thread.id, self._total or before))
        if self._broken is not None or self._total is None or before is None:
            return None, session
        return used_since(before, self._total), session


def _output(item: Fields) -> str:
    if item.get("type") == "command_execution":
        code = item.get("exit_code")
        return f"$ {item.get('command')}\n{text_of(item, 'aggregated_output') or ''}[exit code {code}]"
    if item.get("type") == "file_change":
        return "\n".join(f"{change.get('kind')} {change.get('path')}" for change in list_of(item, "changes"))
    return f"{item.get('type')}: {item.get('tool') or item.get('query') or ''}"


def token_usage(usage: Fields) -> ModelUsage | None:
    """What Codex counted, or None where it counted nothing.

    Raises:
        InvalidNumber: a count is none.
    """
    total_input, output = count_of(usage, "input_tokens"), count_of(usage, "output_tokens")
    if total_input is None or output is None:
        return None
    counted = ModelUsage(
        input_tokens=total_input,
        cached_input_tokens=count_of(usage, "cached_input_tokens") or 0,
        output_tokens=output,
        reasoning_tokens=count_of(usage, "reasoning_output_tokens") or 0,
    )
    if not any(getattr(counted, name) for name in MODEL_COUNTERS):
        return None
    return within_total(counted, usage.get("total_tokens"))
