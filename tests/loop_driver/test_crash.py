"""Workers killed at every step of the loop: another one goes on, and nothing is lost, doubled or forgotten."""

import asyncio
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import telic
from telic.domain.budget import UsageKind
from telic.domain.loop_state import LoopState
from telic.loop.agents.process import run_process
from telic.loop.run_context import LoopRecords
from tests.crash.support import Crew, Worker, history_of, wait_for
from tests.loop_driver.killing import JUDGE_USED, STEPS, TOLD, TURNS, Scene, criteria, hold_still, work
from tests.verification.asking import is_running


@pytest.fixture
def crew() -> Iterator[Crew]:
    started = Crew()
    yield started
    started.close()


def new_scene(location: str, folder: Path, step: str | None, token_budget: int | None = None) -> Scene:
    (folder / "workspace").mkdir(parents=True)
    with telic.connect(location) as store:
        goal = store.create("survive", criteria=criteria(), token_budget=token_budget)
    return Scene(location, folder, goal.id, step)


def kill_until_it_ends(crew: Crew, scene: Scene) -> int:
    """How many workers died before one brought the goal to its end."""
    kills = 0
    while crew.start(work, scene).wait():
        kills += 1
        assert kills < 40
    return kills


def require_exact(scene: Scene, kills: int) -> None:
    """The goal is verified, each turn counted once, each judge billed once, each counter as if nobody had died."""
    with telic.connect(scene.location) as store:
        history = history_of(store, scene.goal_id)
        work_keys = [turn.key for turn in history.turns if turn.kind is UsageKind.WORK]
        judged = [turn for turn in history.turns if turn.kind is UsageKind.JUDGE]
    assert history.goal.reason is telic.Reason.VERIFIED
    assert work_keys == [f"loop/turn-{number}" for number in range(1, TURNS + 1)]
    assert history.goal.turns_used == TURNS
    lost = [turn for turn in history.turns if turn.kind is UsageKind.SUB_AGENT]
    assert all(turn.is_estimate for turn in lost), "what dead workers held for turns that were taken over"
    assert len(lost) == history.goal.estimated_lines <= kills
    assert history.goal.tokens_used == 100 * TURNS + JUDGE_USED * len(judged) + sum(turn.usage.tokens for turn in lost)
    checks = [event for event in history.events if event.kind is telic.EventKind.CHECKED]
    assert len(checks) == 2
    assert len(judged) == sum(len(verdict["attempts"]) for event in checks for verdict in event.data["verdicts"]) == 1
    calls = Counter(scene.noted("calls"))
    assert set(calls) == set(work_keys)
    assert calls.total() <= TURNS + kills
    state = asyncio.run(_state(scene))
    assert (state.turns, state.verifications, state.failures) == (TURNS, 2, 0)


async def _state(scene: Scene) -> LoopState:
    async with telic.connect_async(scene.location) as store:
        return (await LoopRecords(store, scene.goal_id).load())[1]


@pytest.mark.parametrize("step", STEPS)
def test_a_worker_killed_at_every_occurrence_of_a_step(step: str, location: str, tmp_path: Path, crew: Crew) -> None:
    """The next one goes on at once under the same name; at most one call of the agent is repeated for each kill."""
    scene = new_scene(location, tmp_path / "scene", step)
    kills = kill_until_it_ends(crew, scene)
    assert kills == len(scene.noted("kills")) >= 1
    require_exact(scene, kills)


@pytest.mark.long
@pytest.mark.parametrize("step", STEPS)
def test_workers_killed_often_at_a_step(step: str, location: str, tmp_path: Path, crew: Crew) -> None:
    """At least thirty times."""
    kills, number = 0, 0
    while kills < 30:
        number += 1
        scene = new_scene(location, tmp_path / f"scene-{number}", step)
        died = kill_until_it_ends(crew, scene)
        require_exact(scene, died)
        kills += died


def test_another_worker_takes_over_after_the_lease(location: str, tmp_path: Path, crew: Crew) -> None:
    """A worker of another name waits until the dead one's lease has ended, and not longer than that."""
    scene = new_scene(location, tmp_path / "scene", None, token_budget=120_000)
    first = crew.start(hold_still, Scene(location, scene.folder, scene.goal_id, worker="first"))
    wait_for(scene.folder / "calls")
    with telic.connect(location) as store:
        wait_until(lambda: [hold.reserved.tokens for hold in store.holds(scene.goal_id)] == [TOLD.input_tokens])
        first.kill()
        (left,) = store.holds(scene.goal_id)
        assert crew.start(work, Scene(location, scene.folder, scene.goal_id, worker="second")).result() == "verified"
        states = {hold.key: hold.state.value for hold in store.holds(scene.goal_id)}
    require_exact(scene, 1)
    with telic.connect(location) as store:
        estimated = [turn.usage.tokens for turn in store.turns(scene.goal_id) if turn.is_estimate]
    assert states.pop(left.key) == "estimated", "nobody knows what the dead turn consumed"
    assert estimated == [TOLD.input_tokens]
    assert "open" not in states.values()


def test_a_worker_that_stood_still_past_its_lease_writes_nothing(location: str, tmp_path: Path, crew: Crew) -> None:
    """SIGSTOP and SIGCONT: its turn is another's meanwhile, and is counted once."""
    scene = new_scene(location, tmp_path / "scene", None)
    first = crew.start(hold_still, Scene(location, scene.folder, scene.goal_id, worker="first"))
    wait_for(scene.folder / "calls")
    _stop_between_writes(first, location)
    time.sleep(4.4)
    assert crew.start(work, Scene(location, scene.folder, scene.goal_id, worker="second")).result() == "verified"
    (scene.folder / "go").touch()
    os.kill(first.pid, signal.SIGCONT)
    assert first.result() == "LeaseLost"
    require_exact(scene, 1)


def _stop_between_writes(worker: Worker, location: str) -> None:
    """The worker is stopped. One that is stopped while it writes would keep the file to itself, lease or not."""
    while True:
        worker.stop()
        try:
            telic.connect(location, timeout_seconds=2).close()
        except telic.errors.StoreBusy:
            os.kill(worker.pid, signal.SIGCONT)
            time.sleep(0.05)
        else:
            return


def _run_a_command(workspace: Path) -> None:
    code = "import os, time; open('child', 'w').write(str(os.getpid())); time.sleep(600)"
    asyncio.run(run_process([sys.executable, "-c", code], cwd=workspace, timeout_seconds=600, grace_seconds=0.2))


def test_a_killed_workers_command_is_ended(tmp_path: Path, crew: Crew) -> None:
    """It does not work on beside the worker that takes over."""
    worker = crew.start(_run_a_command, tmp_path)
    child = tmp_path / "child"
    wait_until(lambda: child.exists() and bool(child.read_text()))
    worker.kill()
    wait_until(lambda: not is_running(child))


def wait_until(condition: Callable[[], bool], timeout_seconds: float = 240) -> None:
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
