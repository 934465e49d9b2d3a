"""One call of a host's hook, from its payload to the answer. Whatever goes wrong, the host's session is unharmed."""

import os
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Final

from telic.domain.errors import InvalidInput, LeaseHeld
from telic.domain.goal import Goal
from telic.domain.limits import MAX_NAME_CHARS
from telic.integrations.hooks.accounts import Accounts
from telic.integrations.hooks.context_file import write_context
from telic.integrations.hooks.hosts import HOSTS
from telic.integrations.hooks.judge_choice import JudgeChoice
from telic.integrations.hooks.log import Log
from telic.integrations.hooks.memory import Memory, recall, state_folder
from telic.integrations.hooks.notice import Host, Moment, Notice, to_line
from telic.integrations.hooks.stopping import Outlook, Stopping
from telic.loop.agents.claims import claim_instructions
from telic.loop.agents.parsing import Fields, read_values
from telic.prompt import place_after_prefix, render
from telic.services.connect import connect
from telic.services.store import GoalStore

DEFAULT_CHECK_SECONDS: Final = 540.0
DEFAULT_MOST_CONTINUATIONS: Final = 20
PROMPT_SECONDS: Final = 5.0
"""How long a hook may take that runs no checks: half of what hosts are told to wait."""

MAX_PAYLOAD_BYTES: Final = 16 * 1024 * 1024

_READING_SECONDS: Final = 1.0
_STORE_SECONDS: Final = 1.5
_SLACK_SECONDS: Final = 10.0
_SESSION_SCOPE, _FOLDER_SCOPE = "session", "folder"


@dataclass(frozen=True, slots=True, kw_only=True)
class HookOptions:
    """What the hook's command line says.

    `scope` is `session` (the host's session alone), `folder` (whatever session works in the project's folder), or
    the name of a scope.
    """

    store: str
    scope: str = _SESSION_SCOPE
    most_continuations: int = DEFAULT_MOST_CONTINUATIONS
    check_seconds: float = DEFAULT_CHECK_SECONDS
    judge: JudgeChoice = field(default_factory=JudgeChoice)


def scope_of(host: str, notice: Notice, scope: str) -> str:
    """The scope whose goal the session works on; the host and its user name it, never the model."""
    if scope == _SESSION_SCOPE:
        return _short_name(f"{host}/", notice.session)
    if scope == _FOLDER_SCOPE:
        return folder_scope(notice.folder)
    return scope


def folder_scope(folder: Path) -> str:
    """The scope of a project's folder: `folder:` and its path without links, or a hash of a long one."""
    return _short_name("folder:", os.path.realpath(folder))


def _short_name(prefix: str, name: str) -> str:
    if len(prefix) + len(name) <= MAX_NAME_CHARS and name.isprintable():
        return prefix + name
    return f"{prefix}sha256-{sha256(name.encode(errors='surrogatepass')).hexdigest()}"


class Watchdog:
    """Ends the process, with no answer, when it takes too long: the host then goes on as if there were no hook."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._timer: threading.Timer | None = None

    def allow(self, seconds: float) -> None:
        """The process may take so long from now on."""
        self.stop()
        self._timer = threading.Timer(seconds, self._end, [seconds])
        self._timer.daemon = True
        self._timer.start()

    def stop(self) -> None:
        """The process is not ended any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _end(self, seconds: float) -> None:
        self._log.write(f"no answer within {seconds:.1f} seconds")
        os._exit(0)


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
    folder = state_folder(os.environ)
    log = Log(folder / "hooks.log", host_name)
    watchdog = Watchdog(log)
    watchdog.allow(PROMPT_SECONDS)
    try:
        answer = _Call(host, options, folder, log, watchdog).answer(sys.stdin.buffer)
        watchdog.stop()
        if answer is not None:
            sys.stdout.buffer.write(to_line(answer))
            sys.stdout.buffer.flush()
    except Exception as error:  # A host's session outlives every mistake of ours.
        log.write(f"{type(error).__name__}: {error}")


@dataclass(frozen=True, slots=True)
class _Call:
    """One call while it is answered."""

    host: Host
    options: HookOptions
    folder: Path
    log: Log
    watchdog: Watchdog

    def answer(self, stdin: BinaryIO) -> Fields | None:
        notice = self._read(stdin)
        if notice is None or self._has_no_store():
            return None
        memory = recall(self.folder, self.host.name, notice.session)
        if notice.moment is Moment.PROMPT or notice.goes_on is False:
            memory.continuations = 0
        with connect(self.options.store, create=False, timeout_seconds=_STORE_SECONDS) as store:
            try:
                return self._in_store(store, memory, notice)
            finally:
                memory.save()

    def _read(self, stdin: BinaryIO) -> Notice | None:
        text = stdin.read(MAX_PAYLOAD_BYTES + 1)
        values = read_values(text) if len(text) <= MAX_PAYLOAD_BYTES else []
        if len(values) != 1:
            self.log.write(f"a payload of {len(text)} bytes that cannot be understood")
            return None
        return self.host.read(values[0], os.environ)

    def _has_no_store(self) -> bool:
        """Whoever has made no goal yet has no store, and nothing is amiss."""
        store = self.options.store
        return "://" not in store and not Path(store).exists()

    def _in_store(self, store: GoalStore, memory: Memory, notice: Notice) -> Fields | None:
        scope = scope_of(self.host.name, notice, self.options.scope)
        worked_on = memory.goal_id
        deadline = time.monotonic() + _READING_SECONDS
        accounts = Accounts(store, self.host, scope, memory, deadline, self.log.write, os.environ)
        goal = accounts.settle(notice)
        told = "" if goal is None else place_after_prefix(claim_instructions(), render(goal, secret=store.secret()))
        if self.host.context_variable is not None:
            write_context(self.folder, os.environ.get(self.host.context_variable), told, self.log)
        if goal is None:
            return self._stopped(store, worked_on, notice)
        if notice.moment in (Moment.SESSION_START, Moment.PROMPT):
            return self.host.context(notice, told)
        if notice.moment is Moment.STOP:
            return self._said(self._stop(store, memory, notice, goal))
        return None

    def _stopped(self, store: GoalStore, worked_on: str | None, notice: Notice) -> Fields | None:
        """The user hears that the goal which the turn worked on is not active any more."""
        if worked_on is None or notice.moment is not Moment.STOP:
            return None
        goal = store.get(worked_on)
        return self.host.tell_user(f"Telic: goal {goal.id} is {goal.status}: {goal.reason}.")

    def _stop(self, store: GoalStore, memory: Memory, notice: Notice, goal: Goal) -> Outlook:
        stopping = Stopping(
            store=store,
            memory=memory,
            holder=_short_name(f"hook/{self.host.name}/", notice.session),
            most_continuations=self._most_continuations(os.environ),
            check_seconds=self.options.check_seconds,
            judge=self.options.judge,
            before_checks=lambda: self.watchdog.allow(self.options.check_seconds + _SLACK_SECONDS),
        )
        try:
            return stopping.decide(goal, notice)
        except LeaseHeld:
            return Outlook()

    def _most_continuations(self, environment: Mapping[str, str]) -> int:
        """Below the host's own limit, so that the turn ends by our word and not by its warning."""
        cap = self.host.block_cap
        given = environment.get(self.host.cap_variable or "", "")
        if given.isascii() and given.isdigit() and len(given) <= 6:
            cap = int(given)
        return self.options.most_continuations if cap is None else min(self.options.most_continuations, max(cap - 1, 0))

    def _said(self, outlook: Outlook) -> Fields | None:
        if outlook.prompt is not None:
            return self.host.keep_going(outlook.prompt)
        return None if outlook.message is None else self.host.tell_user(outlook.message)
