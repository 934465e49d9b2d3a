"""The metrics: counters and histograms, with few labels."""

from collections.abc import Callable, Iterable
from typing import Final

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from telic.domain.budget import turns_of
from telic.domain.clock import MICRO
from telic.domain.errors import BudgetExceeded, HoldLost, LeaseLost
from telic.observability.observer import (
    EventsReceived,
    Fact,
    HoldMoved,
    LeaseRanOut,
    StatusSet,
    StoreCall,
    TurnCounted,
    VerificationRun,
)

# Names in spans and metrics: OpenTelemetry's where it has one, else below `telic.`.
SYSTEM: Final = "db.system.name"
CALL: Final = "db.operation.name"
ERROR: Final = "error.type"
DURATION: Final = "db.client.operation.duration"

OPERATION: Final = "gen_ai.operation.name"
INVOKE_AGENT: Final = "invoke_agent"
RESPONSE_MODEL: Final = "gen_ai.response.model"
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
CACHED_INPUT_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
REASONING_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"
DIRECTION: Final = "gen_ai.token.type"
EVALUATION: Final = "gen_ai.evaluation.result"
EVALUATION_NAME: Final = "gen_ai.evaluation.name"
EVALUATION_LABEL: Final = "gen_ai.evaluation.score.label"

STATE_CHANGED: Final = "gen_ai.execution.state.changed"
CHANGED_KEY_COUNT: Final = "gen_ai.execution.state.changed_key.count"
STATE_VERSION: Final = "gen_ai.execution.state.version"

GOAL: Final = "telic.goal.id"
STATUS: Final = "telic.goal.status"
REASON: Final = "telic.goal.reason"
REVISION: Final = "telic.goal.revision"
TEXT: Final = "telic.goal.text"
EVENT: Final = "telic.goal.event"
STORE: Final = "telic.store.id"
KIND: Final = "telic.usage.kind"
HOLD: Final = "telic.hold.state"
TURN: Final = "telic.turn.number"
STEP: Final = "telic.turn.step"
OUTCOME: Final = "telic.outcome"
CRITERION: Final = "telic.criterion.index"

Attributes = dict[str, str]

_MOST_MODELS: Final = 100
_OTHER_MODEL: Final = "_OTHER"
_SECONDS: Final = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)
_LAG_SECONDS: Final = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0, 300.0, 3600.0)
_ENDS_LEASE: Final = "release_lease"


class Instruments:
    """Everything that is counted. Ids of goals, scopes and keys are no labels: there is no end to them."""

    def __init__(self, meter: Meter, count_goals: Callable[[CallbackOptions], Iterable[Observation]] | None) -> None:
        self._models: set[str] = set()
        self._durations = meter.create_histogram(
            DURATION,
            "s",
            "How long calls of the store took.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self._turns = meter.create_counter("telic.turns", "{turn}", "Turns recorded.")
        self._tokens = meter.create_counter("telic.tokens", "{token}", "Tokens that recorded turns consumed.")
        self._billed = meter.create_counter("telic.billed_tokens", "{token}", "Tokens that count against budgets.")
        self._cost = meter.create_counter("telic.cost", "{microunit}", "Money spent, in millionths of a unit.")
        self._changes = meter.create_counter("telic.goal.changes", "{change}", "Changes of goals' status.")
        self._holds = meter.create_counter("telic.holds", "{hold}", "Holds placed, settled, released, refused, lost.")
        self._losses = meter.create_counter("telic.lease.losses", "{lease}", "Leases lost by those that had them.")
        self._checks = meter.create_counter("telic.verifications", "{verification}", "Verifications, by outcome.")
        self._lag = meter.create_histogram(
            "telic.feed.lag",
            "s",
            "How old the oldest event was of those that a watcher was given.",
            explicit_bucket_boundaries_advisory=_LAG_SECONDS,
        )
        if count_goals is not None:
            meter.create_observable_gauge("telic.goals", [count_goals], "{goal}", "Goals in the store, by status.")

    def called(self, call: StoreCall) -> None:
        """A call of the store has ended."""
        attributes: Attributes = {SYSTEM: call.system, CALL: call.name}
        if call.error_code is not None:
            attributes[ERROR] = call.error_code
        self._durations.record(call.seconds, attributes)
        match call.error:
            case BudgetExceeded() if call.error.asked:
                self._count_hold("refused")
            case HoldLost():
                self._count_hold("lost")
            case LeaseLost() if call.name != _ENDS_LEASE:
                # A worker that has lost its lease tries to release it as well: that is no second loss.
                self._losses.add(1)
            case _:
                pass

    def checked(self, check: VerificationRun) -> None:
        """A verification has ended."""
        outcome = check.error_code if check.found is None else check.found.outcome.value
        self._checks.add(1, {OUTCOME: outcome or "none"})

    def happened(self, fact: Fact) -> None:
        """The fact is counted."""
        match fact:
            case StatusSet():
                reason = {} if fact.reason is None else {REASON: fact.reason.value}
                self._changes.add(1, {EVENT: fact.kind.value, **reason})
            case TurnCounted():
                self._count_turn(fact)
            case HoldMoved(hold):
                self._count_hold(hold.state.value)
            case EventsReceived(_, lag_microseconds):
                self._lag.record(lag_microseconds / MICRO)
            case LeaseRanOut():
                self._losses.add(1)

    def _count_turn(self, counted: TurnCounted) -> None:
        turn = counted.turn
        if turn.takes_back is not None:
            # Counters only go up; the turn that comes in its place is counted.
            return
        labels: Attributes = {KIND: turn.kind.value}
        if turn.model is not None:
            labels[RESPONSE_MODEL] = self._known(turn.model)
        self._turns.add(turns_of(turn.kind, turn.usage), labels)
        self._tokens.add(turn.usage.input_tokens, labels | {DIRECTION: "input"})
        self._tokens.add(turn.usage.output_tokens, labels | {DIRECTION: "output"})
        self._billed.add(turn.usage.tokens, labels)
        self._cost.add(turn.usage.cost_microunits, labels)
        if counted.has_settled:
            self._count_hold("settled")

    def _known(self, model: str) -> str:
        # After so many models somebody makes names up, and labels must stay few.
        if len(self._models) < _MOST_MODELS:
            self._models.add(model)
        return model if model in self._models else _OTHER_MODEL

    def _count_hold(self, state: str) -> None:
        self._holds.add(1, {HOLD: state})
