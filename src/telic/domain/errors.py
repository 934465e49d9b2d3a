"""Every error Telic raises, on one screen; those that carry a goal or its usage are defined here.

    GoalError
    ├── GoalNotFound · AmbiguousId · InvalidTransition · StaleUpdate · BudgetExceeded
    ├── PriceUnknown · WouldReplace
    ├── KeyConflict ── TurnConflict
    ├── GoalNotActive · LeaseHeld · LeaseLost · HoldLost · NotAllowed
    ├── InvalidInput ── InvalidText (EmptyText, TextTooLong) · InvalidNumber · InvalidCursor · InvalidCommand
    ├── AgentFailure ── AgentNotRunnable · AgentPromptTooLarge · AgentExited · AgentTimedOut
    │                   · AgentSaidNothing · AgentOutputBroken · AgentTurnFailed · AgentConversationLost
    │                   · AgentCostUnknown
    ├── WorkspaceMissing · MissingExtra
    └── StoreError
        ├── StoreBusy · StoreUnavailable        (retryable)
        ├── OutcomeUnknown                      (retry with the same key)
        └── StoreFull · StoreMoved · StoreCorrupt · StoreMisconfigured · SchemaMismatch · StoreClosed

Each docstring says what happened, whether anything was written, and whether a retry is safe.
"""

from telic.domain.base_errors import *
from telic.domain.base_errors import PASSING as PASSING
from telic.domain.budget import LIMIT_NAMES, ModelUsage
from telic.domain.clock import MICRO, Instant, to_datetime
from telic.domain.goal import Goal, GoalStatus

__all__ = [
    "AgentConversationLost", "AgentCostUnknown", "AgentExited", "AgentFailure", "AgentNotRunnable",
    "AgentOutputBroken", "AgentPromptTooLarge", "AgentSaidNothing", "AgentTimedOut", "AgentTurnFailed", "AmbiguousId",
    "BudgetExceeded", "EmptyText", "GoalError", "GoalNotActive", "GoalNotFound", "HoldLost", "InvalidCommand",
    "InvalidCursor", "InvalidInput", "InvalidNumber", "InvalidText", "InvalidTransition", "KeyConflict", "LeaseHeld",
    "LeaseLost", "MissingExtra", "NotAllowed", "OutcomeUnknown", "PriceUnknown", "SchemaMismatch", "StaleUpdate",
    "StoreBusy", "StoreClosed", "StoreCorrupt", "StoreError", "StoreFull", "StoreMisconfigured", "StoreMoved",
    "StoreUnavailable", "TextTooLong", "TurnConflict", "WorkspaceMissing", "WouldReplace",
]  # fmt: skip


class InvalidTransition(GoalError, code="invalid_transition"):
    """The state machine has no such move. Nothing was written; a retry fails alike."""

    def __init__(self, from_status: GoalStatus, to_status: GoalStatus) -> None:
        super().__init__(f"a goal that is {from_status} cannot become {to_status}")
        self.from_status = from_status
        self.to_status = to_status


class StaleUpdate(GoalError, code="stale_update"):
    """The goal changed since it was read. Nothing was written; look at `goal` and decide again, then retry."""

    def __init__(self, goal: Goal, expected_revision: int) -> None:
        super().__init__(f"goal {goal.id} is at revision {goal.revision}, not {expected_revision}")
        self.goal = goal
        self.expected_revision = expected_revision


class WouldReplace(GoalError, code="would_replace"):
    """Another goal of the scope would have to give way. Nothing was written; repeat the call with `replace`.

    `goal` is that goal, `worker` the name of the worker that drives it, or None where no worker has its lease.
    """

    def __init__(self, goal: Goal, worker: str | None) -> None:
        driven = "" if worker is None else f", driven by {worker!r},"
        become = "paused" if goal.is_active else "put aside"
        super().__init__(f"goal {goal.id} is {goal.status} in scope {goal.scope!r}{driven} and would be {become}")
        self.goal = goal
        self.worker = worker


class GoalNotActive(GoalError, code="goal_not_active"):
    """No turn may start: the goal is paused or finished, or the scope has none. Nothing was written.

    `goal` is the goal as it stands, where there is one.
    """

    def __init__(self, message: str, goal: Goal | None = None) -> None:
        super().__init__(message)
        self.goal = goal


class BudgetExceeded(GoalError, code="budget_exceeded"):
    """The goal has used up a budget. Nothing was written; raise the budget, in the same call if you like.

    `limit` names the budget (`tokens`, `turns`, `active_microseconds`, `cost_microunits`), in whose unit
    `used` and `budget` are, and for a refused hold also what others `held` and what was `asked`. Where others' holds
    were waited for in vain, `held_until` is when the first of them expires.
    """

    def __init__(
        self,
        limit: str,
        used: int,
        budget: int,
        held: int = 0,
        asked: int = 0,
        *,
        held_until: Instant | None = None,
        goal_id: str | None = None,
    ) -> None:
        name = LIMIT_NAMES.get(limit, limit)
        shown_used, shown_budget, shown_held, shown_asked = (_show(limit, each) for each in (used, budget, held, asked))
        told = f"the budget of {name} is used up: {shown_used} of {shown_budget}"
        if asked:
            told = (
                f"the budget of {name} has no room for {shown_asked}: "
                f"{shown_used} used and {shown_held} held of {shown_budget}"
            )
        if held_until is not None:
            told += (
                f"; the first hold expires at {to_datetime(held_until):%Y-%m-%dT%H:%M:%SZ}. `telic holds {goal_id}` "
                f"lists the holds, and `telic release {goal_id} --hold KEY` frees one of a call that is lost"
            )
        super().__init__(told)
        self.limit = limit
        self.used = used
        self.budget = budget
        self.held = held
        self.asked = asked
        self.held_until = held_until


def _show(limit: str, amount: int) -> str:
    if limit == "active_microseconds":
        return f"{amount / MICRO:g} s"
    if limit != "cost_microunits":
        return str(amount)
    # Imported here, since it takes decimals, of which most programs need none.
    from telic.domain.money import show_money

    return show_money(amount)


class AgentFailure(GoalError, code="agent_failure"):
    """An agent's turn came to nothing. No turn was recorded; what `usage` names is to be billed all the same.

    `usage` is None where it is unknown, which is not 0; `usage_is_estimate` tells that some of it is missing.
    `session` continues the conversation where the agent named one. `output_tail` is the end of what the agent printed.
    With `is_outage` the network, or the agent's provider, was away: a loop waits for it instead of counting a failure.
    """

    def __init__(
        self,
        message: str,
        *,
        output_tail: str = "",
        usage: ModelUsage | None = None,
        session: str | None = None,
        usage_is_estimate: bool = False,
        is_outage: bool = False,
    ) -> None:
        super().__init__(message)
        self.output_tail = output_tail
        self.usage = usage
        self.session = session
        self.usage_is_estimate = usage_is_estimate
        self.is_outage = is_outage


class AgentNotRunnable(AgentFailure, code="agent_not_runnable"):
    """The agent's command could not be started: it is not there, may not be executed, or has no working folder.

    Nothing ran; a retry fails alike until that is mended.
    """


class AgentPromptTooLarge(AgentFailure, code="agent_prompt_too_large"):
    """The prompt is larger than the system lets an argument be. Nothing ran; pass it on standard input."""


class AgentCostUnknown(AgentFailure, code="agent_cost_unknown"):
    """The goal has a budget of money, and nobody knows what the turn's model costs. What it used is counted.

    A retry fails alike until the agent tells its cost, or a model that has a price.
    """


class AgentExited(AgentFailure, code="agent_exited"):
    """The agent's command ended with another code than 0, or a signal killed it; the message says which."""


class AgentTimedOut(AgentFailure, code="agent_timed_out"):
    """The agent did not end in time, and was killed with every process of its group."""


class AgentSaidNothing(AgentFailure, code="agent_said_nothing"):
    """The agent's command ended well and printed nothing."""


class AgentOutputBroken(AgentFailure, code="agent_output_broken"):
    """The agent printed what its format cannot mean: no JSON, no result, a negative count. Usage may be unknown."""


class AgentTurnFailed(AgentFailure, code="agent_turn_failed"):
    """The agent itself says that its turn failed, as its provider was down or its own limit of steps was reached."""


class AgentConversationLost(AgentFailure, code="agent_conversation_lost"):
    """The agent's conversation cannot be continued: it is full, or it is not there any more.

    The next turn begins a new one at once. Where the turn had begun a new one itself, it is a failure like others.
    """


# Tracebacks and pickles name an error by the place from which programs import it.
for _name in __all__:
    globals()[_name].__module__ = "telic.errors"
