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
from telic.integrations.hosts.checking import JudgeChoice
from telic.integrations.hosts.payload import HookEvent, HookHost, HookPayload, to_line, with_message
from telic.integrations.hosts.session_goal import (
    HOSTS,
    SESSION_SCOPE,
    GoalContext,
    accepts_offer,
    find_former_goal,
    scope_of,
    short_name,
    wake_due_goals,
    write_context,
)
from telic.integrations.hosts.session_state import (
    HookLog,
    HookWatchdog,
    SessionMemory,
    load_memory,
    log_of,
    state_folder,
)
from telic.integrations.hosts.stop import StopPolicy, claim_line, lost_claim, status_line
from telic.loop.agents.json_reader import Fields, read_values
from telic.loop.agents.process_group import is_inside_turn
from telic.loop.agents.protocol import read_claim
from telic.store.connect import connect
from telic.store.goal_store import GoalStore

DEFAULT_CHECK_SECONDS: Final = 540.0
DEFAULT_MOST_CONTINUATIONS: Final = 20
DEFAULT_ANSWER_SECONDS: Final = 5.0
"""The time for a hook that runs no checks: half of what `telic install` has hosts wait."""

MAX_PAYLOAD_BYTES: Final = 16 * 1024 * 1024

_READING_SHARE: Final = 0.2
"""Of the time for an answer: no step of reading transcripts begins after it."""

_STORE_SHARE: Final = 0.3
"""Of the time for an answer: how long one call may wait for the store."""

_SLACK_SECONDS: Final = 10.0
_OUTPUT: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class HookOptions:
    """The options of the hook's command line.

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
    # A host that gives no input leaves Python without the stream (`sys.stdin` is None).
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
    # A pipe may take a part only; a host that reads half an answer drops the whole.
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
        said: list[str] = []
        if self.host.shows_messages and payload.event in _TELLING:
            shown = str((answer or {}).get("systemMessage"))
            said = [text for text in (lost and lost_claim(lost), memory.unsaid) if text and text not in shown]
            lost = memory.unsaid = None
        memory.lost_claim = lost
        memory.save()
        return with_message(answer, " ".join(said)) if said else answer

    def _keep_claim(self, memory: SessionMemory, payload: HookPayload, lost: str | None) -> None:
        # A claim comes to nothing while the store is away: the user reads of it when it is there again.
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
        worker = short_name(f"hook/{self.host.name}/", payload.session)
        is_of_session = self.options.scope == SESSION_SCOPE
        took_up = is_of_session and accepts_offer(memory, payload)
        adopted = memory.adopted if is_of_session else None
        scope = adopted or scope_of(self.host.name, payload, self.options.scope)
        wake_due_goals(store, scope, worker)
        # Billing forgets it when the goal has stopped, and the user is to read that.
        worked_on = memory.goal_id
        deadline = time.monotonic() + _READING_SHARE * self.options.answer_seconds
        goal = SessionBilling(store, self.host, scope, memory, deadline, self.log.write, os.environ).settle(payload)
        if memory.unpriced is not None and payload.event in _TELLING:
            # Said once, and only while it is true (ADR 33).
            unpriced, memory.unpriced = store.get(memory.unpriced), None
            memory.unsaid = status_line(unpriced) if unpriced.status is GoalStatus.PAUSED else memory.unsaid
        memory.note_session(payload.folder, scope if goal is not None else None, payload.is_session_over)
        telling = GoalContext(self.host, memory, store.secret)
        if self.host.context_variable is not None:
            write_context(self.folder, os.environ.get(self.host.context_variable), telling.whole(goal), self.log)
        if payload.event is HookEvent.STOP and (goal is not None or worked_on is not None):
            return self._stop(store, self._policy(store, memory, worker), payload, telling, goal or worked_on)
        if goal is None:
            former = find_former_goal(store, self.folder, self.host.name, memory, payload) if is_of_session else None
            return self._tell_user(former)
        if payload.event in (HookEvent.SESSION_START, HookEvent.PROMPT):
            return telling.at_start(payload, goal, anew=took_up)
        telling.forget_if_compacted(payload)
        return None

    def _tell_user(self, message: str | None) -> Fields | None:
        return None if message is None else self.host.tell_user(message)

    def _stop(
        self, store: GoalStore, policy: StopPolicy, payload: HookPayload, telling: GoalContext, goal: Goal | str | None
    ) -> Fields | None:
        """Answer a stop that works on the goal, or did on the one of this id, which is not active any more."""
        if not isinstance(goal, Goal):
            stopped = store.get(goal or "")
            # The turn that used the budget up may have reached the goal.
            is_spent = stopped.status is GoalStatus.PAUSED and stopped.reason is Reason.BUDGET
            return self._tell_user(policy.decide_spent(stopped, payload).message if is_spent else status_line(stopped))
        try:
            decision = policy.decide(goal, payload)
        except LeaseHeld:
            return None
        if decision.turn is None:
            return self._tell_user(decision.message)
        return self.host.keep_going(payload, telling.going_on(decision.turn), decision.message or "")

    def _policy(self, store: GoalStore, memory: SessionMemory, worker: str) -> StopPolicy:
        return StopPolicy(
            store=store,
            memory=memory,
            worker=worker,
            most_continuations=self._most_continuations(os.environ),
            check_seconds=self.options.check_seconds,
            judge=self.options.judge,
            before_checks=lambda: self.watchdog.allow(self.options.check_seconds + _SLACK_SECONDS),
        )

    def _most_continuations(self, environment: Mapping[str, str]) -> int:
        # One below the host's own limit, so that the turn ends by our word and not by its warning; 0 is none.
        cap, given = self.host.block_cap, environment.get(self.host.cap_variable or "", "").strip()
        if given.isascii() and given.removeprefix("-").isdigit() and len(given) <= 9:
            cap = int(given)
        own = self.options.most_continuations
        return own if cap is None or cap <= 0 else min(own, cap - 1)


_TELLING: Final = frozenset({HookEvent.SESSION_START, HookEvent.PROMPT, HookEvent.STOP})
"""When hosts show a message to their users."""
