"""Bills a goal for what a session's transcripts tell, each response once, however often they are read."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

from telic.domain.base_errors import unknown_price
from telic.domain.budget import ModelUsage, TurnUsage, UsageKind
from telic.domain.clock import Instant
from telic.domain.decision import measured_limits, unmeasured
from telic.domain.errors import (
    BudgetExceeded,
    GoalNotActive,
    GoalNotFound,
    HoldLost,
    InvalidInput,
    InvalidTransition,
    StoreError,
    StoreMisconfigured,
    TurnConflict,
)
from telic.domain.events import EventKind, TurnResult
from telic.domain.goal import Actor, Goal, Reason
from telic.domain.limits import MAX_COUNTER, MAX_NAME_CHARS, MAX_PAGE
from telic.integrations.hosts.payload import HookEvent, HookHost, HookPayload
from telic.integrations.hosts.session_state import SessionMemory, TranscriptBookmark
from telic.integrations.hosts.usage_sources import (
    HostResponse,
    TranscriptReader,
    is_known,
    place_at,
)
from telic.loop.agents.json_reader import read_values
from telic.loop.agents.protocol import storable_tail
from telic.loop.agents.usage_records import MAX_LINE_BYTES, FilePlace, open_plain, whole_lines
from telic.store.goal_store import GoalStore

_BATCH_BYTES: Final = 1024 * 1024
_BATCH_ROWS: Final = 100


@dataclass(slots=True)
class SessionBilling:
    """The accounts of one call of a hook. Nothing is begun after `deadline`, by the monotonic clock in seconds."""

    store: GoalStore
    host: HookHost
    scope: str
    memory: SessionMemory
    deadline: float
    log: Callable[[str], None]
    environment: Mapping[str, str]
    _is_behind: bool = False

    def settle(self, payload: HookPayload) -> Goal | None:
        """Bill what the session consumed, and return the scope's active goal.

        It is billed to the goal that the turn under way works on, also where that was stopped meanwhile; otherwise
        to the active one, from the time on at which it became active. What stays unread is read by the next call.
        """
        active = self.store.active(self.scope)
        worked_on = self._worked_on(active)
        if worked_on is not None:
            since = None if worked_on.id == self.memory.goal_id else self._active_since(worked_on)
            self._read_transcripts(payload, worked_on, since)
            self._read_rows(payload, worked_on, since)
            if payload.event is HookEvent.STOP:
                self._note_silence(payload, worked_on)
            active = self.store.active(self.scope)
        self.memory.goal_id = None if active is None else active.id
        return active

    def _worked_on(self, active: Goal | None) -> Goal | None:
        if self.memory.goal_id is None or (active is not None and active.id == self.memory.goal_id):
            return active
        try:
            remembered = self.store.get(self.memory.goal_id)
        except (GoalNotFound, InvalidInput):
            return active
        return remembered if remembered.scope == self.scope else active

    def _active_since(self, goal: Goal) -> Instant:
        # What a session consumed before the goal last became active is not the goal's, or was billed then.
        since, after = goal.created_at, 0
        while True:
            page = self.store.events(goal.id, after=after, limit=MAX_PAGE)
            since = max([since, *(event.at for event in page if event.kind is EventKind.RESUMED)])
            if len(page) < MAX_PAGE:
                return since
            after = page[-1].number

    def _read_transcripts(self, payload: HookPayload, goal: Goal, since: Instant | None) -> None:
        if self.host.usage_reader is None or payload.transcript is None:
            return
        # The session's own comes first: what others repeat of it is then known.
        for path in (payload.transcript, *payload.sub_transcripts):
            if path != payload.transcript and time.monotonic() >= self.deadline:
                return
            file = open_plain(path)
            if file is not None:
                reader = self.host.usage_reader(path != payload.transcript, payload.turn)
                with file:
                    self._read(path, file, _TranscriptReading(payload, reader, goal, since))

    def _read_rows(self, payload: HookPayload, goal: Goal, since: Instant | None) -> None:
        if self.host.usage_table is None:
            return
        table = self.host.usage_table(self.environment)
        known = self.memory.bookmarks.get(str(table.path))
        try:
            rows = table.rows(payload.session, FilePlace() if known is None else known.place)
            for number, (place, response) in enumerate(rows, 1):
                self._take(goal, response, since)
                self.memory.bookmarks[str(table.path)] = TranscriptBookmark(place, {})
                if number % _BATCH_ROWS == 0:
                    self.memory.save()
                    if time.monotonic() >= self.deadline:
                        self._is_behind = True
                        return
        except StoreMisconfigured:
            return  # A host that never ran here, or an older one, has none.
        except StoreError as error:
            self.log(f"usage is read at the next call: {error}")

    def _read(self, path: Path, file: BinaryIO, reading: "_TranscriptReading") -> None:
        known = self.memory.bookmarks.get(str(path))
        start = 0
        if known is not None and is_known(file, known.place):
            start = known.place.offset
            reading.reader.resume(known.carry)
        end, batch_end = start, start + _BATCH_BYTES
        for line_end, line in whole_lines(file, start):
            reading.reader.take(line, end)
            end = line_end
            if end >= batch_end:
                batch_end = end + _BATCH_BYTES
                self._record(reading)
                self._mark(path, file, reading, end)
                self.memory.save()
                file.seek(end)
                if time.monotonic() >= self.deadline:
                    self._is_behind = True
                    return
        self._is_behind |= _is_half_written(file, end)
        self._end_turn(path, reading)
        self._record(reading)
        self._is_behind |= reading.reader.safe_offset(end) < end
        if end != start or known is None:
            self._mark(path, file, reading, end)

    def _end_turn(self, path: Path, reading: "_TranscriptReading") -> None:
        # Lines that are not written yet when a turn is over are read by the next call.
        payload = reading.payload
        if path == payload.transcript:
            if payload.is_session_over:
                reading.reader.end_of_turn(None)
            elif payload.event is HookEvent.STOP:
                reading.reader.end_of_turn(payload.last_message)
        elif payload.is_session_over or path == payload.ended_sub_transcript:
            reading.reader.end_of_turn(None)

    def _mark(self, path: Path, file: BinaryIO, reading: "_TranscriptReading", end: int) -> None:
        place = place_at(file, reading.reader.safe_offset(end))
        self.memory.bookmarks[str(path)] = TranscriptBookmark(place, reading.reader.carry())

    def _record(self, reading: "_TranscriptReading") -> None:
        for response in reading.reader.finished():
            self._take(reading.goal, response, reading.since)

    def _take(self, goal: Goal, response: HostResponse, since: Instant | None) -> None:
        self.memory.tells_usage |= response.kind is UsageKind.WORK
        if since is None or response.may_be_since(since):
            self._bill(goal, response)

    def _bill(self, goal: Goal, response: HostResponse) -> None:
        hold = None
        if response.kind is UsageKind.WORK:
            self.memory.last_response = response.key.rpartition("/")[2]
            hold, self.memory.untold_hold = self.memory.untold_hold, None
        model = storable_tail(response.model or "", MAX_NAME_CHARS) or None
        is_estimate = response.usage is None or response.is_estimate
        usage = response.usage if goal.budget.cost_microunits is None else _with_cost(response)
        record = partial(
            self.store.record_turn,
            goal.id,
            usage=usage or response.usage or TurnUsage(),
            kind=response.kind,
            model=model,
            is_estimate=is_estimate,
            key=storable_tail(response.key, MAX_NAME_CHARS),
        )
        try:
            self._record_once(record, hold)
        except TurnConflict:
            self.log(f"{response.key} was already counted with other usage; the first count stands")
        if is_estimate:
            self._say_unmeasured(goal)
        if usage is None and goal.budget.cost_microunits is not None:
            self._stop_unpriced(goal, model)

    def _record_once(self, record: Callable[..., TurnResult], hold: str | None) -> None:
        try:
            record(hold=hold)
        except HoldLost:
            record()

    def _note_silence(self, payload: HookPayload, goal: Goal) -> None:
        """Record that a turn has ended of which nothing tells what it used: an estimate of nothing known, never 0.

        That is said only of a session that never told anything; what another has not told yet may still be written.
        """
        memory = self.memory
        is_first_call = memory.folder is None
        if memory.tells_usage or self._is_behind or (is_first_call and self._has_told(goal)):
            return
        # Hooks of one stop that are configured twice see the same number, and so count the turn once.
        key = storable_tail(f"{self.host.name}/{payload.session}/untold-{goal.usage.turns}", MAX_NAME_CHARS)
        hold = None
        # A hold makes the line replaceable: what the host writes after its hook takes the estimate's place.
        with suppress(GoalNotActive, BudgetExceeded):
            hold = self.store.hold(goal.id, key=key).key
        self.store.record_turn(goal.id, usage=TurnUsage(), hold=hold, is_estimate=True, key=key)
        memory.untold_hold = hold
        self._say_unmeasured(goal)

    def _has_told(self, goal: Goal) -> bool:
        """Return whether a session of the host told usage before: this one's memory may have been lost."""
        turns = self.store.turns(goal.id)
        return any(turn.key.startswith(f"{self.host.name}/") and not turn.is_estimate for turn in turns)

    def _say_unmeasured(self, goal: Goal) -> None:
        limits = measured_limits(goal.budget)
        if not limits or self.memory.unmeasured == goal.id:
            return
        self.memory.unmeasured = goal.id
        why = f"the records of {self.host.name} do not tell what this session uses"
        self.memory.unsaid = f"Telic: {unmeasured(limits, why, 'limit turns instead')}."
        self.log(self.memory.unsaid)

    def _stop_unpriced(self, goal: Goal, model: str | None) -> None:
        # Nobody knows what is left of the money any more; the user is told at the next chance (ADR 33).
        with suppress(GoalNotActive, InvalidTransition):
            self.store.pause(goal.id, reason=Reason.FAILED, note=_unknown_price(model), actor=Actor.SYSTEM)
            self.memory.unpriced = goal.id


@dataclass(frozen=True, slots=True)
class _TranscriptReading:
    """One transcript as it is read for one goal."""

    payload: HookPayload
    reader: TranscriptReader
    goal: Goal
    since: Instant | None


def _is_half_written(file: BinaryIO, end: int) -> bool:
    """Return whether a line begins at this place that is not whole yet. A document's last line merely has no end."""
    file.seek(end)
    rest = file.read(MAX_LINE_BYTES)
    return rest.startswith(b"{") and not read_values(rest)


def _with_cost(response: HostResponse) -> ModelUsage | None:
    """Return the response's usage with its cost; None where its price, or what it used, is unknown."""
    # Loaded only here: a hook of a goal without a budget of money must load little.
    from telic.pricing import cost_microunits

    usage = response.usage
    if usage is None or usage.cost_microunits:
        return usage
    if not usage.input_tokens + usage.output_tokens:
        return usage
    cost = cost_microunits(response.model, usage, cache_write_tokens=response.cache_write_tokens)
    return None if cost is None else replace(usage, cost_microunits=min(cost, MAX_COUNTER))


def _unknown_price(model: str | None) -> str:
    from telic.pricing import has_price_table

    who = "its model" if model is None else f"the model {model!a}"
    return unknown_price(who, "take the budget of money away (telic budget)", has_table=has_price_table())
