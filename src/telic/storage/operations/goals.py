"""Creating and finding goals."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from telic.domain.budget import BillingPolicy, Budget, budget_columns
from telic.domain.criteria import Criterion, check_criteria, criteria_to_json
from telic.domain.errors import AmbiguousId, GoalNotFound, InvalidInput, NotAllowed, StoreCorrupt
from telic.domain.events import EventKind, event_hash
from telic.domain.goal import Actor, Goal, Reason
from telic.domain.ids import GoalId, check_id_prefix, to_data
from telic.domain.lifecycle import Action
from telic.domain.limits import check_goal_text, check_name
from telic.storage.operations.call import Call, require_free_scope, was_done
from telic.storage.records import goal_from_row
from telic.storage.transaction import Parameters, Raced, Transaction

_NAMED: Final = 4
"""So many goals are named where one was meant."""


@dataclass(frozen=True, slots=True)
class NewGoal:
    """A goal that is to be created; `max_chars` bounds its text."""

    id: GoalId
    scope: str
    text: str
    budget: Budget
    criteria: Sequence[Criterion]
    max_chars: int
    model_may_create: bool
    billing: BillingPolicy = BillingPolicy.INPUT_AND_OUTPUT

    def checked(self) -> "NewGoal":
        """Return the same, or raise InvalidInput if a part of it cannot be."""
        check_goal_text(self.text, self.max_chars)
        check_name("scope", self.scope)
        if not isinstance(self.budget, Budget):
            raise InvalidInput("the budget must be a Budget")
        check_criteria(self.criteria)
        return self

    def data(self) -> dict[str, object]:
        """Return the data of the creation's event."""
        data: dict[str, object] = {
            "text": self.text,
            "scope": self.scope,
            "criteria": [criterion.as_dict() for criterion in self.criteria],
            "budget": self.budget.as_dict(),
        }
        is_usual = self.billing is BillingPolicy.INPUT_AND_OUTPUT
        return data if is_usual else data | {"billing": self.billing.value}


async def create(tx: Transaction, call: Call, new: NewGoal) -> Goal:
    """The new goal is active, and the scope's former active goal is paused as superseded.

    A call with a key that has already created this goal gives that goal as it stands.
    """
    may_replace = call.actor is not Actor.MODEL or not new.model_may_create
    if may_replace:
        call.authorize(Action.CREATE)
    else:
        # The host allows it, as far as the scope has no unfinished goal.
        check_name("key", call.key)
    new = new.checked()
    data = new.data()
    row = await tx.one_or_none("goals.create", _creation(call, new, call.data(data), may_replace))
    return goal_from_row(row) if row is not None else await _why_not_created(tx, call, new, data)


def _creation(call: Call, new: NewGoal, data: str, may_replace: bool) -> Parameters:
    return {
        "id": new.id,
        "scope": new.scope,
        "text": new.text,
        "criteria": criteria_to_json(new.criteria),
        **budget_columns(new.budget),
        "billing": new.billing.value,
        "at": call.at,
        "actor": call.actor.value,
        "key": call.key,
        "data": data,
        "superseded_data": superseded_data(new.id),
        "over_unfinished": int(may_replace),
        "replaced": call.replaced,
        "created_hash": event_hash("", new.id, 1, 1, EventKind.CREATED, call.actor, call.at, data, call.key),
    }


def superseded_data(successor: str) -> str:
    """Return the data of the event of a goal that another goal has superseded in its scope."""
    return to_data({"reason": Reason.SUPERSEDED.value, "by": successor})


async def _why_not_created(tx: Transaction, call: Call, new: NewGoal, data: dict[str, object]) -> Goal:
    row = await tx.one_or_none("goals.created_with", {"scope": new.scope, "key": call.key})
    if row is not None:
        goal = goal_from_row(row)
        await was_done(tx, call, goal.id, EventKind.CREATED, data)
        return goal
    if call.actor is Actor.MODEL:
        raise NotAllowed("the model may not create a goal while the scope has an unfinished one")
    await require_free_scope(tx, call, new.scope)
    raise Raced("another call with the same key is creating this goal")


async def find(tx: Transaction, prefix: str) -> Goal:
    """Return the one goal whose id begins, or else ends, with these 8 or more characters."""
    typed = check_id_prefix(prefix)
    rows = await tx.all("goals.find", {"first": typed, "last": typed + "~", "limit": _NAMED})
    rows = rows or await tx.all("goals.find_by_end", {"pattern": f"%{typed}", "limit": _NAMED})
    if not rows:
        raise GoalNotFound(typed)
    if len(rows) > 1:
        raise AmbiguousId(typed, tuple(goal_from_row(row).id for row in rows))
    return goal_from_row(rows[0])


def fold_case(text: str) -> str:
    """Return the text as searches compare it: ASCII letters in lower case, as both databases fold them."""
    return "".join(character.lower() if character.isascii() else character for character in text)


async def secret(tx: Transaction) -> bytes:
    """Return the store's own random bytes, or raise StoreCorrupt if they are gone."""
    row = await tx.one_or_none("identity.get", {})
    if row is None:
        raise StoreCorrupt("the table store_identity is empty")
    return bytes.fromhex(row[1])
