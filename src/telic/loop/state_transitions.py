"""The state of a loop after a turn or a verification: pure functions of their results."""

import random
from dataclasses import dataclass, replace

from telic.domain.budget import ModelUsage, TurnUsage, UsageKind
from telic.domain.clock import MICRO
from telic.domain.decision import MAX_CHANCE, LoopPolicy, Step
from telic.domain.errors import (
    AgentConversationLost,
    AgentCostUnknown,
    AgentFailure,
    AgentNotRunnable,
    AgentPromptTooLarge,
)
from telic.domain.goal import Goal
from telic.domain.lease import Hold
from telic.domain.limits import MAX_COUNTER, MAX_NOTE_CHARS
from telic.domain.loop_state import MAX_SESSION_CHARS, MAX_WORK_CHARS, MAX_WORKSPACES, Claim, LoopState
from telic.domain.verdict import AttemptResult, CheckError, Outcome, Verdict
from telic.domain.verification import Verification
from telic.loop.agents.protocol import QuotaReached, TurnReport, storable_tail
from telic.loop.agents.provider_errors import tells_of_outage
from telic.loop.progress import Observation, progress_since
from telic.loop.turn_budget import timed
from telic.storage.operations.ledger import NewTurn
from telic.storage.operations.loop import KeyedTurn

_NOT_STARTED = (AgentNotRunnable, AgentPromptTooLarge)
_HOPELESS = (*_NOT_STARTED, AgentCostUnknown)
"""Errors that a retry cannot fix."""


def turn_key(state: LoopState) -> str:
    """Return the key of the next turn: the same when it is taken again after a crash."""
    return f"loop/turn-{state.turns + 1}"


@dataclass(frozen=True, slots=True)
class ObservedUsage:
    """The usage of a turn as far as it is known: None if unknown; an estimate if a part is missing."""

    usage: ModelUsage | None
    model: str | None = None
    is_estimate: bool = False


def turn_line(state: LoopState, used: ObservedUsage, hold: Hold, elapsed_microseconds: int) -> KeyedTurn:
    """Return the ledger's line for a turn; of unknown usage it is an estimate: the turn's hold (ADR 43)."""
    usage = _held(hold, elapsed_microseconds) if used.usage is None else timed(used.usage, elapsed_microseconds)
    is_estimate = used.is_estimate or used.usage is None
    return KeyedTurn(NewTurn(usage, UsageKind.WORK, used.model or None, hold.key, is_estimate), turn_key(state))


def _held(hold: Hold, elapsed_microseconds: int) -> TurnUsage:
    return TurnUsage(
        tokens=hold.reserved.tokens,
        cost_microunits=hold.reserved.cost_microunits,
        active_microseconds=elapsed_microseconds,
    )


def broken_off(usage: ModelUsage | None, model: str | None, hold: Hold) -> ObservedUsage:
    """Return the usage of a turn that was cut off: its last report, with the cost that was held if it had none."""
    if usage is None or is_nothing(usage):
        return ObservedUsage(usage, model)
    return ObservedUsage(
        replace(usage, cost_microunits=usage.cost_microunits or hold.reserved.cost_microunits), model, True
    )


def after_cut_off(state: LoopState, session: str | None) -> LoopState:
    """Return the state after a turn that was ended before its agent came to an end."""
    return replace(
        state,
        turns=state.turns + 1,
        session=_kept_session(session) or state.session,
        unverified_turns=state.unverified_turns + 1,
    )


def after_report(
    state: LoopState, goal: Goal, step: Step, report: TurnReport, workspace_hash: str, policy: LoopPolicy, at: int
) -> LoopState:
    """Return the state after a turn that gave a report."""
    if report.quota is not None:
        return _after_quota(state, report, policy, at)
    effects = min(state.tool_effects + (report.tool_effects or 0), MAX_COUNTER)
    seen = Observation(
        passed_hashes=frozenset(state.passed_hashes), workspace_hash=workspace_hash, tool_effects=effects
    )
    has_progressed = not state.workspace_hashes or bool(progress_since(_history(state), seen))
    is_blocked = report.claim is Claim.BLOCKED
    return replace(
        state,
        turns=state.turns + 1,
        claim=report.claim,
        note=report.note,
        wake_at=None if report.wake is None else report.wake.at,
        wake_signal=None if report.wake is None else report.wake.signal,
        session=report.session,
        tells_usage=state.tells_usage or report.usage is not None,
        failures=0,
        outages=0,
        asked_pause=0,
        idle_turns=0 if has_progressed else state.idle_turns + 1,
        unverified_turns=state.unverified_turns + 1,
        quota_waits=0,
        blocked_claims=state.blocked_claims + 1 if is_blocked else 0,
        next_at=_pause_until(policy, 0, at),
        wound_down_at=goal.revision if step is Step.WIND_DOWN else state.wound_down_at,
        workspace_hashes=_with(state.workspace_hashes, workspace_hash),
        tool_effects=effects,
        work=storable_tail(report.text, MAX_WORK_CHARS),
        tool_output=storable_tail(report.tool_output_tail, MAX_WORK_CHARS),
    )


def _after_quota(state: LoopState, report: TurnReport, policy: LoopPolicy, at: int) -> LoopState:
    assert report.quota is not None
    return replace(
        state,
        turns=state.turns + 1,
        session=report.session or state.session,
        note=report.note,
        quota_waits=state.quota_waits + 1,
        quota_until=_quota_until(report.quota, state.quota_waits, policy, at),
    )


def _quota_until(quota: QuotaReached, waits: int, policy: LoopPolicy, at: int) -> int:
    """Return when the provider is asked again, after so many waits in a row."""
    growing = at + policy.wait_for_rate(waits)
    if quota.resets_at is None:
        return growing if quota.is_brief else at + round(policy.quota_wait_seconds * MICRO)
    # A time that is past, or that did not help before, says little: asked at once, the provider would refuse again.
    is_trusted = quota.resets_at > at and not waits
    return quota.resets_at if is_trusted else max(quota.resets_at, growing)


def _history(state: LoopState) -> list[Observation]:
    return [
        Observation(passed_hashes=frozenset(state.passed_hashes), workspace_hash=known, tool_effects=state.tool_effects)
        for known in state.workspace_hashes
    ]


def _with(known: tuple[str, ...], new: str) -> tuple[str, ...]:
    return known if new in known else (*known, new)[-MAX_WORKSPACES:]


def after_failure(state: LoopState, error: AgentFailure, policy: LoopPolicy, at: int) -> LoopState:
    """Return the state after a turn that came to nothing."""
    # A conversation that cannot be continued is no failure of its turn: the next one begins again, and at once. One
    # that had only just begun is: a new one would fail alike.
    is_lost = isinstance(error, AgentConversationLost)
    is_new_start = is_lost and state.session is not None
    if error.is_outage:
        outages, failures = state.outages + 1, state.failures
    else:
        counted = state.failures + (not is_new_start)
        outages, failures = 0, policy.max_failures if isinstance(error, _HOPELESS) else counted
    return replace(
        state,
        turns=state.turns + 1,
        failures=failures,
        outages=outages,
        note=storable_tail(str(error), MAX_NOTE_CHARS),
        session=None if is_lost else _kept_session(error.session),
        next_at=0 if is_new_start else _pause_until(policy, outages or failures, at),
    )


def _kept_session(session: str | None) -> str | None:
    # None begins a new conversation, where no store would keep this one.
    return session if session is not None and storable_tail(session, MAX_SESSION_CHARS) == session else None


def usage_of(error: AgentFailure) -> ModelUsage | None:
    """Return the usage of the failed turn; none where the agent did not even start, None where nobody knows."""
    return ModelUsage() if isinstance(error, _NOT_STARTED) else error.usage


def is_nothing(usage: ModelUsage | None) -> bool:
    """Return whether it is known that no token and no money was used, however long that took."""
    return usage is not None and replace(usage, active_microseconds=0) == ModelUsage()


def _pause_until(policy: LoopPolicy, failures: int, at: int) -> int:
    # After failures chance lengthens the pause by up to a quarter: workers that failed together should not retry so.
    pause = policy.pause_after(failures)
    return at + round(pause * random.uniform(1, MAX_CHANCE)) if failures else at + pause if pause else 0


def after_verification(state: LoopState, found: Verification, policy: LoopPolicy, at: int) -> LoopState:
    """Return the state after the goal's criteria were checked."""
    checked = replace(state, verifications=state.verifications + 1)
    unpriced = next((each for each in found.verdicts if each.error is CheckError.JUDGE_COST_UNKNOWN), None)
    if unpriced is not None:
        # No repetition mends it, and each would spend money that nobody counts (ADR 56).
        return replace(
            checked,
            failures=policy.max_failures,
            unchecked_verifications=policy.max_unchecked_verifications,
            note=storable_tail(unpriced.detail, MAX_NOTE_CHARS),
        )
    if not state.turns and found.outcome is Outcome.ERROR:
        # Nothing was worked on yet: what cannot be checked now may be made by the first turn.
        return checked
    if found.outcome is Outcome.ERROR:
        return _after_error(checked, found, policy, at)
    if found.outcome is Outcome.PENDING:
        # Nothing is left to be done but to check again when the answer has come.
        return replace(checked, claim=Claim.COMPLETE, unverified_turns=0, unchecked_verifications=0, outages=0)
    newly = found.passed_hashes - frozenset(state.passed_hashes)
    return replace(
        checked,
        claim=Claim.WORKING,
        unverified_turns=0,
        unchecked_verifications=0,
        outages=0,
        failed_verifications=0 if newly else state.failed_verifications + (state.claim is Claim.COMPLETE),
        idle_turns=0 if newly else state.idle_turns,
        passed_hashes=tuple(sorted(found.passed_hashes | frozenset(state.passed_hashes))),
    )


def _after_error(checked: LoopState, found: Verification, policy: LoopPolicy, at: int) -> LoopState:
    if all(_is_away(verdict) for verdict in found.verdicts if verdict.outcome is Outcome.ERROR):
        outages = checked.outages + 1
        return replace(checked, outages=outages, next_at=_pause_until(policy, outages, at))
    count = checked.unchecked_verifications + 1
    asked = max((verdict.retry_after_microseconds or 0 for verdict in found.verdicts), default=0)
    next_at = max(_pause_until(policy, count, at), at + asked)
    unchecked = replace(checked, unchecked_verifications=count, next_at=next_at, asked_pause=min(asked, MAX_COUNTER))
    # What the agent can mend is its next turn's work; else the same work is to be checked again.
    return replace(unchecked, claim=Claim.WORKING, unverified_turns=0) if found.feedback else unchecked


def _is_away(verdict: Verdict) -> bool:
    """Return whether only an absent network or provider kept the judge from answering."""
    last = verdict.attempts[-1] if verdict.attempts else None
    return last is not None and last.result is AttemptResult.OUTAGE and tells_of_outage(last.detail)


def check_key(state: LoopState, revision: int) -> str:
    """Return the key of the next verification at this revision."""
    return f"loop/verification-{state.verifications + 1}/revision-{revision}"
