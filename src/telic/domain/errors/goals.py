"""What a goal, a lease or a hold refuses."""

from typing import TYPE_CHECKING

from telic.domain.errors.base import GoalError

if TYPE_CHECKING:
    from telic.domain.goal import Goal, GoalStatus


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
    `used` and `budget` are, and for a refused hold also what others `held` and what was `asked`.
    """

    code = "budget_exceeded"

    def __init__(self, limit: str, used: int, budget: int, held: int = 0, asked: int = 0) -> None:
        super().__init__(
            f"the budget of {limit} has no room for {asked}: {used} used and {held} held of {budget}"
            if asked
            else f"the budget of {limit} is used up: {used} of {budget}"
        )
        self.limit = limit
        self.used = used
        self.budget = budget
        self.held = held
        self.asked = asked


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


class LeaseHeld(GoalError):
    """Another worker has the goal's lease: `holder` says who. Nothing was written; ask again when it has expired."""

    code = "lease_held"

    def __init__(self, goal_id: str, holder: str | None, expires_in_microseconds: int) -> None:
        seconds = max(0, expires_in_microseconds) / 1_000_000
        super().__init__(f"goal {goal_id} is driven by {holder!a} for the next {seconds:.1f} s")
        self.goal_id = goal_id
        self.holder = holder
        self.expires_in_microseconds = expires_in_microseconds


class HoldLost(GoalError):
    """The hold was settled, released, or freed by its expiry. Nothing was written; record the turn without it."""

    code = "hold_lost"


class GoalNotActive(GoalError):
    """No turn may start: the goal is paused or finished, or the scope has none. Nothing was written.

    `goal` is the goal as it stands, where there is one.
    """

    code = "goal_not_active"

    def __init__(self, message: str, goal: "Goal | None" = None) -> None:
        super().__init__(message)
        self.goal = goal


class NotAllowed(GoalError):
    """This actor may not do this. Nothing was written; somebody with the authority must."""

    code = "not_allowed"
