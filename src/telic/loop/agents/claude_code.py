"""What `claude -p` prints with `--output-format stream-json --verbose`, or with `--output-format json`.

Checked against Claude Code 2.1.331. Of interest here: an assistant message comes once for each of its content blocks,
with the same id and a usage whose output is a mere beginning; the final `result` has the true counts. In a resumed
session `total_cost_usd` and `modelUsage` are of the whole session, `usage` of this turn without sub-agents, and
`model_usage_since_last_result` (streams only) of this turn with them. Anthropic counts cached input beside the rest.
"""

import re
from dataclasses import replace
from typing import Final

from telic.domain.budget import ModelUsage
from telic.domain.clock import Instant
from telic.domain.errors import InvalidNumber
from telic.loop.agents.claims import read_claim
from telic.loop.agents.claude_usage import api_usage
from telic.loop.agents.cumulative import CumulativeSession, read_session, used_since
from telic.loop.agents.parsing import (
    Fields,
    Parsed,
    TextTail,
    cost_of,
    count_of,
    fields_of,
    list_of,
    read_values,
    sum_usage,
    text_of,
)
from telic.loop.agents.protocol import QuotaReached
from telic.loop.agents.reset_times import instant_of_seconds, reset_time

_READING_TOOLS: Final = frozenset(
    {"Read", "Glob", "Grep", "LS", "NotebookRead", "WebFetch", "WebSearch", "TodoWrite", "ToolSearch", "BashOutput"}
    | {"Task", "Agent", "ListAgents", "Skill", "ExitPlanMode", "EnterPlanMode", "AskUserQuestion", "TaskOutput"}
)
"""Tools that change nothing themselves. All others count as a change where they succeed."""

_BOUNDARIES: Final = frozenset({"error_max_turns", "error_max_budget_usd"})
_LIMIT: Final = re.compile(r"usage limit reached|hit your [a-z0-9 -]*limit|limit has been reached", re.IGNORECASE)
_LIMIT_BANNER: Final = re.compile(r"Claude(?: AI)? usage limit reached\|\d+", re.IGNORECASE)
_MESSAGES_KEPT: Final = 1_000
_TOO_MANY_REQUESTS: Final = 429


class ClaudeCodeParser:
    """Follows the messages; the last `result` is what counts."""

    def __init__(self, session: str | None = None) -> None:
        self._resumed = read_session(session)
        self._session: str | None = None
        self._model: str | None = None
        self._text = ""
        self._tool_output = TextTail()
        self._tools: dict[str, str] = {}
        self._tool_effects: int | None = None
        self._message_usage: dict[str, ModelUsage] = {}
        self._earlier_usage = ModelUsage()
        self._began = False
        self._limit_rejects = False
        self._limit_resets_at: Instant | None = None
        self._result: Fields | None = None
        self._since_last: list[ModelUsage] = []
        self._turn_usage: list[ModelUsage] = []
        self._broken: str | None = None

    def take(self, line: bytes) -> None:
        """The messages of the line are taken in; what is no JSON was not said by Claude Code."""
        for fields in read_values(line):
            try:
                self._message(fields)
            except InvalidNumber as error:
                self._broken = str(error)

    def _message(self, fields: Fields) -> None:
        self._session = text_of(fields, "session_id") or self._session
        match fields.get("type"):
            case "system" if fields.get("subtype") == "init":
                self._began = True
                # Only a stream begins like this, and a stream tells every tool call.
                self._tool_effects = self._tool_effects or 0
                self._model = text_of(fields, "model") or self._model
            case "assistant":
                self._assistant(fields, fields_of(fields, "message"))
            case "user":
                self._tool_results(fields_of(fields, "message"))
            case "rate_limit_event":
                self._rate_limit(fields_of(fields, "rate_limit_info"))
            case "result":
                self._take_result(fields)
            case _:
                pass

    def _assistant(self, fields: Fields, message: Fields) -> None:
        model = text_of(message, "model")
        for block in list_of(message, "content"):
            if block.get("type") == "text" and fields.get("parent_tool_use_id") is None:
                self._text = text_of(block, "text") or self._text
            if block.get("type") == "tool_use":
                self._use_tool(str(block.get("id")), str(block.get("name")))
        if model is not None and model != "<synthetic>":
            self._model = self._model or model
            self._remember_usage(str(message.get("id")), fields_of(message, "usage"))

    def _use_tool(self, use_id: str, name: str) -> None:
        self._tools[use_id] = name
        if len(self._tools) > _MESSAGES_KEPT:
            del self._tools[next(iter(self._tools))]

    def _remember_usage(self, message_id: str, usage: Fields) -> None:
        counted = api_usage(usage)
        if counted is None:
            return
        self._message_usage[message_id] = counted
        if len(self._message_usage) > _MESSAGES_KEPT:
            oldest = self._message_usage.pop(next(iter(self._message_usage)))
            self._earlier_usage = sum_usage([self._earlier_usage, oldest])

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
            if name not in _READING_TOOLS and block.get("is_error") is not True:
                self._tool_effects = (self._tool_effects or 0) + 1

    def _rate_limit(self, info: Fields) -> None:
        self._limit_rejects = info.get("status") == "rejected"
        self._limit_resets_at = instant_of_seconds(info.get("resetsAt")) if self._limit_rejects else None

    def _take_result(self, fields: Fields) -> None:
        self._result = fields
        self._began = self._began or bool(count_of(fields, "num_turns"))
        self._text = text_of(fields, "result") or self._text
        turn = api_usage(fields_of(fields, "usage"))
        if turn is not None:
            self._turn_usage.append(turn)
        since_last = _model_usage(fields, "model_usage_since_last_result")
        if since_last is not None:
            self._since_last.append(since_last)

    def parsed(self, now: Instant) -> Parsed:
        """What the messages so far say. Without a result, usage is what the messages began with: a lower bound."""
        result = self._result or {}
        quota = self._quota(result, now)
        boundary = text_of(result, "subtype") in _BOUNDARIES
        failed = result.get("is_error") is True and not boundary and quota is None
        usage, session = self._usage_and_session(result)
        return Parsed(
            text=self._text,
            usage=usage,
            model=self._model,
            statement=read_claim(self._text, now, note=_said(result) if boundary else None),
            session=session,
            tool_effects=self._tool_effects,
            tool_output_tail=str(self._tool_output),
            quota=quota,
            finished=self._result is not None,
            boundary=boundary,
            failure=_said(result) if failed else None,
            broken=self._broken,
        )

    def _quota(self, result: Fields, now: Instant) -> QuotaReached | None:
        said = _said(result)
        refused = result.get("is_error") is True and (
            self._limit_rejects or result.get("api_error_status") == _TOO_MANY_REQUESTS or bool(_LIMIT.search(said))
        )
        # Older releases call a turn that met the limit a success, with nothing but the banner for a result.
        if not refused and not _LIMIT_BANNER.fullmatch(said) and not (self._limit_rejects and self._result is None):
            return None
        return QuotaReached(resets_at=self._limit_resets_at or reset_time(said, now))

    def _usage_and_session(self, result: Fields) -> tuple[ModelUsage | None, str | None]:
        session = read_session(self._session)
        try:
            total = _model_usage(result, "modelUsage")
            usage = self._turn(result, total)
        except InvalidNumber as error:
            self._broken, total, usage = str(error), None, None
        if session is None or not self._began:
            return usage, None
        used = total or (self._resumed.used if self._resumed else None)
        return usage, str(CumulativeSession(session.id, used))

    def _turn(self, result: Fields, total: ModelUsage | None) -> ModelUsage | None:
        """This turn's share, from the best of what this release tells."""
        if self._broken is not None:
            return None
        if self._since_last:
            return sum_usage(self._since_last)
        if total is None or not self._turn_usage:
            return self._without_models(result)
        if self._resumed is None:
            return total
        if self._resumed.used is None:
            return None
        share, turn = used_since(self._resumed.used, total), sum_usage(self._turn_usage)
        # A release that counts each process by itself reports less since then than the turn alone has used.
        return share if share.input_tokens >= turn.input_tokens and share.output_tokens >= turn.output_tokens else total

    def _without_models(self, result: Fields) -> ModelUsage | None:
        """What an old release's result says, or else what the messages began with."""
        if self._turn_usage:
            return replace(sum_usage(self._turn_usage), cost_microunits=cost_of(result, "total_cost_usd") or 0)
        return sum_usage([self._earlier_usage, *self._message_usage.values()]) if self._message_usage else None


def _said(result: Fields) -> str:
    errors = result.get("errors")
    listed = [str(error) for error in errors] if isinstance(errors, list) else []
    return text_of(result, "result") or "\n".join(listed) or str(result.get("subtype") or "")


def _model_usage(result: Fields, name: str) -> ModelUsage | None:
    """All models together; None where the release does not say, or nothing was asked of any."""
    models = [fields_of(fields_of(result, name), model) for model in fields_of(result, name)]
    return sum_usage([_one_model(model) for model in models]) if models else None


def _one_model(model: Fields) -> ModelUsage:
    read, written = count_of(model, "cacheReadInputTokens") or 0, count_of(model, "cacheCreationInputTokens") or 0
    output = count_of(model, "outputTokens") or 0
    return ModelUsage(
        input_tokens=(count_of(model, "inputTokens") or 0) + read + written,
        cached_input_tokens=read,
        output_tokens=output,
        reasoning_tokens=min(count_of(model, "thinkingTokens") or 0, output),
        cost_microunits=cost_of(model, "costUSD") or 0,
    )
