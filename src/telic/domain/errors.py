"""Every error Telic raises, on one screen.

    GoalError
    ├── GoalNotFound · AmbiguousId · InvalidTransition · StaleUpdate · BudgetExceeded
    ├── KeyConflict ── TurnConflict
    ├── LeaseLost · NotAllowed · WorkspaceMissing
    ├── InvalidInput ── InvalidText (EmptyText, TextTooLong) · InvalidNumber · InvalidCursor
    ├── AgentFailure ── AgentNotRunnable · AgentPromptTooLarge · AgentExited · AgentTimedOut
    │                   · AgentSaidNothing · AgentOutputBroken · AgentTurnFailed
    └── StoreError
        ├── StoreBusy · StoreUnavailable        (retryable)
        ├── OutcomeUnknown                      (retry with the same key)
        └── StoreFull · StoreMoved · StoreCorrupt · StoreMisconfigured · SchemaMismatch · StoreClosed

Each docstring says what happened, whether anything was written, and whether a retry is safe.
"""

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from telic.domain.budget import ModelUsage
    from telic.domain.goal import Goal, GoalStatus


class GoalError(Exception):
    """The root of every error Telic raises. `code` is stable across releases; messages are not."""

    code: ClassVar[str] = "goal_error"
    retryable: ClassVar[bool] = False

    def __reduce__(self) -> tuple[object, ...]:
        return _restore, (type(self), self.args, self.__dict__)


def _restore(kind: type[GoalError], arguments: tuple[object, ...], state: dict[str, object]) -> GoalError:
    """The error as it was pickled; its own arguments are not those of its message."""
    error = kind.__new__(kind, *arguments)
    error.args = arguments
    error.__dict__.update(state)
    return error


class GoalNotFound(GoalError):
    """No goal has this id. Nothing was written; a retry finds nothing either."""

    code = "goal_not_found"

    def __init__(self, goal_id: str) -> None:
        super().__init__(f"no goal has the id {goal_id!a}")
        self.goal_id = goal_id


class AmbiguousId(GoalError):
    """Several goals' ids begin with this prefix. Nothing was written; give more characters."""

    code = "ambiguous_id"

    def __init__(self, prefix: str) -> None:
        super().__init__(f"several goals have an id that begins with {prefix!a}")
        self.prefix = prefix


class InvalidTransition(GoalError):
    """The state machine has no such move. Nothing was written; a retry fails alike."""

    code = "invalid_transition"

    def __init__(self, from_status: "GoalStatus", to_status: "GoalStatus") -> None:
        super().__init__(f"a goal that is {from_status} cannot become {to_status}")
        self.from_status = from_status
        self.to_status = to_status


class StaleUpdate(GoalError):
    """The goal changed since it was read. Nothing was written; look at `goal`, decide anew, then retry."""

    code = "stale_update"

    def __init__(self, goal: "Goal", expected_revision: int) -> None:
        super().__init__(f"goal {goal.id} is at revision {goal.revision}, not {expected_revision}")
        self.goal = goal
        self.expected_revision = expected_revision


class BudgetExceeded(GoalError):
    """The goal has used up a budget. Nothing was written; raise the budget, in the same call if you like.

    `limit` names the budget (`tokens`, `turns`, `active_microseconds`, `cost_microunits`), in whose unit
    `used` and `budget` are.
    """

    code = "budget_exceeded"

    def __init__(self, limit: str, used: int, budget: int) -> None:
        super().__init__(f"the budget of {limit} is used up: {used} of {budget}")
        self.limit = limit
        self.used = used
        self.budget = budget


class KeyConflict(GoalError):
    """The key already belongs to another call. Nothing was written; use a fresh key for a new call."""

    code = "key_conflict"

    def __init__(self, key: str) -> None:
        super().__init__(f"the key {key!a} was already used for another call")
        self.key = key


class TurnConflict(KeyConflict):
    """The turn key was recorded with other usage. Nothing was written; the first record stands."""

    code = "turn_conflict"


class LeaseLost(GoalError):
    """Another worker holds the goal, or the lease ran out. Nothing was written; stop working on it."""

    code = "lease_lost"


class NotAllowed(GoalError):
    """This actor may not do this. Nothing was written; somebody with the authority must."""

    code = "not_allowed"


class InvalidInput(GoalError, ValueError):
    """An argument is unusable. Nothing was written; a retry fails alike."""

    code = "invalid_input"


class InvalidText(InvalidInput):
    """A text holds what no store keeps: NUL, a lone surrogate, or no text at all."""

    code = "invalid_text"


class EmptyText(InvalidText):
    """A text that must say something is empty or white space."""

    code = "empty_text"


class TextTooLong(InvalidText):
    """A text has more characters than allowed; `max` says how many are."""

    code = "text_too_long"

    def __init__(self, name: str, max: int) -> None:
        super().__init__(f"{name} may have at most {max} characters")
        self.max = max


class InvalidNumber(InvalidInput):
    """A number is no integer, out of its range, or would carry a counter past 2**53 - 1."""

    code = "invalid_number"


class InvalidCursor(InvalidInput):
    """The cursor was not made by this listing."""

    code = "invalid_cursor"


class AgentFailure(GoalError):
    """An agent's turn came to nothing. No turn was recorded; what `usage` names is to be billed all the same.

    `usage` is None where it is unknown, which is not 0. `session` continues the conversation where the agent
    named one. `output_tail` is the end of what the agent printed.
    """

    code = "agent_failure"

    def __init__(
        self, message: str, *, output_tail: str = "", usage: "ModelUsage | None" = None, session: str | None = None
    ) -> None:
        super().__init__(message)
        self.output_tail = output_tail
        self.usage = usage
        self.session = session


class AgentNotRunnable(AgentFailure):
    """The agent's command is not there, may not be executed, or has no folder. Nothing ran; mend that, then retry."""

    code = "agent_not_runnable"


class AgentPromptTooLarge(AgentFailure):
    """The prompt is larger than the system lets an argument be. Nothing ran; pass it on standard input."""

    code = "agent_prompt_too_large"


class AgentExited(AgentFailure):
    """The agent's command ended with another code than 0, or a signal killed it; the message says which."""

    code = "agent_exited"


class AgentTimedOut(AgentFailure):
    """The agent did not end in time, and was killed with every process of its group."""

    code = "agent_timed_out"


class AgentSaidNothing(AgentFailure):
    """The agent's command ended well and printed nothing."""

    code = "agent_said_nothing"


class AgentOutputBroken(AgentFailure):
    """The agent printed what its format cannot mean: no JSON, no result, a negative count. Usage may be unknown."""

    code = "agent_output_broken"


class AgentTurnFailed(AgentFailure):
    """The agent itself says that its turn failed, as its provider was down or its own limit of steps was reached."""

    code = "agent_turn_failed"


class WorkspaceMissing(GoalError):
    """The folder that a goal is worked on in is not there, or is none. Nothing was written; put it back first."""

    code = "workspace_missing"


class StoreError(GoalError):
    """The store failed, as opposed to refusing. Subclasses say what was written."""

    code = "store_error"


class StoreBusy(StoreError):
    """Others held the store for longer than the time-out. Nothing was written; a retry is safe."""

    code = "store_busy"
    retryable = True


class StoreUnavailable(StoreError):
    """The store cannot be reached. Nothing was written; a retry is safe."""

    code = "store_unavailable"
    retryable = True


class OutcomeUnknown(StoreError):
    """The store failed while committing: the change may be there or not. Repeated with `key`, it happens once."""

    code = "outcome_unknown"
    retryable = True

    def __init__(self, key: str | None) -> None:
        super().__init__(f"the store failed while committing; repeat the call with key={key!a}")
        self.key = key


class StoreFull(StoreError):
    """The disk, or the database's allowance of it, is full. Nothing was written; retry when there is room."""

    code = "store_full"


class StoreMoved(StoreError):
    """The database file was deleted or replaced under the open store. Nothing was written; open it anew."""

    code = "store_moved"


class StoreCorrupt(StoreError):
    """The database holds what Telic cannot have written. Nothing was written; run `telic doctor`."""

    code = "store_corrupt"


class StoreMisconfigured(StoreError):
    """The path or URL cannot be a Telic store as it stands. Nothing was written; the message says what to mend."""

    code = "store_misconfigured"


class SchemaMismatch(StoreError):
    """The database's schema is newer than this Telic, or not Telic's. Nothing was written; upgrade Telic."""

    code = "schema_mismatch"


class StoreClosed(StoreError):
    """The store was closed before this call. Nothing was written; open a new one."""

    code = "store_closed"
