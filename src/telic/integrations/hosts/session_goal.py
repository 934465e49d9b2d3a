"""A conversation's goal where the host has given the conversation another session's id.

Hosts do so when a person clears the context, or accepts a plan with a clear one; older releases when one is resumed.
The goal's scope is the former session's: so the user is told, and the new session takes it up when the user says so.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from telic.domain.errors import GoalError, LeaseHeld
from telic.domain.goal import Goal, GoalStatus
from telic.domain.limits import MAX_PAGE
from telic.integrations.hosts.payload import HookEvent, HookPayload
from telic.integrations.hosts.session_state import SessionMemory, others
from telic.integrations.hosts.transcripts import open_transcript
from telic.prompt import quote
from telic.store.goal_store import GoalStore
from telic.wording.words import first_words

_MOST_BYTES: Final = 32 * 1024 * 1024
_TITLE_CHARS: Final = 80
_CLEARED: Final = "clear"


def find_former_goal(
    store: GoalStore, state: Path, host: str, memory: SessionMemory, payload: HookPayload
) -> str | None:
    """Return what the user should hear of a goal that a former session of this conversation works on, once."""
    if memory.has_looked or payload.event not in (HookEvent.SESSION_START, HookEvent.PROMPT, HookEvent.STOP):
        return None
    memory.has_looked = True
    for other in others(state, host, memory):
        if other.folder == os.path.realpath(payload.folder) and other.scope and _is_former(other, payload):
            goal = _unfinished(store, other.scope)
            if goal is not None:
                memory.offered = other.scope
                return offer_of_goal(goal, other.session or "")
    return None


def takes_up(memory: SessionMemory, payload: HookPayload) -> bool:
    """Whether the user says that this session is to go on with the goal that was offered; it does from then on."""
    if (
        memory.offered is None
        or payload.event is not HookEvent.PROMPT
        or payload.prompt.strip().casefold() != TAKE_UP_PROMPT
    ):
        return False
    memory.adopted, memory.offered = memory.offered, None
    return True


def _is_former(other: SessionMemory, payload: HookPayload) -> bool:
    """Whether both are one conversation: it was cleared, or the new transcript repeats the former one."""
    if payload.source == _CLEARED and other.is_over:
        return True
    marks = [mark.encode() for mark in (other.session, other.last_response) if mark]
    file = None if payload.transcript is None else open_transcript(payload.transcript)
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


def offer_of_goal(goal: Goal, session: str) -> str:
    """Return what the user hears of a goal that another session of this conversation works on."""
    text = quote(first_words(goal.text, _TITLE_CHARS))
    said = f"Telic: goal {goal.id}, {text}, belongs to this conversation's former session, {first_words(session)}"
    return f"{said}. To go on with it here, type: {TAKE_UP_PROMPT}"


TAKE_UP_PROMPT: Final = "telic take up"
"""The prompt by which a session takes up the goal that it was told of."""


_LEASE_SECONDS: Final = 1.0


def wake_due_goals(store: GoalStore, scope: str, holder: str) -> None:
    """The scope's goals whose time has come are awake, as a worker would have woken them; nobody's lease is kept."""
    if store.active(scope) is not None:
        return
    paused = store.list(scope=scope, status=GoalStatus.PAUSED, limit=MAX_PAGE).goals
    times = [goal.wake_at for goal in paused if goal.wake_at is not None]
    # By the database's clock, which has the goal woken; this machine's may be wrong.
    if not times or min(times) > store.now():
        return
    with suppress(LeaseHeld):
        for lease in store.claim_due(scope=scope, holder=holder, ttl_seconds=_LEASE_SECONDS):
            with suppress(GoalError):
                store.release_lease(lease)
