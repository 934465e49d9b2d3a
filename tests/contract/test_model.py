"""Every store against a plain-Python model of what it promises, driven by Hypothesis."""

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

import telic
from telic import Budget, GoalStatus, Reason, TurnUsage
from telic.domain.budget import LIMITS
from telic.domain.history import replay
from telic.testing import SyncToAsyncStore
from tests.conftest import STORES, new_location

MOVES = {
    GoalStatus.ACTIVE: {GoalStatus.PAUSED, GoalStatus.COMPLETED, GoalStatus.CLEARED},
    GoalStatus.PAUSED: {GoalStatus.ACTIVE, GoalStatus.CLEARED},
}
FINISHED = (GoalStatus.COMPLETED, GoalStatus.CLEARED)


@dataclass
class ModelGoal:
    """What the store should know of one goal."""

    id: str
    scope: str
    text: str
    budget: Budget
    status: GoalStatus = GoalStatus.ACTIVE
    reason: Reason | None = None
    revision: int = 1
    turns: dict[str, TurnUsage] = field(default_factory=dict)

    def total(self, name: str) -> int:
        if name == "turns":
            return len(self.turns)
        return sum(getattr(usage, name) for usage in self.turns.values())

    def is_exhausted(self) -> bool:
        limits = {name: getattr(self.budget, name) for name in LIMITS}
        return any(limit is not None and self.total(name) >= limit for name, limit in limits.items())

    def become(self, status: GoalStatus, reason: Reason | None) -> None:
        self.status, self.reason, self.revision = status, reason, self.revision + 1


budgets = st.builds(
    Budget,
    tokens=st.none() | st.integers(1, 60),
    turns=st.none() | st.integers(1, 4),
    active_microseconds=st.none() | st.integers(1, 60),
    cost_microunits=st.none() | st.integers(1, 60),
)
usages = st.builds(
    TurnUsage,
    tokens=st.integers(0, 30),
    output_tokens=st.integers(0, 30),
    active_microseconds=st.integers(0, 30),
    cost_microunits=st.integers(0, 30),
)
revisions = st.sampled_from(["none", "right", "right", "wrong"])
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=40).filter(
    str.strip
)


class StoreMachine(RuleBasedStateMachine):
    """Calls the store and the model alike, and compares."""

    goals = Bundle("goals")
    run: Callable[[Any], Any]
    store: Any
    examples = itertools.count()

    def __init__(self) -> None:
        super().__init__()
        self.example = next(self.examples)
        self.known: dict[str, ModelGoal] = {}

    def scope(self, name: str) -> str:
        return f"example {self.example}, {name}"

    def active_goal(self, scope: str) -> ModelGoal | None:
        held = [goal for goal in self.known.values() if goal.scope == scope and goal.status is GoalStatus.ACTIVE]
        assert len(held) <= 1
        return held[0] if held else None

    def supersede(self, scope: str) -> None:
        active = self.active_goal(scope)
        if active is not None:
            active.become(GoalStatus.PAUSED, Reason.SUPERSEDED)

    def expected(self, goal: ModelGoal, which: str) -> int | None:
        return {"none": None, "right": goal.revision, "wrong": goal.revision + 1}[which]

    def call(self, coroutine: Any, refusal: type[telic.GoalError] | None) -> bool:
        """Whether the call went through, as the model says it should."""
        if refusal is None:
            self.run(coroutine)
            return True
        with pytest.raises(refusal):
            self.run(coroutine)
        return False

    @rule(target=goals, name=st.sampled_from("ab"), text=texts, budget=budgets)
    def create(self, name: str, text: str, budget: Budget) -> str:
        scope = self.scope(name)
        made = self.run(self.store.create(text, scope=scope, budget=budget))
        self.supersede(scope)
        self.known[made.id] = ModelGoal(made.id, scope, text, budget)
        return str(made.id)

    @rule(goal_id=goals, usage=usages, key=st.sampled_from("klmnop"))
    def record_turn(self, goal_id: str, usage: TurnUsage, key: str) -> None:
        goal = self.known[goal_id]
        known = goal.turns.get(key)
        refusal = telic.errors.TurnConflict if known is not None and known != usage else None
        if self.call(self.store.record_turn(goal_id, usage=usage, key=key), refusal) and known is None:
            goal.turns[key] = usage
            if goal.status is GoalStatus.ACTIVE and goal.is_exhausted():
                goal.become(GoalStatus.PAUSED, Reason.BUDGET)

    @rule(goal_id=goals, to=st.sampled_from(GoalStatus), which=revisions)
    def transition(self, goal_id: str, to: GoalStatus, which: str) -> None:
        goal = self.known[goal_id]
        refusal: type[telic.GoalError] | None = None
        if which == "wrong":
            refusal = telic.StaleUpdate
        elif to not in MOVES.get(goal.status, ()):
            refusal = telic.InvalidTransition
        elif to is GoalStatus.ACTIVE and goal.is_exhausted():
            refusal = telic.BudgetExceeded
        if self.call(self.store.transition(goal_id, to, expected_revision=self.expected(goal, which)), refusal):
            if to is GoalStatus.ACTIVE:
                self.supersede(goal.scope)
            reasons = {
                GoalStatus.PAUSED: Reason.USER,
                GoalStatus.COMPLETED: Reason.ASSERTED,
                GoalStatus.CLEARED: Reason.DISMISSED,
            }
            goal.become(to, reasons.get(to))

    @rule(goal_id=goals, which=revisions)
    def complete(self, goal_id: str, which: str) -> None:
        goal = self.known[goal_id]
        refusal: type[telic.GoalError] | None = None
        if which == "wrong":
            refusal = telic.StaleUpdate
        elif goal.status in FINISHED:
            refusal = telic.InvalidTransition
        if self.call(self.store.complete(goal_id, expected_revision=self.expected(goal, which)), refusal):
            if goal.status is GoalStatus.PAUSED:
                goal.revision += 1
            goal.become(GoalStatus.COMPLETED, Reason.ASSERTED)

    @rule(goal_id=goals, budget=budgets, which=revisions)
    def resume_with_budget(self, goal_id: str, budget: Budget, which: str) -> None:
        goal = self.known[goal_id]
        refusal: type[telic.GoalError] | None = None
        if which == "wrong":
            refusal = telic.StaleUpdate
        elif goal.status is not GoalStatus.PAUSED:
            refusal = telic.InvalidTransition
        elif replace(goal, budget=budget).is_exhausted():
            refusal = telic.BudgetExceeded
        resuming = self.store.resume(goal_id, budget=budget, expected_revision=self.expected(goal, which))
        if self.call(resuming, refusal):
            self.supersede(goal.scope)
            goal.budget = budget
            goal.revision += 1
            goal.become(GoalStatus.ACTIVE, None)

    @rule(goal_id=goals, budget=budgets, which=revisions)
    def set_budget(self, goal_id: str, budget: Budget, which: str) -> None:
        goal = self.known[goal_id]
        setting = self.store.set_budget(goal_id, budget, expected_revision=self.expected(goal, which))
        if self.call(setting, self.redefinition_refusal(goal, which)):
            goal.budget = budget
            goal.revision += 1
            if goal.status is GoalStatus.ACTIVE and goal.is_exhausted():
                goal.become(GoalStatus.PAUSED, Reason.BUDGET)

    @rule(goal_id=goals, text=texts, which=revisions)
    def edit(self, goal_id: str, text: str, which: str) -> None:
        goal = self.known[goal_id]
        editing = self.store.edit(goal_id, text=text, expected_revision=self.expected(goal, which))
        if self.call(editing, self.redefinition_refusal(goal, which)):
            goal.text = text
            goal.revision += 1

    def redefinition_refusal(self, goal: ModelGoal, which: str) -> type[telic.GoalError] | None:
        if which == "wrong":
            return telic.StaleUpdate
        return telic.NotAllowed if goal.status in FINISHED else None

    @invariant()
    def the_store_is_as_the_model_says(self) -> None:
        for goal in self.known.values():
            stored = self.run(self.store.get(goal.id))
            assert (stored.text, stored.budget) == (goal.text, goal.budget)
            assert (stored.status, stored.reason, stored.revision) == (goal.status, goal.reason, goal.revision)
            for name, count in stored.usage.as_dict().items():
                assert count == goal.total(name), name
        for scope in {goal.scope for goal in self.known.values()}:
            active, expected = self.run(self.store.active(scope)), self.active_goal(scope)
            assert (active and active.id) == (expected and expected.id)

    def teardown(self) -> None:
        for goal_id in self.known:
            events, turns = self.run(self.store.events(goal_id)), self.run(self.store.turns(goal_id))
            assert replay(goal_id, events, turns).goal == self.run(self.store.get(goal_id))


@pytest.mark.parametrize("kind", STORES)
def test_the_store_behaves_as_its_model(kind: str, request: pytest.FixtureRequest, tmp_path: Any) -> None:
    """Whatever is called in whatever order, the store and the model agree, and history replays to the rows."""
    database, colour = kind.split("-")
    location = new_location(request, database, tmp_path)
    with asyncio.Runner() as runner:

        async def opened() -> Any:
            return (
                await telic.connect_async(location) if colour == "async" else SyncToAsyncStore(telic.connect(location))
            )

        store = runner.run(opened())
        machine = type("Machine", (StoreMachine,), {"run": staticmethod(runner.run), "store": store})
        examples = settings(
            max_examples=25,
            stateful_step_count=25,
            suppress_health_check=list(HealthCheck),
            database=None,
        )
        try:
            run_state_machine_as_test(machine, settings=examples)
        finally:
            runner.run(store.close())
