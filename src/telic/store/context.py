"""The part of a call that the store gives: the clock, new ids and keys, and the host's settings."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from telic.domain.budget import BillingPolicy, Budget, ModelUsage, TurnUsage
from telic.domain.clock import Clock, SystemClock
from telic.domain.criteria import Criterion
from telic.domain.errors import InvalidInput
from telic.domain.goal import Actor
from telic.domain.ids import new_goal_id, new_key
from telic.domain.lease import Lease
from telic.domain.lifecycle import NamedActor
from telic.domain.limits import check_choice
from telic.observability.observer import UNOBSERVED, Observer
from telic.storage.operations.call import Call
from telic.storage.operations.goals import NewGoal


@dataclass
class Context:
    """Turns a method's arguments into the values that operations take.

    `name` is the location as others may read it. `calls` is another number after every call that may write: a watcher
    may have to wait until it notices those of its own process.
    """

    clock: Clock = field(default_factory=SystemClock)
    model_may_create: bool = False
    observer: Observer = UNOBSERVED
    files: tuple[Path, ...] = ()
    name: str = ""
    calls: int = 0
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def call(
        self,
        actor: Actor | NamedActor | str,
        key: str | None,
        expected_revision: int | None = None,
        lease: Lease | None = None,
        *,
        replace: bool | str = True,
    ) -> Call:
        """Return the call as it is made now, with a new key where none is given."""
        # One step, so that two threads never get the same number.
        self.calls = next(self._numbers)
        named = actor if isinstance(actor, NamedActor) else NamedActor(check_choice(Actor, "the actor", actor))
        key = new_key() if key is None else key
        return Call(self.clock.now(), named.actor, key, expected_revision, lease, replace, named.as_data())

    def new_goal(
        self,
        text: str,
        scope: str,
        token_budget: int | None,
        budget: Budget | None,
        criteria: Sequence[Criterion],
        max_chars: int,
        billing: BillingPolicy | str,
    ) -> NewGoal:
        """Return the goal to be created, with a new id."""
        if token_budget is not None and budget is not None:
            raise InvalidInput("give token_budget or budget, not both")
        return NewGoal(
            id=new_goal_id(self.clock.now()),
            scope=scope,
            text=text,
            budget=Budget(tokens=token_budget) if budget is None else budget,
            criteria=criteria,
            max_chars=max_chars,
            model_may_create=self.model_may_create,
            billing=check_choice(BillingPolicy, "billing", billing),
        )

    def turn_usage(self, tokens: int | None, usage: TurnUsage | ModelUsage | None) -> TurnUsage | ModelUsage:
        """Return the usage of a turn, in whichever way it was given."""
        if usage is None and tokens is not None:
            return TurnUsage(tokens=tokens)
        if usage is None or tokens is not None:
            raise InvalidInput("give tokens or usage, one of them")
        return usage
