"""GitHub Copilot CLI, after its hooks reference: SessionStart and Stop, in its form that has Claude Code's names.

The form with names such as `agentStop` does not say which moment it is. The answer to a prompt's hook is dropped by
Copilot. What the model said last stands in its transcript alone; usage stands in a database beside.

Its rows of usage are read as the loop reads them. Rows of sub-agents name the agent, or the call of a tool that began
it.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from telic.domain.budget import UsageKind
from telic.integrations.hosts.payload import HookEvent, HookHost, HookPayload, read_common_payload
from telic.integrations.hosts.usage_sources import (
    PATIENCE_SECONDS,
    HostResponse,
    home,
    last_message_in,
    time_of_row,
)
from telic.loop.agents.copilot import usage_rows
from telic.loop.agents.json_reader import Fields, fields_of, text_of
from telic.loop.agents.usage_records import UsageTable, usage_of_row

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


def copilot_table(environment: Mapping[str, str]) -> UsageTable[HostResponse]:
    """Return Copilot's table of usage."""
    return replace(usage_rows(environment, home(), _response), patience_seconds=PATIENCE_SECONDS)


def _response(row: Fields, session: str) -> HostResponse:
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
