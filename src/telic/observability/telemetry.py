"""Spans and metrics through OpenTelemetry's API; where they go is for the host's SDK to say."""

import logging
import threading
from collections.abc import Iterable, Mapping
from contextvars import Token
from typing import Final, NamedTuple

from opentelemetry import context, metrics, trace
from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, TracerProvider

from telic.domain.errors import GoalError
from telic.domain.events import EventKind
from telic.domain.goal import Goal
from telic.domain.limits import MAX_COUNTER
from telic.domain.verdict import Verdict
from telic.observability import instruments as names
from telic.observability.instruments import Instruments
from telic.observability.log_lines import Logging
from telic.observability.observer import AgentTurn, Fact, GoalCounter, StatusSet, StoreCall, VerificationRun, Work
from telic.observability.store_calls import WATCH
from telic.prompt import quote

Attributes = Mapping[str, str | int]

_NAME: Final = "telic"
_LOG: Final = logging.getLogger("telic.observe")


class _OpenSpan(NamedTuple):
    """A span that is the current one, and what makes the former one current again."""

    span: Span
    token: Token[Context]


class OpenTelemetry(Logging):
    """Spans for a store's calls, a loop's turns and verifications, and metrics for all of them; logs as `Logging`.

    Made once for a process and given to every store. Without providers, those that the host has set are used. Spans
    carry ids and numbers; with `records_text` also the goals' text, escaped as in prompts. With `counts_goals` the
    gauge of goals by status opens a connection of its own when it is first asked for.
    """

    def __init__(
        self,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        *,
        records_text: bool = False,
        counts_goals: bool = True,
    ) -> None:
        self._tracer = trace.get_tracer(_NAME, tracer_provider=tracer_provider)
        self._records_text = records_text
        self._lock = threading.Lock()
        self._counters: list[GoalCounter] = []
        meter = metrics.get_meter(_NAME, meter_provider=meter_provider)
        self._instruments = Instruments(meter, self._count_goals if counts_goals else None)

    def begin(self, work: Work) -> None:
        """See `Observer.begin`."""
        match work:
            case StoreCall() if work.name != WATCH:
                kind, name = SpanKind.CLIENT, f"telic.{work.name}"
                attributes: Attributes = {names.SYSTEM: work.system, names.CALL: work.name}
            case AgentTurn():
                kind, name = SpanKind.INTERNAL, names.INVOKE_AGENT
                attributes = {names.OPERATION: names.INVOKE_AGENT, names.TURN: work.number, names.STEP: work.step}
                attributes = {**attributes, **self._goal(work.goal)}
            case VerificationRun():
                kind, name, attributes = SpanKind.INTERNAL, "telic.check", self._goal(work.goal)
            case _:
                return
        span = self._tracer.start_span(name, kind=kind, attributes=attributes)
        work.memory = _OpenSpan(span, context.attach(trace.set_span_in_context(span)))

    def end(self, work: Work) -> None:
        """See `Observer.end`."""
        try:
            super().end(work)
            if isinstance(work, StoreCall):
                self._instruments.called(work)
            elif isinstance(work, VerificationRun):
                self._instruments.checked(work)
        finally:
            # Also after an error above: a span that stays open would become the parent of all that follows.
            if isinstance(work.memory, _OpenSpan):
                self._close(work.memory, work)

    def on_fact(self, fact: Fact) -> None:
        """See `Observer.on_fact`."""
        super().on_fact(fact)
        self._instruments.happened(fact)

    def add_counter(self, counter: GoalCounter) -> None:
        """See `Observer.add_counter`."""
        with self._lock:
            self._counters.append(counter)

    def remove_counter(self, counter: GoalCounter) -> None:
        """See `Observer.remove_counter`."""
        with self._lock:
            self._counters.remove(counter)

    def _close(self, open_: _OpenSpan, work: Work) -> None:
        try:
            if open_.span.is_recording():
                _describe(open_.span, work)
        finally:
            context.detach(open_.token)
            open_.span.end()

    def _goal(self, goal: Goal) -> dict[str, str | int]:
        known: dict[str, str | int] = {names.GOAL: goal.id, names.REVISION: goal.revision}
        return known | {names.TEXT: quote(goal.text)} if self._records_text else known

    # Each database's goals once, however many stores lead to it; none of one that does not answer.
    def _count_goals(self, _: CallbackOptions) -> Iterable[Observation]:
        with self._lock:
            counters = list(self._counters)
        found: dict[str, list[Observation]] = {}
        for counter in counters:
            try:
                counts = counter.counts()
            except GoalError as error:
                _LOG.info("the goals cannot be counted: %s", error.code)
                continue
            store = counter.store_id
            found[store] = [
                Observation(goals, {names.STATUS: status.value, names.STORE: store}) for status, goals in counts.items()
            ]
        return [each for observations in found.values() for each in observations]


def _describe(span: Span, work: Work) -> None:
    if work.goal_id is not None:
        span.set_attribute(names.GOAL, work.goal_id)
    for fact in work.facts:
        if isinstance(fact, StatusSet):
            span.add_event(names.STATE_CHANGED, _change(fact))
    if isinstance(work, AgentTurn):
        span.set_attributes(_outcome_of(work))
    elif isinstance(work, VerificationRun) and work.found is not None:
        span.set_attribute(names.OUTCOME, work.found.outcome.value)
        for verdict in work.found.verdicts:
            span.add_event(names.EVALUATION, _evaluation(verdict, work.goal.criteria[verdict.index].kind.value))
    code = work.error_code
    if code is not None:
        # The code alone: a message may quote what somebody wrote.
        span.set_attribute(names.ERROR, code)
        span.set_status(Status(StatusCode.ERROR, code))


def _change(fact: StatusSet) -> dict[str, str | int]:
    goal = fact.goal
    known: dict[str, str | int] = {
        names.GOAL: goal.id,
        names.STATE_VERSION: str(goal.revision),
        names.CHANGED_KEY_COUNT: 1 if fact.kind is EventKind.CREATED else 2,
        names.EVENT: fact.kind.value,
        names.STATUS: fact.status.value,
    }
    return known if fact.reason is None else known | {names.REASON: fact.reason.value}


def _outcome_of(turn: AgentTurn) -> dict[str, str | int]:
    found: dict[str, str | int] = {names.OUTCOME: turn.outcome}
    if turn.model is not None:
        found[names.RESPONSE_MODEL] = turn.model
    if turn.usage is not None:
        found[names.INPUT_TOKENS] = min(turn.usage.input_tokens, MAX_COUNTER)
        found[names.CACHED_INPUT_TOKENS] = min(turn.usage.cached_input_tokens, MAX_COUNTER)
        found[names.OUTPUT_TOKENS] = min(turn.usage.output_tokens, MAX_COUNTER)
        found[names.REASONING_TOKENS] = min(turn.usage.reasoning_tokens, MAX_COUNTER)
    return found


def _evaluation(verdict: Verdict, kind: str) -> dict[str, str | int]:
    found: dict[str, str | int] = {
        names.EVALUATION_NAME: kind,
        names.EVALUATION_LABEL: verdict.outcome.value,
        names.CRITERION: verdict.index,
    }
    return found if verdict.error is None else found | {names.ERROR: verdict.error.value}
