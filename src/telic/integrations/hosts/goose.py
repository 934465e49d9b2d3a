"""goose, by its hooks guide of version 1.38. Only the Stop hook takes an answer; goose logs what other hooks print.

So the model first reads of the goal at the first Stop. It reads of it before if the user names a file that goose shows
to its model with every request. goose reads a decision from whatever a hook prints at Stop, and ends a turn that was
kept going eight times in a row.

From schema 15 on, the table `usage_ledger` of its sessions database has a row for each call of a provider.

Input includes what was read from the provider's cache. A sub-agent's session names its parent. A row is written once
and never changed, also where the conversation is compacted; compaction's own calls have rows too.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from telic.domain.budget import UsageKind
from telic.integrations.hosts.payload import HookEvent, HookHost, HookPayload, read_common_payload
from telic.integrations.hosts.usage_sources import PATIENCE_SECONDS, HostResponse, home, time_of_row
from telic.loop.agents.json_reader import Fields, text_of
from telic.loop.agents.usage_records import UsageTable, usage_of_row

_EVENTS: Final = {
    "SessionStart": HookEvent.SESSION_START,
    "UserPromptSubmit": HookEvent.PROMPT,
    "Stop": HookEvent.STOP,
    "SessionEnd": HookEvent.BOOKKEEPING,
}


def _read(fields: Fields, environment: Mapping[str, str]) -> HookPayload | None:
    return read_common_payload({**fields, "hook_event_name": fields.get("event")}, environment, _EVENTS)


_COLUMNS: Final = (
    "id",
    "session_id",
    "created_timestamp",
    "model",
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cache_read_tokens",
    "is_compaction",
)


def goose_table(environment: Mapping[str, str]) -> UsageTable[HostResponse]:
    """Return goose's table of usage: below `GOOSE_PATH_ROOT`, or XDG's data folder."""
    return UsageTable(
        path=_data_folder(environment) / "sessions" / "sessions.db",
        table="usage_ledger",
        columns=_COLUMNS,
        response=_response,
        sessions="sessions",
        patience_seconds=PATIENCE_SECONDS,
    )


def _data_folder(environment: Mapping[str, str]) -> Path:
    root, data = environment.get("GOOSE_PATH_ROOT", ""), environment.get("XDG_DATA_HOME", "")
    if root.startswith("/"):
        return Path(root) / "data"
    return (Path(data) if data.startswith("/") else home() / ".local" / "share") / "goose"


def _response(row: Fields, session: str) -> HostResponse:
    at, precision = time_of_row(row.get("created_timestamp"))
    owner = text_of(row, "session_id")
    return HostResponse(
        key=f"goose/{owner}/{row.get('id')}/{row.get('created_timestamp')}",
        usage=usage_of_row(row),
        kind=_kind(row, owner == session),
        model=text_of(row, "model"),
        at=at,
        precision_microseconds=precision,
    )


def _kind(row: Fields, is_own: bool) -> UsageKind:
    # To write a summary is no turn of the model's work.
    if not is_own:
        return UsageKind.SUB_AGENT
    return UsageKind.TOOL if row.get("is_compaction") else UsageKind.WORK


GOOSE: Final = HookHost(
    name="goose",
    read=_read,
    contexts=frozenset(),
    shows_messages=False,
    block_cap=8,
    cap_variable="GOOSE_STOP_HOOK_BLOCK_CAP",
    usage_table=goose_table,
    context_variable="GOOSE_MOIM_MESSAGE_FILE",
)
