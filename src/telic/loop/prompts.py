"""The prompt of each turn: the constant instructions, the goal's block, and one text for this turn."""

from telic.domain.decision import Step
from telic.domain.goal import Goal
from telic.domain.loop_state import LoopState
from telic.domain.verification import Verification
from telic.loop.agents.protocol import claim_instructions
from telic.prompt import (
    FailedCriterion,
    blocked_audit,
    continuation,
    feedback,
    former_turn,
    place_after_prefix,
    render,
    short_continuation,
    short_feedback,
    short_wind_down,
    wind_down,
)


def turn_prompt(goal: Goal, state: LoopState, step: Step, verification: Verification | None, *, secret: bytes) -> str:
    """Return the whole prompt of a turn, built from the goal's row; `verification` is the last at this revision."""
    parts = [render(goal, secret=secret), _text(goal, state, step, verification)]
    if state.session is None and state.work:
        # An agent without a conversation remembers nothing of its last words.
        parts.append(former_turn(state.work))
    return place_after_prefix(claim_instructions(), "\n\n".join(parts))


def _text(goal: Goal, state: LoopState, step: Step, verification: Verification | None) -> str:
    if step is Step.WIND_DOWN:
        return wind_down(goal)
    if step is Step.AUDIT:
        return blocked_audit(goal, note=state.note)
    is_old = verification is None or state.unverified_turns or not state.turns
    mended = None if verification is None or is_old else feedback_of(goal, verification)
    return mended or continuation(goal)


def short_prompt(goal: Goal, step: Step, verification: Verification | None) -> str:
    """Return the prompt of a turn in a conversation that knows its goal already (ADR 31)."""
    if step is Step.WIND_DOWN:
        return short_wind_down(goal)
    if verification is None or not verification.feedback:
        return short_continuation(goal)
    return short_feedback(goal, _failed(verification), suggestions=_suggestions(verification))


def feedback_of(goal: Goal, verification: Verification) -> str | None:
    """Return the text on a verification; None where the agent has nothing to mend."""
    if not verification.feedback:
        return None
    return feedback(goal, _failed(verification), suggestions=_suggestions(verification))


def _failed(verification: Verification) -> list[FailedCriterion]:
    return [
        FailedCriterion(each.index + 1, " ".join(filter(None, (each.detail, *each.reasons))), each.output_tail)
        for each in verification.feedback
    ]


def _suggestions(verification: Verification) -> list[str]:
    return [text for each in verification.feedback for text in each.suggestions]
