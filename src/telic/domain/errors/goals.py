"""What a goal, a lease or a hold refuses."""

from typing import TYPE_CHECKING

from telic.domain.clock import to_datetime
from telic.domain.errors.base import GoalError

if TYPE_CHECKING:
    from telic.domain.clock import Instant
    from telic.domain.goal import Goal, GoalStatus


class GoalNotFound(GoalError):
    """No goal has this id. Nothing was written; a retry finds nothing either."""

    code = "goal_not_found"

    def __init__(self, goal_id: str) -> None:
        super().__init__(f"no goal has the id {goal_id!r}")
        self.goal_id = goal_id


class AmbiguousId(GoalError):
    """Several goals' ids begin, or end, like this. Nothing was written; give more characters.

    `ids` are some of them.
    """

    code = "ambiguous_id"

    def __init__(self, prefix: str, ids: tuple[str, ...] = ()) -> None:
        known = f": {', '.join(ids)}" if ids else ""
        super().__init__(f"several goals have an id that begins or ends with {prefix!r}{known}")
        self.prefix = prefix
        self.ids = ids


class WouldReplace(GoalError):
    """Another goal is active in the scope, and would be paused. Nothing was written; repeat the call with `replace`.

    `goal` is that goal, `holder` the worker that drives it, or None where no worker has its lease.
    """

    code = "would_replace"

    def __init__(self, goal: "Goal", holder: str | None) -> None:
        driven = "" if holder is None else f", driven by {holder!r},"
        super().__init__(f"goal {goal.id} is active in scope {goal.scope!r}{driven} and would be paused")
        self.goal = goal
        self.holder = holder


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
    `used` and `budget` are, and for a refused hold also what others `held` and what was `asked`. Where others' holds
    were waited for in vain, `held_until` is when the first of them expires.
    """

    code = "budget_exceeded"

    def __init__(
        self,
        limit: str,
        used: int,
        budget: int,
        held: int = 0,
        asked: int = 0,
        *,
        held_until: "Instant | None" = None,
        goal_id: str | None = None,
    ) -> None:
        name = {"cost_microunits": "cost", "active_microseconds": "time"}.get(limit, limit)
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
        return f"{amount / 1_000_000:g} s"
    if limit != "cost_microunits":
        return str(amount)
    # Imported here, since it takes decimals, of which most programs need none.
    from telic.domain.money import show_money

    return show_money(amount)


class PriceUnknown(GoalError):
    """The goal has a budget of money, and nobody knows what the model costs. The model was not called.

    Give a price of your own for the model (`None` where its name is not known either), install the extra `pricing`,
    take the budget of money away, or allow unknown prices.
    """

    code = "price_unknown"

    def __init__(self, model: str | None, *, has_table: bool) -> None:
        told = "the goal has a budget of money, but the price of its model is unknown"
        if model is not None:
            told = f"the goal has a budget of money, but the price of the model {model!a} is unknown"
        table = "" if has_table else "install the table of prices (pip install 'telic[pricing]'), "
        super().__init__(
            f"{told}: {table}give a price of your own (`prices` in the settings), take the budget of money away, or "
            "set `allow_unknown_price`"
        )
        self.model = model


class KeyConflict(GoalError):
    """The key already belongs to another call. Nothing was written; use a fresh key for a new call."""

    code = "key_conflict"

    def __init__(self, key: str) -> None:
        super().__init__(f"the key {key!r} was already used for another call")
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
        super().__init__(f"goal {goal_id} is driven by {holder!r} for the next {seconds:.1f} s")
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
