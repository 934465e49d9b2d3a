"""A store, a workspace and a scripted agent: all that a loop needs, with nothing between it and the real parts."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import telic
from telic.domain.budget import ModelUsage
from telic.domain.clock import Clock
from telic.domain.criteria import Criterion
from telic.domain.decision import LoopPolicy
from telic.domain.history import replay
from telic.domain.loop_state import (
    Claim,
    LoopState,
)
from telic.loop.agents.protocol import TurnReport, TurnRequest
from telic.loop.goal_loop import GoalLoop
from telic.loop.run_context import LoopEvent, LoopEventKind, LoopRecords, LoopSettings
from telic.loop.verification.judge import JudgePolicy, Patience
from telic.loop.verification.verifier import Verifier

QUICK = LoopPolicy(backoff_seconds=0, max_backoff_seconds=0, verify_first=False)
USED = ModelUsage(input_tokens=80, output_tokens=20)
DONE_IS_THERE = Criterion.command(["test", "-f", "done"])
IMPATIENT = JudgePolicy(
    outage=Patience(attempts=2), timed_out=Patience(attempts=1), bad_output=Patience(attempts=2), max_attempts=3
)

Step = Callable[[TurnRequest], Any]


def report(text: str = "worked", **parts: Any) -> TurnReport:
    """A turn's report, of 100 tokens unless it says otherwise."""
    return TurnReport(**{"text": text, "usage": USED} | parts)


CLAIM = report("it is done", claim=Claim.COMPLETE)


@dataclass
class ScriptedAgent:
    """Takes its steps in order, the last one again and again; each is a report, an exception, or makes either."""

    steps: Sequence[Any]
    requests: list[TurnRequest] = field(default_factory=list)

    async def turn(self, request: TurnRequest) -> TurnReport:
        step = self.steps[min(len(self.requests), len(self.steps) - 1)]
        self.requests.append(request)
        made = step(request) if callable(step) else step
        if hasattr(made, "__await__"):
            made = await made
        if isinstance(made, Exception):
            raise made
        assert isinstance(made, TurnReport)
        return made

    @property
    def prompts(self) -> list[str]:
        return [request.prompt for request in self.requests]


def makes(name: str, then: TurnReport = CLAIM) -> Step:
    """A step that makes a file in the workspace."""

    def make(request: TurnRequest) -> TurnReport:
        (request.workspace / name).write_text(name)
        return then

    return make


@dataclass
class Waiter:
    """A step that says when it began, and lasts until it may end; `was_cancelled` tells whether it was not let."""

    then: TurnReport
    began: asyncio.Event = field(default_factory=asyncio.Event)
    may_end: asyncio.Event = field(default_factory=asyncio.Event)
    was_cancelled: bool = False

    async def __call__(self, _: TurnRequest) -> TurnReport:
        self.began.set()
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        return self.then


@dataclass
class World:
    """Where a loop's test takes place."""

    store: telic.AsyncGoalStore
    workspace: Path
    clock: Clock
    told: list[LoopEvent] = field(default_factory=list)

    def loop(self, agent: Any, policy: LoopPolicy = QUICK, **settings: Any) -> GoalLoop:
        parts = {"workspace": self.workspace, "worker": "worker", "heartbeat_seconds": 0.05, "lease_seconds": 20.0}
        return GoalLoop(
            store=self.store,
            agent=agent,
            settings=LoopSettings(**parts | settings),
            policy=policy,
            verifier=Verifier(workspace=self.workspace, policy=IMPATIENT),
            on_progress=self.told.append,
            clock=self.clock,
        )

    async def run(self, goal: telic.Goal, agent: Any, policy: LoopPolicy = QUICK, **settings: Any) -> telic.Goal:
        """The goal as the loop left it, its history checked."""
        ended = await self.loop(agent, policy, **settings).run(goal.id)
        await self.check(goal.id)
        assert (await self.store.lease(goal.id)).worker is None
        return ended

    async def check(self, goal_id: str) -> None:
        """Nothing happens where the history makes the stored goal."""
        history = replay(goal_id, await self.store.events(goal_id), await self.store.turns(goal_id))
        assert history.goal == await self.store.get(goal_id)

    async def state(self, goal_id: str) -> LoopState:
        return (await LoopRecords(self.store, goal_id).load())[1]

    async def turn_keys(self, goal_id: str) -> list[str]:
        return [turn.key for turn in await self.store.turns(goal_id)]

    async def verdicts(self, goal_id: str) -> list[telic.Event]:
        return [event for event in await self.store.events(goal_id) if event.kind is telic.EventKind.CHECKED]

    def heard(self, happening: LoopEventKind) -> list[LoopEvent]:
        return [progress for progress in self.told if progress.kind is happening]


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 60) -> None:
    """Returns once the condition holds; a test failure where it does not come to hold."""
    for _ in range(int(seconds / 0.02)):
        if await condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not come to that")


def judge(answer: dict[str, Any] | str, *, before: str = "pass", question: str = "Is it good?") -> Criterion:
    """A command that judges, by saying this after having counted in the file `asked`."""
    said = answer if isinstance(answer, str) else json.dumps(answer)
    count = "import os, sys, time; sys.stdin.read(); open('asked', 'a').write('x')"
    return Criterion.judge(question, argv=[sys.executable, "-S", "-c", f"{count}; {before}; print({said!r})"])


def asked(workspace: Path) -> int:
    """How often the judges were asked."""
    file = workspace / "asked"
    return len(file.read_text()) if file.exists() else 0


def policy(**parts: Any) -> LoopPolicy:
    return replace(QUICK, **parts)


async def eventually(condition: Callable[[], bool], seconds: float = 240) -> None:
    """Returns once the condition holds; a test failure where it does not come to hold."""
    for _ in range(int(seconds / 0.005)):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it did not come to that")
