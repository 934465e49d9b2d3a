"""The hot operations as plain functions of a store and a target; on an async store they give awaitables."""

import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import telic


class Target(NamedTuple):
    """A goal, its scope, and a key that no other call uses."""

    goal_id: str
    scope: str
    key: str


Goals = Sequence[tuple[str, str]]
"""Ids and scopes."""

Hot = Callable[[Any, Target], Any]


def get(store: telic.GoalStore, target: Target) -> telic.Goal:
    """The goal, by its id."""
    return store.get(target.goal_id)


def active(store: telic.GoalStore, target: Target) -> telic.Goal | None:
    """The goal, by its scope."""
    return store.active(target.scope)


def record_turn(store: telic.GoalStore, target: Target) -> telic.TurnResult:
    """One turn is accounted."""
    return store.record_turn(target.goal_id, tokens=1_500, key=target.key)


def create(store: telic.GoalStore, target: Target) -> telic.Goal:
    """A new goal takes the scope from the former one."""
    return store.create("Move billing to the new API", scope=target.scope, token_budget=2_000_000, key=target.key)


def pause(store: telic.GoalStore, target: Target) -> telic.Goal:
    """The goal is paused: the one half of `transition`."""
    return store.transition(target.goal_id, telic.GoalStatus.PAUSED, key=target.key)


def resume(store: telic.GoalStore, target: Target) -> telic.Goal:
    """The goal is resumed: the other half of `transition`."""
    return store.transition(target.goal_id, telic.GoalStatus.ACTIVE, key=target.key)


class Targets:
    """Hands out the goals in turn, each time with a key that was never used."""

    def __init__(self, goals: Goals) -> None:
        self._goals = itertools.cycle(goals)
        self._numbers = itertools.count(1)
        self._run = os.urandom(8).hex()

    def __iter__(self) -> Iterator[Target]:
        return self

    def __next__(self) -> Target:
        return Target(*next(self._goals), f"{self._run}-{next(self._numbers)}")

    def take(self, count: int) -> list[Target]:
        """The next ones."""
        return list(itertools.islice(self, count))
