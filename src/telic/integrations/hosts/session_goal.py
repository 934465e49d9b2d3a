"""A session's goal: in which scope it is, which one a former session had, and what the model reads of it.

A host may give a conversation another session's id: when a person clears the context, or accepts a plan with a clear
one; older releases when one is resumed. The goal's scope is the former session's: so the user is told, and the new
session takes it up when the user says so.
"""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Final

from telic.domain.errors import GoalError, LeaseHeld
from telic.domain.goal import Goal, GoalStatus
from telic.domain.limits import MAX_NAME_CHARS, MAX_PAGE
from telic.integrations.hosts.claude_code import CLAUDE_CODE
from telic.integrations.hosts.codex import CODEX
from telic.integrations.hosts.copilot import COPILOT
from telic.integrations.hosts.gemini import GEMINI
from telic.integrations.hosts.goose import GOOSE
from telic.integrations.hosts.payload import HookEvent, HookHost, HookPayload
from telic.integrations.hosts.session_state import HookLog, SessionMemory, others, private_folder, write_whole
from telic.integrations.hosts.stop import NextTurn
from telic.integrations.hosts.usage_sources import home
from telic.loop.agents.json_reader import Fields
from telic.loop.agents.protocol import claim_instructions
from telic.loop.agents.usage_records import open_plain
from telic.loop.prompts import short_prompt, turn_prompt
from telic.prompt import place_after_prefix, quote, render
from telic.services.insight import ScopedGoals
from telic.store.connect import as_async_store, complete
from telic.store.goal_store import GoalStore
from telic.wording.amounts import first_words

TAKE_UP_PROMPT: Final = "telic take up"
"""The prompt by which a session takes up the goal that it was offered."""

SESSION_SCOPE: Final = "session"
FOLDER_SCOPE: Final = "folder"

_MOST_READ_BYTES: Final = 32 * 1024 * 1024
_TITLE_CHARS: Final = 80
_CLEARED: Final = "clear"
_LEASE_SECONDS: Final = 1.0
_COMPACTIONS: Final = frozenset({"PreCompact", "PreCompress"})
_MAX_CONTEXT_BYTES: Final = 65_536
"""What goose reads of the file. A block that was cut would not end."""

HOSTS: Final[Mapping[str, HookHost]] = MappingProxyType(
    {host.name: host for host in (CLAUDE_CODE, CODEX, GOOSE, GEMINI, COPILOT)}
)


def is_hosts_scope(scope: str) -> bool:
    """Return whether hooks work on the scope's goals unless their options say otherwise: a session's, or a folder's."""
    return scope.startswith("folder:") or scope.partition("/")[0] in HOSTS


def scope_of(host: str, payload: HookPayload, scope: str) -> str:
    """The scope whose goal the session works on; the host and its user name it, never the model."""
    if scope == SESSION_SCOPE:
        return short_name(f"{host}/", payload.session)
    if scope == FOLDER_SCOPE:
        return folder_scope(payload.folder)
    return scope


def folder_scope(folder: Path) -> str:
    """The scope of a project's folder: `folder:` and its path without links, or a hash of a long one."""
    return short_name("folder:", os.path.realpath(folder))


def short_name(prefix: str, name: str) -> str:
    """The two together, or a hash in the name's place where no scope can hold it."""
    if len(prefix) + len(name) <= MAX_NAME_CHARS and name.isprintable():
        return prefix + name
    return f"{prefix}sha256-{sha256(name.encode(errors='surrogatepass')).hexdigest()}"


def find_former_goal(
    store: GoalStore, state: Path, host: str, memory: SessionMemory, payload: HookPayload
) -> str | None:
    """Return, once, the message to the user about a goal of a former session of this conversation; else None."""
    if memory.has_looked or payload.event not in (HookEvent.SESSION_START, HookEvent.PROMPT, HookEvent.STOP):
        return None
    memory.has_looked = True
    for other in others(state, host, memory):
        if other.folder == os.path.realpath(payload.folder) and other.scope and _is_former(other, payload):
            goals = complete(ScopedGoals(as_async_store(store), other.scope).under_way())
            if goals:
                memory.offered = other.scope
                return _offer_of_goal(goals[0], other.session or "")
    return None


def accepts_offer(memory: SessionMemory, payload: HookPayload) -> bool:
    """Return whether the user's prompt accepts the offered goal; the session works on it from then on."""
    if (
        memory.offered is None
        or payload.event is not HookEvent.PROMPT
        or payload.prompt.strip().casefold() != TAKE_UP_PROMPT
    ):
        return False
    memory.adopted, memory.offered = memory.offered, None
    return True


def _is_former(other: SessionMemory, payload: HookPayload) -> bool:
    # It was cleared, or its transcript repeats the former one: hosts do not say which session went before (ADR 32).
    if payload.source == _CLEARED and other.is_over:
        return True
    marks = [mark.encode() for mark in (other.session, other.last_response) if mark]
    file = None if payload.transcript is None else open_plain(payload.transcript)
    if file is None:
        return False
    with file:
        text = file.read(_MOST_READ_BYTES)
    return any(mark in text for mark in marks)


def _offer_of_goal(goal: Goal, session: str) -> str:
    text = quote(first_words(goal.text, _TITLE_CHARS))
    said = f"Telic: goal {goal.id}, {text}, belongs to this conversation's former session, {first_words(session)}"
    return f"{said}. To go on with it here, type: {TAKE_UP_PROMPT}"


def wake_due_goals(store: GoalStore, scope: str, worker: str) -> None:
    """The scope's goals whose time has come are awake, as a worker would have woken them; nobody's lease is kept."""
    if store.active(scope) is not None:
        return
    paused = store.list(scope=scope, status=GoalStatus.PAUSED, limit=MAX_PAGE).goals
    times = [goal.wake_at for goal in paused if goal.wake_at is not None]
    # By the database's clock, which has the goal woken; this machine's may be wrong.
    if not times or min(times) > store.now():
        return
    with suppress(LeaseHeld):
        for lease in store.claim_due(scope=scope, worker=worker, ttl_seconds=_LEASE_SECONDS):
            with suppress(GoalError):
                store.release_lease(lease)


@dataclass(frozen=True, slots=True)
class GoalContext:
    """Tells the goal to one session's model; `secret` gives the store's."""

    host: HookHost
    memory: SessionMemory
    secret: Callable[[], bytes]

    def whole(self, goal: Goal | None) -> str:
        """Return the goal's block, after how to claim completion; nothing where there is no goal."""
        return "" if goal is None else place_after_prefix(claim_instructions(), self._block(goal))

    def at_start(self, payload: HookPayload, goal: Goal, *, anew: bool) -> Fields | None:
        """Return the answer that tells the goal: at the session's start, and with a prompt unless just before."""
        memory, name = self.memory, _name(goal)
        is_known = memory.is_unanswered and memory.told == name and payload.event is HookEvent.PROMPT and not anew
        if is_known:
            return None
        answer = self.host.context(payload, self.whole(goal))
        if answer is not None:
            memory.told, memory.is_unanswered = name, True
        return answer

    def going_on(self, turn: NextTurn) -> str:
        """Return the text that begins another turn: the whole goal, or a few lines if the model knows the goal."""
        goal, memory, name = turn.goal, self.memory, _name(turn.goal)
        is_known = memory.told == name
        memory.told, memory.is_unanswered = name, False
        if not is_known:
            return turn_prompt(goal, turn.state, turn.step, turn.found, secret=self.secret())
        short = short_prompt(goal, turn.step, turn.found)
        # Where a compaction goes unsaid, the conversation may have forgotten the goal.
        return short if self.host.tells_compaction else f"{short}\n\n{self._block(goal)}"

    def forget_if_compacted(self, payload: HookPayload) -> None:
        """The goal is shown again after a compaction."""
        if payload.event_name in _COMPACTIONS:
            self.memory.told = None

    def _block(self, goal: Goal) -> str:
        return render(goal, secret=self.secret())


def _name(goal: Goal) -> str:
    return f"{goal.id}/{goal.revision}"


def write_context(state: Path, name: str | None, text: str, log: HookLog) -> None:
    """The file holds the text, or nothing; one that is not in Telic's own folder `context` is left alone."""
    if not name or "\0" in name:
        return
    file = home() / name[2:] if name.startswith("~/") else Path(name)
    if file.parent != state / "context":
        return
    if len(text.encode()) > _MAX_CONTEXT_BYTES:
        log.write(f"the goal is too long for {file}, which the host reads {_MAX_CONTEXT_BYTES} bytes of")
        text = ""
    if not text and not file.exists():
        return
    try:
        private_folder(file.parent)
        write_whole(file, text)
    except OSError as error:
        log.write(f"{file} cannot be written: {error}")
