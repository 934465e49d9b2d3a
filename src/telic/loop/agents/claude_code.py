"""Claude Code: the output of `claude -p` with `--output-format stream-json --verbose`, or `--output-format json`.

Checked against Claude Code 2.1.331 and 2.1.197. An assistant message comes once for each of its content blocks, with
the same id and a usage whose output is a mere beginning; with `--include-partial-messages` an event has its end. The
final `result` has the true counts. In a resumed session `total_cost_usd` and `modelUsage` are of the whole session, or
(2.1.197) of this process; `usage` is of this turn without sub-agents, and `model_usage_since_last_result` (streams of
later releases only) of this turn with them. A sub-agent's messages name the tool call that began it; its last one comes
only as that call's result.
"""

import re
from dataclasses import replace
from typing import Final

from telic.domain.budget import ModelUsage
from telic.domain.clock import Instant
from telic.loop.agents.claude_usage import ResponseSums, model_name, share_of_turn, usage_of_models, whole_usage
from telic.loop.agents.formats import HostParser, Parsed
from telic.loop.agents.json_reader import Fields, cost_of, count_of, fields_of, list_of, sum_usage, text_of
from telic.loop.agents.protocol import QuotaReached, read_claim
from telic.loop.agents.provider_errors import is_limit, plausible_reset
from telic.loop.agents.reset_times import instant_of_seconds, reset_time

_BOUNDARIES: Final = frozenset({"error_max_turns", "error_max_budget_usd"})
_LIMIT_BANNER: Final = re.compile(r"Claude(?: AI)? usage limit reached\|\d+", re.IGNORECASE)
_TOOLS_KEPT: Final = 1_000
_TOO_MANY_REQUESTS: Final = 429
_NO_MODEL: Final = "<synthetic>"


class ClaudeCodeParser(HostParser):
    """Follows the messages; the last `result` is what counts."""

    def __init__(self, session: str | None = None) -> None:
        super().__init__(session)
        self._tools: dict[str, str] = {}
        self._responses = ResponseSums()
        self._under_way: dict[str, str] = {}
        self._notice: str | None = None
        self._began = False
        self._limit_rejects = False
        self._limit_resets_at: Instant | None = None
        self._limit_type = ""
        self._result: Fields | None = None
        self._since_last: list[ModelUsage] = []
        self._turn_usage: list[ModelUsage] = []
        self._total: ModelUsage | None = None

    def _message(self, fields: Fields) -> None:
        self._session = text_of(fields, "session_id") or self._session
        message = fields_of(fields, "message")
        match fields.get("type"):
            case "system":
                self._system(fields)
            case "stream_event":
                self._event(str(fields.get("parent_tool_use_id")), fields_of(fields, "event"))
            case "assistant":
                self._assistant(fields, message)
            case "user":
                self._tool_results(message)
                self._sub_agents_last(fields_of(fields, "tool_use_result"))
            case "rate_limit_event":
                self._rate_limit(fields_of(fields, "rate_limit_info"))
            case "result":
                self._take_result(fields)
            case _:
                pass

    def _system(self, fields: Fields) -> None:
        if fields.get("subtype") == "init":
            self._began = True
            self._model = model_name(text_of(fields, "model")) or self._model
        if fields.get("subtype") == "api_retry":
            self._notice = _repeats(fields)

    def _event(self, parent: str, event: Fields) -> None:
        # The beginning of a response names it, its end has its usage.
        if event.get("type") == "message_start":
            self._has_answered = True
            message = fields_of(event, "message")
            self._under_way[parent] = str(message.get("id"))
            self._responses.add(str(message.get("id")), whole_usage(fields_of(message, "usage")))
        if event.get("type") == "message_delta" and parent in self._under_way:
            self._responses.add(self._under_way[parent], whole_usage(fields_of(event, "usage")))

    def _assistant(self, fields: Fields, message: Fields) -> None:
        model = text_of(message, "model")
        for block in list_of(message, "content"):
            if block.get("type") == "text" and fields.get("parent_tool_use_id") is None:
                self._text = text_of(block, "text") or self._text
            if block.get("type") == "tool_use":
                self._use_tool(str(block.get("id")), str(block.get("name")))
        if model is not None and model != _NO_MODEL:
            self._has_answered = True
            self._model = self._model or model_name(model)
            self._responses.add(str(message.get("id")), whole_usage(fields_of(message, "usage")))

    def _sub_agents_last(self, result: Fields) -> None:
        usage = whole_usage(fields_of(result, "usage"))
        if usage is not None and not self._responses.has(usage):
            self._responses.add(f"agent {result.get('agentId')}", usage)

    def _use_tool(self, use_id: str, name: str) -> None:
        self._tools[use_id] = name
        if len(self._tools) > _TOOLS_KEPT:
            del self._tools[next(iter(self._tools))]

    def _tool_results(self, message: Fields) -> None:
        for block in list_of(message, "content"):
            name = self._tools.pop(str(block.get("tool_use_id")), None)
            if block.get("type") != "tool_result" or name is None:
                continue
            content = block.get("content")
            texts = (
                [content] if isinstance(content, str) else [text_of(part, "text") for part in list_of(block, "content")]
            )
            self._tool_output.add("\n".join(text for text in texts if text))

    def _rate_limit(self, info: Fields) -> None:
        self._limit_rejects = info.get("status") == "rejected"
        self._limit_resets_at = instant_of_seconds(info.get("resetsAt")) if self._limit_rejects else None
        self._limit_type = text_of(info, "rateLimitType") or ""

    def _take_result(self, fields: Fields) -> None:
        self._result, self._finished = fields, True
        self._began = self._began or bool(count_of(fields, "num_turns"))
        self._text = text_of(fields, "result") or self._text
        turn = whole_usage(fields_of(fields, "usage"))
        if turn is not None:
            self._turn_usage.append(turn)
        since_last = usage_of_models(fields_of(fields, "model_usage_since_last_result"))
        if since_last is not None:
            self._since_last.append(since_last)

    def so_far(self) -> Parsed:
        """See `OutputParser`."""
        usage = None if self._broken is not None else self._responses.total
        return Parsed(usage=usage, model=self._model, session=self._session_text(usage), notice=self._notice)

    def parsed(self, now: Instant) -> Parsed:
        """See `OutputParser`. Without a result, the usage is the sum of the messages: a lower bound."""
        result = self._result or {}
        quota = self._quota(result, now)
        boundary = text_of(result, "subtype") in _BOUNDARIES
        failed = result.get("is_error") is True and not boundary and quota is None
        said = _words_of(result)
        note = said if boundary else None
        parsed = replace(super().parsed(now), quota=quota, boundary=boundary, failure=said if failed else None)
        return replace(parsed, statement=read_claim(self._text, now, note=note)).unless_refused(parsed.failure or "")

    def _quota(self, result: Fields, now: Instant) -> QuotaReached | None:
        said = _words_of(result)
        limited = self._limit_rejects or is_limit(said)
        busy = result.get("api_error_status") == _TOO_MANY_REQUESTS
        refused = result.get("is_error") is True and (limited or busy)
        # Older releases call a turn that met the limit a success, with nothing but the banner for a result.
        if not refused and not _LIMIT_BANNER.fullmatch(said) and not (self._limit_rejects and self._result is None):
            return None
        resets_at = self._limit_resets_at or reset_time(said, now)
        resets_at = plausible_reset(resets_at, f"{self._limit_type} {said}", now)
        return QuotaReached(resets_at=resets_at, is_brief=busy and not limited)

    def _session_text(self, usage: ModelUsage | None, /) -> str | None:
        # A conversation that never began has nothing to be resumed.
        return self._cumulative_session(self._total, usage) if self._began else None

    def _usage(self) -> ModelUsage | None:
        """Return this turn's share, from the best source that this release has."""
        result = self._result or {}
        self._total = total = usage_of_models(fields_of(result, "modelUsage"))
        responses = self._responses.total
        if self._since_last:
            return share_of_turn(None, sum_usage(self._since_last), responses)
        if total is None or not self._turn_usage:
            return self._without_models(result)
        if self._resumed is None:
            return share_of_turn(None, total, responses)
        turn = sum_usage(self._turn_usage)
        responses = turn if responses is None or responses.input_tokens < turn.input_tokens else responses
        if self._resumed.used is None:
            return None
        return share_of_turn(self._resumed.used, total, responses)

    def _without_models(self, result: Fields) -> ModelUsage | None:
        # An old release's result has the turn alone; without one there are the beginnings in the messages.
        if self._turn_usage:
            return replace(sum_usage(self._turn_usage), cost_microunits=cost_of(result, "total_cost_usd") or 0)
        return self._responses.total


def _words_of(result: Fields) -> str:
    errors = result.get("errors")
    listed = [str(error) for error in errors] if isinstance(errors, list) else []
    return text_of(result, "result") or "\n".join(listed) or str(result.get("subtype") or "")


def _repeats(retry: Fields) -> str:
    """Return a notice that Claude Code repeats a request by itself, which may last for minutes."""
    tries = f"{retry.get('attempt')} of {retry.get('max_retries')}"
    status = retry.get("error_status") or "no answer"
    return f"the provider failed ({retry.get('error') or 'error'}, {status}); repeating, {tries}"
