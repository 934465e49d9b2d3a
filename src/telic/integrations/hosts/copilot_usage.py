"""The session store of Copilot CLI, from 1.0.83 on: `assistant_usage_events` has a row for each call of a model.

Input includes what was read from and written to the provider's cache, output includes reasoning. Rows of sub-agents
name the agent, or the call of a tool that began it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from telic.domain.budget import UsageKind
from telic.integrations.hosts.usage import Response, home
from telic.integrations.hosts.usage_rows import UsageTable, time_of_row, usage_of_row
from telic.loop.agents.json_reader import Fields, text_of

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


def _response(row: Fields, session: str) -> Response | None:
    at, precision = time_of_row(row.get("created_at"))
    is_side = bool(row.get("agent_id") or row.get("parent_tool_call_id"))
    return Response(
        key=f"copilot/{session}/{row.get('id')}/{row.get('created_at')}",
        usage=usage_of_row(row),
        kind=UsageKind.SUB_AGENT if is_side else UsageKind.WORK,
        model=text_of(row, "model"),
        at=at,
        precision_microseconds=precision,
    )
