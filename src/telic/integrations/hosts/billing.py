"""Bills a goal for what a session's transcripts tell, each response once, however often they are read."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Final

from telic.domain.budget import ModelUsage, TurnUsage, UsageKind
from telic.domain.clock import Instant
from telic.domain.errors import (
    GoalNotActive,
    GoalNotFound,
    InvalidInput,
    InvalidTransition,
    StoreError,
    StoreMisconfigured,
    TurnConflict,
)
from telic.domain.events import EventKind
from telic.domain.goal import Actor, Goal, Reason
from telic.domain.limits import MAX_NAME_CHARS, MAX_PAGE
from telic.integrations.hosts.payload import HookEvent, HookHost, HookPayload
from telic.integrations.hosts.session_state import SessionMemory, TranscriptBookmark
from telic.integrations.hosts.transcripts import (
    FilePlace,
    HostResponse,
    TranscriptReader,
    is_known,
    open_transcript,
    place_at,
    whole_lines,
)
from telic.loop.agents.protocol import kept_tail
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

    def settle(self, payload: HookPayload) -> Goal | None:
        """What the session consumed is billed, and here is the scope's active goal.

        It is billed to the goal that the turn under way works on, also where that was stopped meanwhile; otherwise
        to the active one, from the time on at which it became active. What stays unread is read by the next call.
        """
        active = self.store.active(self.scope)
        worked_on = self._worked_on(active)
        if worked_on is not None:
            since = None if worked_on.id == self.memory.goal_id else self._active_since(worked_on)
            self._read_transcripts(payload, worked_on, since)
            self._read_rows(payload, worked_on, since)
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
        """When the goal last became active. What a session consumed before is not the goal's, or was billed then."""
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
            file = open_transcript(path)
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
                if response is not None and (since is None or response.may_be_since(since)):
                    self._bill(goal, response)
                self.memory.bookmarks[str(table.path)] = TranscriptBookmark(place, {})
                if number % _BATCH_ROWS == 0:
                    self.memory.save()
                    if time.monotonic() >= self.deadline:
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
                    return
        self._end_turn(path, reading)
        self._record(reading)
        if end != start or known is None:
            self._mark(path, file, reading, end)

    def _end_turn(self, path: Path, reading: "_TranscriptReading") -> None:
        """Tell the reader that the transcript's turn is over; lines not written yet are read by the next call."""
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
            if reading.since is None or response.may_be_since(reading.since):
                self._bill(reading.goal, response)

    def _bill(self, goal: Goal, response: HostResponse) -> None:
        if response.kind is UsageKind.WORK:
            self.memory.last_response = response.key.rpartition("/")[2]
        model = kept_tail(response.model or "", MAX_NAME_CHARS) or None
        priced = response.usage if goal.budget.cost_microunits is None else with_cost(response)
        try:
            self.store.record_turn(
                goal.id,
                usage=response.usage if priced is None else priced,
                kind=response.kind,
                model=model,
                key=kept_tail(response.key, MAX_NAME_CHARS),
            )
        except TurnConflict:
            self.log(f"{response.key} was already counted with other usage; the first count stands")
        if priced is None:
            self._stop_unpriced(goal, model)

    def _stop_unpriced(self, goal: Goal, model: str | None) -> None:
        """The goal is paused, since nobody knows what is left of its money; the user is to hear of it."""
        with suppress(GoalNotActive, InvalidTransition):
            self.store.pause(goal.id, reason=Reason.FAILED, note=unknown_price(model), actor=Actor.SYSTEM)
            self.memory.unpriced = goal.id


@dataclass(frozen=True, slots=True)
class _TranscriptReading:
    """One transcript as it is read for one goal."""

    payload: HookPayload
    reader: TranscriptReader
    goal: Goal
    since: Instant | None


def with_cost(response: HostResponse) -> ModelUsage | TurnUsage | None:
    """Return the response's usage with its cost; None where its price, or what it used, is unknown."""
    # Loaded only here: a hook of a goal without a budget of money must load little.
    from telic.pricing import cost_microunits

    usage = response.usage
    if usage.cost_microunits:
        return usage
    if isinstance(usage, TurnUsage):
        return None
    if not usage.input_tokens + usage.output_tokens:
        return usage
    cost = cost_microunits(response.model, usage, cache_write_tokens=response.cache_write_tokens)
    return None if cost is None else replace(usage, cost_microunits=cost)


def unknown_price(model: str | None) -> str:
    """Return why the goal cannot go on, and how it could."""
    from telic.pricing import has_price_table

    whose = "its model" if model is None else f"the model {model!a}"
    how = "" if has_price_table() else "install the table of prices (pip install 'telic[pricing]'), or "
    why = f"the budget of money cannot be measured, since the price of {whose} is unknown"
    return f"{why}: {how}take it away (telic budget)"
