"""goose, after its hooks guide of 1.38: of these moments Stop alone takes an answer, what others print is only logged.

So the goal reaches the model with the first Stop; or before, by the file that goose shows to its model with every
request, which its user names. goose reads a decision from whatever a hook prints at Stop, and ends a turn that was
kept going eight times in a row.
"""

from collections.abc import Mapping
from typing import Final

from telic.integrations.hosts.goose_usage import goose_table
from telic.integrations.hosts.payload import Host, Moment, Notice, folder_of
from telic.loop.agents.json_reader import Fields, text_of

_MOMENTS: Final = {
    "SessionStart": Moment.SESSION_START,
    "UserPromptSubmit": Moment.PROMPT,
    "Stop": Moment.STOP,
    "SessionEnd": Moment.BOOKKEEPING,
}


def _read(payload: Fields, environment: Mapping[str, str]) -> Notice | None:
    event, session = text_of(payload, "event") or "", text_of(payload, "session_id")
    moment = _MOMENTS.get(event)
    if moment is None or not session:
        return None
    return Notice(
        moment=moment,
        event=event,
        session=session,
        folder=folder_of(payload, environment),
        last_message=text_of(payload, "last_assistant_message") or "",
        is_session_over=event == "SessionEnd",
    )


GOOSE: Final = Host(
    name="goose",
    read=_read,
    contexts=frozenset(),
    shows_messages=False,
    block_cap=8,
    cap_variable="GOOSE_STOP_HOOK_BLOCK_CAP",
    usage_table=goose_table,
    context_variable="GOOSE_MOIM_MESSAGE_FILE",
)
