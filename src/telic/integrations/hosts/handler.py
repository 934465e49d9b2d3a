"""One call of a host's hook, from its payload to the answer. Whatever goes wrong, the host's session is unharmed."""

import io
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from telic.domain.clock import SystemClock
from telic.domain.errors import InvalidInput, LeaseHeld, StoreError
from telic.domain.goal import Goal, GoalStatus, Reason
from telic.domain.loop_state import (
    Claim,
)
from telic.integrations.hosts.billing import SessionBilling
from telic.integrations.hosts.goal_context import GoalContext, write_context
from telic.integrations.hosts.hosts import HOSTS, SESSION_SCOPE, scope_of, short_name
from telic.integrations.hosts.judge_choice import JudgeChoice
from telic.integrations.hosts.payload import HookEvent, HookHost, HookPayload, to_line, with_message
from telic.integrations.hosts.safeguards import HookLog, HookWatchdog, log_of
from telic.integrations.hosts.session_goal import find_former_goal, takes_up, wake_due_goals
from telic.integrations.hosts.session_state import SessionMemory, load_memory, state_folder
from telic.integrations.hosts.stop import StopDecision, StopPolicy, claim_line, lost_claim, status_line
from telic.loop.agents.claims import read_claim
from telic.loop.agents.json_reader import Fields, read_values
from telic.loop.agents.turn_above import is_inside_turn
from telic.store.connect import connect
from telic.store.goal_store import GoalStore

DEFAULT_CHECK_SECONDS: Final = 540.0
DEFAULT_MOST_CONTINUATIONS: Final = 20
DEFAULT_ANSWER_SECONDS: Final = 5.0
"""How long a hook may take that runs no checks: half of what hosts are told to wait."""

MAX_PAYLOAD_BYTES: Final = 16 * 1024 * 1024

_READING_SHARE: Final = 0.2
"""Of the time for an answer: no step of reading transcripts begins after it."""

_STORE_SHARE: Final = 0.3
"""Of the time for an answer: how long one call may wait for the store."""

_SLACK_SECONDS: Final = 10.0
_OUTPUT: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class HookOptions:
    """What the hook's command line says.

    `scope` is `session` (the host's session alone), `folder` (whatever session works in the project's folder), or
    the name of a scope.
    """

    store: str
    scope: str = SESSION_SCOPE
    most_continuations: int = DEFAULT_MOST_CONTINUATIONS
    check_seconds: float = DEFAULT_CHECK_SECONDS
    answer_seconds: float = DEFAULT_ANSWER_SECONDS
    judge: JudgeChoice = field(default_factory=JudgeChoice)


def run_hook(host_name: str, options: HookOptions) -> None:
    """The host's payload on standard input was answered on standard output, or nothing was said.

    Raises:
        InvalidInput: there is no such host, or an option is unusable.
    """
    host = HOSTS.get(host_name)
    if host is None:
        raise InvalidInput(f"{host_name!a} has no hooks that Telic knows; these have: {', '.join(HOSTS)}")
    if not 1 <= options.check_seconds <= 3600 or not 0 <= options.most_continuations <= 1000:
        raise InvalidInput("checks may take 1 to 3600 seconds, and a turn go on 0 to 1000 times")
    check_answer_seconds(options.answer_seconds)
    folder = state_folder(os.environ)
    log = log_of(os.environ, host_name)
    watchdog = HookWatchdog(log)
    watchdog.allow(options.answer_seconds)
    try:
        # Inside a loop's turn the loop counts and decides; an answer of ours would do both once more.
        if not is_inside_turn(os.environ):
            answer = _HookCall(host, options, folder, log, watchdog).answer(_standard_input())
            watchdog.stop()
            _write(answer)
    except Exception as error:  # A host's session outlives every mistake of ours.
        log.write(f"{type(error).__name__}: {error}")
    finally:
        watchdog.stop()


def check_answer_seconds(seconds: float) -> None:
    """Raise `InvalidInput` unless an answer may take so long."""
    if not 0.1 <= seconds <= 3600:
        raise InvalidInput("an answer may take 0.1 to 3600 seconds")


def _standard_input() -> BinaryIO:
    """Return the process's input; an empty one where the host gave none."""
    return io.BytesIO() if sys.stdin is None else sys.stdin.buffer


def _write(answer: Fields | None) -> None:
    """The host has the whole answer. It is not buffered, which could fail once more at the process's end.

    Raises:
        OSError: it cannot be written.
    """
    if answer is None:
        return
    if sys.stdout is None:
        raise OSError("the host gave no standard output")
    line = to_line(answer)
    while line:
        line = line[os.write(_OUTPUT, line) :]


@dataclass(frozen=True, slots=True)
class _HookCall:
    """One call while it is answered."""

    host: HookHost
    options: HookOptions
    folder: Path
    log: HookLog
    watchdog: HookWatchdog

    def answer(self, stdin: BinaryIO) -> Fields | None:
        payload = self._read(stdin)
        if payload is None:
            return None
        memory = load_memory(self.folder, self.host.name, payload.session)
        if payload.event is HookEvent.PROMPT or payload.goes_on is False:
            memory.continuations = 0
        memory.is_unanswered = memory.is_unanswered and payload.event is not HookEvent.STOP
        lost, memory.lost_claim = memory.lost_claim, None
        self.watchdog.before_end = lambda: self._keep_claim(memory, payload, lost)
        try:
            patience = _STORE_SHARE * self.options.answer_seconds
            with connect(self.options.store, create=False, timeout_seconds=patience) as store:
                answer = self._in_store(store, memory, payload)
        except StoreError:
            self._keep_claim(memory, payload, lost)
            raise
        told = lost is not None and self.host.shows_messages and payload.event in _TELLING
        memory.lost_claim = None if told else lost
        memory.save()
        return with_message(answer, lost_claim(lost)) if told and lost else answer

    def _keep_claim(self, memory: SessionMemory, payload: HookPayload, lost: str | None) -> None:
        """What the model claims now comes to nothing: the user hears of it when the store is there again."""
        claim = read_claim(payload.last_message, SystemClock().now()).claim if payload.event is HookEvent.STOP else None
        memory.lost_claim = lost if claim in (None, Claim.WORKING) else claim_line(claim)
        if memory.lost_claim is not None:
            memory.save()

    def _read(self, stdin: BinaryIO) -> HookPayload | None:
        text = stdin.read(MAX_PAYLOAD_BYTES + 1)
        values = read_values(text) if len(text) <= MAX_PAYLOAD_BYTES else []
        if len(values) != 1:
            self.log.write(f"a payload of {len(text)} bytes that cannot be understood")
            return None
        return self.host.read(values[0], os.environ)

    def _in_store(self, store: GoalStore, memory: SessionMemory, payload: HookPayload) -> Fields | None:
        holder = short_name(f"hook/{self.host.name}/", payload.session)
        is_of_session = self.options.scope == SESSION_SCOPE
        took_up = is_of_session and takes_up(memory, payload)
        scope = memory.adopted if is_of_session and memory.adopted else self._scope(payload)
        wake_due_goals(store, scope, holder)
        worked_on = memory.goal_id
        deadline = time.monotonic() + _READING_SHARE * self.options.answer_seconds
        accounts = SessionBilling(store, self.host, scope, memory, deadline, self.log.write, os.environ)
        goal = accounts.settle(payload)
        memory.note_session(payload.folder, scope if goal is not None else None, payload.is_session_over)
        telling = GoalContext(self.host, memory, store.secret)
        if self.host.context_variable is not None:
            write_context(self.folder, os.environ.get(self.host.context_variable), telling.whole(goal), self.log)
        if goal is None:
            former = find_former_goal(store, self.folder, self.host.name, memory, payload) if is_of_session else None
            stopped = self._unpriced(store, memory, payload) or self._stopped(store, holder, memory, worked_on, payload)
            return stopped or self._tell_user(former)
        if payload.event in (HookEvent.SESSION_START, HookEvent.PROMPT):
            return telling.at_start(payload, goal, anew=took_up)
        if payload.event is HookEvent.STOP:
            return self._said(telling, payload, self._stop(store, holder, memory, payload, goal))
        telling.forget_if_compacted(payload)
        return None

    def _scope(self, payload: HookPayload) -> str:
        return scope_of(self.host.name, payload, self.options.scope)

    def _unpriced(self, store: GoalStore, memory: SessionMemory, payload: HookPayload) -> Fields | None:
        """The user hears, once, that the goal is paused since its budget of money cannot be measured."""
        if memory.unpriced is None or payload.event not in _TELLING:
            return None
        goal, memory.unpriced = store.get(memory.unpriced), None
        return self._tell_user(status_line(goal)) if goal.status is GoalStatus.PAUSED else None

    def _stopped(
        self, store: GoalStore, holder: str, memory: SessionMemory, worked_on: str | None, payload: HookPayload
    ) -> Fields | None:
        """The user hears that the goal which the turn worked on is not active any more, once."""
        if worked_on is None or payload.event is not HookEvent.STOP:
            return None
        goal = store.get(worked_on)
        if goal.status is GoalStatus.PAUSED and goal.reason is Reason.BUDGET:
            # The turn that used it up may have reached the goal.
            return self._tell_user(self._stopping(store, holder, memory).decide_spent(goal, payload).message)
        return self._tell_user(status_line(goal))

    def _tell_user(self, message: str | None) -> Fields | None:
        return None if message is None else self.host.tell_user(message)

    def _stop(
        self, store: GoalStore, holder: str, memory: SessionMemory, payload: HookPayload, goal: Goal
    ) -> StopDecision:
        try:
            return self._stopping(store, holder, memory).decide(goal, payload)
        except LeaseHeld:
            return StopDecision()

    def _stopping(self, store: GoalStore, holder: str, memory: SessionMemory) -> StopPolicy:
        return StopPolicy(
            store=store,
            memory=memory,
            holder=holder,
            most_continuations=self._most_continuations(os.environ),
            check_seconds=self.options.check_seconds,
            judge=self.options.judge,
            before_checks=lambda: self.watchdog.allow(self.options.check_seconds + _SLACK_SECONDS),
        )

    def _most_continuations(self, environment: Mapping[str, str]) -> int:
        """Below the host's own limit, so that the turn ends by our word and not by its warning; 0 is none."""
        cap, given = self.host.block_cap, environment.get(self.host.cap_variable or "", "").strip()
        if given.isascii() and given.removeprefix("-").isdigit() and len(given) <= 9:
            cap = int(given)
        own = self.options.most_continuations
        return own if cap is None or cap <= 0 else min(own, cap - 1)

    def _said(self, telling: GoalContext, payload: HookPayload, outlook: StopDecision) -> Fields | None:
        if outlook.turn is not None:
            return self.host.keep_going(payload, telling.going_on(outlook.turn), outlook.message or "")
        return self._tell_user(outlook.message)


_TELLING: Final = frozenset({HookEvent.SESSION_START, HookEvent.PROMPT, HookEvent.STOP})
"""When hosts show a message to their users."""
