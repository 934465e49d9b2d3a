"""A worker that drives one goal to its end, and kills itself once at each occurrence of one named step."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import telic
from telic.domain.budget import ModelUsage
from telic.domain.criteria import Criterion
from telic.domain.decision import LoopPolicy
from telic.domain.errors import AgentExited
from telic.domain.goal import (
    Wake,
)
from telic.domain.loop_state import (
    Claim,
)
from telic.loop.agents.protocol import TurnReport, TurnRequest
from telic.loop.goal_loop import GoalLoop
from telic.loop.run_context import LoopEvent, LoopEventKind, LoopRecords, LoopSettings
from telic.loop.verification.verifier import Verifier
from tests.loop_driver.world import USED

HEARD = {
    "before the turn": LoopEventKind.TURN_BEGAN,
    "during verification": LoopEventKind.CHECKED,
    "in backoff": LoopEventKind.SLEEPING,
    "while paused": LoopEventKind.PAUSED,
}
STEPS = (
    *HEARD,
    "during the turn",
    "before the record",
    "after the record",
    "before the verdicts' record",
    "after the verdicts' record",
)
TURNS = 5
TOLD = ModelUsage(input_tokens=60_000)
"""What an agent that waits tells of before: more than is held for a turn."""
SIGNAL = "deployed"
JUDGE_USED = 11

_JUDGE = (
    "import sys; sys.stdin.read();"
    """print('{"verdict": "pass", "usage": {"input_tokens": 9, "output_tokens": 2}}')"""
)


def criteria() -> list[Criterion]:
    """A command that passes once `done` is there, and a judge that passes and is billed."""
    judge = Criterion.judge("Is it good?", argv=[sys.executable, "-S", "-c", _JUDGE])
    return [Criterion.command(["test", "-f", "done"]), judge]


@dataclass(frozen=True)
class Scene:
    """Where it happens; `step` is None for a worker that lives."""

    location: str
    folder: Path
    goal_id: str
    step: str | None = None
    worker: str = "worker"

    @property
    def workspace(self) -> Path:
        return self.folder / "workspace"

    def note(self, name: str, line: str) -> None:
        """The line is in the file before anything else happens."""
        with (self.folder / name).open("a") as file:
            file.write(f"{line}\n")

    def noted(self, name: str) -> list[str]:
        file = self.folder / name
        return file.read_text().splitlines() if file.exists() else []

    def reached(self, step: str, occurrence: object) -> None:
        """The process is gone, where it is to die here and no worker before it has."""
        if step == self.step and str(occurrence) not in self.noted("kills"):
            self.note("kills", str(occurrence))
            os.kill(os.getpid(), signal.SIGKILL)


class Agent:
    """Goes through everything that a loop deals with, by the number of its turn."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    async def turn(self, request: TurnRequest) -> TurnReport:
        self._scene.note("calls", request.turn_key)
        self._scene.reached("during the turn", request.turn_key)
        match request.turn_number:
            case 1:
                return TurnReport(text="looked", usage=USED)
            case 2:
                return TurnReport(text="done?", usage=USED, claim=Claim.COMPLETE)
            case 3:
                raise AgentExited("exit code 3", usage=USED)
            case 4:
                return TurnReport(text="CI", usage=USED, claim=Claim.WAITING, wake=Wake(signal=SIGNAL))
            case _:
                (request.workspace / "done").touch()
                return TurnReport(text="done", usage=USED, claim=Claim.COMPLETE)


class DyingRecords(LoopRecords):
    """Dies before or after it has written."""

    scene: Scene

    async def finish_turn(self, lease: Any, turn: Any, state: Any) -> Any:
        return await self._between(
            "record", turn.key, lambda: super(DyingRecords, self).finish_turn(lease, turn, state)
        )

    async def settle(self, lease: Any, key: str, state: Any, found: Any) -> Any:
        def write() -> Awaitable[Any]:
            return super(DyingRecords, self).settle(lease, key, state, found)

        return await self._between("verdicts' record", key.partition("/revision")[0], write)

    async def _between(self, name: str, occurrence: str, write: Callable[[], Awaitable[Any]]) -> Any:
        self.scene.reached(f"before the {name}", occurrence)
        result = await write()
        self.scene.reached(f"after the {name}", occurrence)
        return result


def work(scene: Scene) -> str:
    """The reason for which the goal has ended; signals are sent to it while it waits."""
    return asyncio.run(_work(scene))


async def _work(scene: Scene) -> str:
    DyingRecords.scene = scene
    _inject()
    async with telic.connect_async(scene.location) as store:
        while True:
            goal = await store.get(scene.goal_id)
            if goal.is_finished or (goal.status is telic.GoalStatus.PAUSED and not goal.is_waiting):
                return str(goal.reason)
            if goal.is_waiting:
                await store.signal(SIGNAL)
            with suppress(telic.errors.LeaseHeld, telic.LeaseLost, telic.GoalNotActive):
                await _loop(scene, store).run(scene.goal_id)
            await asyncio.sleep(0.02)


def _inject() -> None:
    from telic.loop import goal_loop as driver

    driver.LoopRecords = DyingRecords  # type: ignore[misc]


def _loop(scene: Scene, store: telic.AsyncGoalStore, lease_seconds: float = 20.0) -> GoalLoop:
    def hear(progress: LoopEvent) -> None:
        for step, happening in HEARD.items():
            if progress.kind is happening:
                scene.reached(step, f"{progress.turn_number}/{progress.goal.revision}/{progress.detail[:20]}")

    # Who is to die in a backoff must still find one, however slow the machine is.
    pause = 10 if scene.step == "in backoff" else 0.1
    return GoalLoop(
        store=store,
        agent=Agent(scene),
        settings=LoopSettings(
            workspace=scene.workspace, worker=scene.worker, heartbeat_seconds=0.1, lease_seconds=lease_seconds
        ),
        policy=LoopPolicy(backoff_seconds=pause, max_backoff_seconds=pause),
        verifier=Verifier(workspace=scene.workspace),
        on_progress=hear,
    )


def hold_still(scene: Scene) -> str:
    """Drives the goal with an agent that waits for the file `go`; the name of the error that ends it."""
    return asyncio.run(_hold_still(scene))


async def _hold_still(scene: Scene) -> str:
    class Waiting:
        async def turn(self, request: TurnRequest) -> TurnReport:
            request.report_usage(TOLD)
            scene.note("calls", request.turn_key)
            for _ in range(6_000):
                if (scene.folder / "go").exists():
                    break
                await asyncio.sleep(0.01)
            return TurnReport(text="done", usage=USED, claim=Claim.COMPLETE)

    async with telic.connect_async(scene.location) as store:
        loop = _loop(scene, store, lease_seconds=4.0)
        loop.agent = Waiting()
        try:
            return str((await loop.run(scene.goal_id)).reason)
        except telic.GoalError as error:
            return type(error).__name__
