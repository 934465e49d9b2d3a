"""How a verification ends, for whoever checks a goal and keeps no state of a loop."""

from collections.abc import Sequence
from functools import partial

from telic.domain.goal import Actor, Goal
from telic.domain.lease import Lease
from telic.domain.verification import Verification
from telic.storage.operations import loop
from telic.storage.operations.loop import KeyedTurn
from telic.storage.transaction import Mode
from telic.store.goal_store import GoalStore


def settle(
    store: GoalStore,
    goal_id: str,
    verification: Verification,
    judged: Sequence[KeyedTurn],
    *,
    key: str,
    lease: Lease | None = None,
) -> Goal:
    """The verdicts are recorded and then the judges billed: both, or nothing; again with the same key, nothing more.

    A goal whose criteria all passed is completed, also where the bill reaches its budget. One that lacks nothing but
    a person's answer is paused until it comes. Raises as `GoalStore.verify`.
    """
    call = store.new_call(Actor.VERIFIER, key, verification.revision, lease)
    operation = partial(loop.settle, call=call, goal_id=goal_id, verification=verification, judged=judged)
    return store.run("settle", operation, Mode.ATOMIC, key)
