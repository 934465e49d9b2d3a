"""GitHub Copilot CLI, after its hooks reference: SessionStart and Stop, in its form that has Claude Code's names.

The form with names such as `agentStop` does not say which moment it is. The answer to a prompt's hook is dropped by
Copilot. What the model said last stands in its transcript alone; usage stands in a database beside.

From 1.0.83 on, the table `assistant_usage_events` of its session store has a row for each call of a model.

Input includes what was read from and written to the provider's cache, output includes reasoning. Rows of sub-agents
name the agent, or the call of a tool that began it.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from telic.domain.budget import UsageKind
from telic.integrations.hosts.payload import HookEvent, HookHost, HookPayload, read_common_payload
from telic.integrations.hosts.usage_sources import (
    HostResponse,
    UsageTable,
    home,
    last_message_in,
    time_of_row,
    usage_of_row,
)
from telic.loop.agents.json_reader import Fields, fields_of, text_of

_EVENTS: Final = {
    "SessionStart": HookEvent.SESSION_START,
    "UserPromptSubmit": HookEvent.PROMPT,
    "Stop": HookEvent.STOP,
    "SessionEnd": HookEvent.BOOKKEEPING,
}


def _said(fields: Fields) -> str | None:
    """Return the text of a line of Copilot's."""
    if fields.get("type") != "assistant.message":
        return None
    return text_of(fields_of(fields, "data"), "content") or None


def _read(fields: Fields, environment: Mapping[str, str]) -> HookPayload | None:
    payload = read_common_payload(fields, environment, _EVENTS)
    if payload is None or payload.event is not HookEvent.STOP or payload.transcript is None:
        return payload
    return replace(payload, last_message=last_message_in(payload.transcript, _said), transcript=None)


_COLUMNS: Final = (
    "id",
    "session_id",
    "created_at",
    "model",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "reasoning_tokens",
    "agent_id",
    "parent_tool_call_id",
)


def copilot_table(environment: Mapping[str, str]) -> UsageTable:
    """The store in Copilot's folder, `COPILOT_HOME` or `~/.copilot`."""
    named = environment.get("COPILOT_HOME", "")
    folder = Path(named) if named.startswith("/") else home() / ".copilot"
    return UsageTable(
        path=folder / "session-store.db", table="assistant_usage_events", columns=_COLUMNS, response=_response
    )


def _response(row: Fields, session: str) -> HostResponse | None:
    at, precision = time_of_row(row.get("created_at"))
    is_side = bool(row.get("agent_id") or row.get("parent_tool_call_id"))
    return HostResponse(
        key=f"copilot/{session}/{row.get('id')}/{row.get('created_at')}",
        usage=usage_of_row(row),
        kind=UsageKind.SUB_AGENT if is_side else UsageKind.WORK,
        model=text_of(row, "model"),
        at=at,
        precision_microseconds=precision,
    )


COPILOT: Final = HookHost(
    name="copilot",
    read=_read,
    contexts=frozenset({HookEvent.SESSION_START}),
    nests_context=False,
    shows_messages=False,
    usage_table=copilot_table,
)
