"""A conversation's goal where the host has given the conversation another session's id.

Hosts do so when a person clears the context, or accepts a plan with a clear one; older releases when one is resumed.
The goal's scope is the former session's: so the user is told, and the new session takes it up when the user says so.
"""

import os
from pathlib import Path
from typing import Final

from telic.domain.goal import Goal
from telic.integrations.hosts.messages import TAKE_UP, left_behind
from telic.integrations.hosts.payload import Moment, Notice
from telic.integrations.hosts.session_state import Memory, others
from telic.integrations.hosts.usage import open_transcript
from telic.store.goal_store import GoalStore

_MOST_BYTES: Final = 32 * 1024 * 1024
_CLEARED: Final = "clear"


def look_for_goal(store: GoalStore, state: Path, host: str, memory: Memory, notice: Notice) -> str | None:
    """Return what the user should hear of a goal that a former session of this conversation works on, once."""
    if memory.has_looked or notice.moment not in (Moment.SESSION_START, Moment.PROMPT, Moment.STOP):
        return None
    memory.has_looked = True
    for other in others(state, host, memory):
        if other.folder == os.path.realpath(notice.folder) and other.scope and _is_former(other, notice):
            goal = _unfinished(store, other.scope)
            if goal is not None:
                memory.offered = other.scope
                return left_behind(goal, other.session or "")
    return None


def takes_up(memory: Memory, notice: Notice) -> bool:
    """Whether the user says that this session is to go on with the goal that was offered; it does from then on."""
    if memory.offered is None or notice.moment is not Moment.PROMPT or notice.prompt.strip().casefold() != TAKE_UP:
        return False
    memory.adopted, memory.offered = memory.offered, None
    return True


def _is_former(other: Memory, notice: Notice) -> bool:
    """Whether both are one conversation: it was cleared, or the new transcript repeats the former one."""
    if notice.source == _CLEARED and other.is_over:
        return True
    marks = [mark.encode() for mark in (other.session, other.last_response) if mark]
    file = None if notice.transcript is None else open_transcript(notice.transcript)
    if file is None:
        return False
    with file:
        text = file.read(_MOST_BYTES)
    return any(mark in text for mark in marks)


def _unfinished(store: GoalStore, scope: str) -> Goal | None:
    active = store.active(scope)
    if active is not None:
        return active
    return next((goal for goal in store.list(scope=scope).goals if goal.is_waiting), None)
