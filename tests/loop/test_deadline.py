"""A command that a worker started ends at its deadline, before the lease does, also where the worker stands still."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import telic
from telic.loop.agents.process import run_process
from telic.loop.agents.process_group import Deadline, group_lives, present_deadline, watchdog
from telic.loop.heartbeat import Heartbeat
from telic.testing import SyncToAsyncStore, temporary_store

SLEEPS = (sys.executable, "-S", "-c", "import time; time.sleep(600)")


def wait_until_gone(process: "subprocess.Popen[bytes]") -> int:
    return process.wait(timeout=60)


def test_a_command_ends_at_its_deadline_whatever_its_runner_does() -> None:
    """Its watchdog needs nothing of the runner, which does nothing here."""
    process = subprocess.Popen(SLEEPS, start_new_session=True)
    with watchdog(process.pid, 5.0, Deadline(time.monotonic() + 0.2)):
        assert wait_until_gone(process) == -signal.SIGKILL


def test_a_deadline_that_moves_lets_the_command_live() -> None:
    """Until it does not move any more."""
    process = subprocess.Popen(SLEEPS, start_new_session=True)
    deadline = Deadline(time.monotonic() + 5)
    with watchdog(process.pid, 5.0, deadline):
        deadline.move(time.monotonic() + 600)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=7)
        deadline.move(time.monotonic())
        assert wait_until_gone(process) == -signal.SIGKILL


async def test_nothing_is_started_after_the_deadline(tmp_path: Path) -> None:
    """A worker that comes back finds that its time is over."""
    Deadline(time.monotonic()).apply()
    with pytest.raises(telic.LeaseLost):
        await run_process(["touch", "made"], cwd=tmp_path, timeout_seconds=60)
    assert list(tmp_path.iterdir()) == []


async def test_a_command_that_was_killed_at_its_deadline_is_a_lost_lease(tmp_path: Path) -> None:
    """Not a failure of the command."""
    Deadline(time.monotonic() + 0.5).apply()
    with pytest.raises(telic.LeaseLost):
        await run_process(SLEEPS, cwd=tmp_path, timeout_seconds=600)


async def test_a_heartbeat_moves_the_deadline_of_its_work() -> None:
    """It lies before the end of the lease, and after the moment at which the worker itself gives up."""
    with temporary_store() as blocking:
        goal = blocking.create("beat")
        lease = blocking.claim(goal.id, worker="worker", ttl_seconds=100)
        heart = Heartbeat(SyncToAsyncStore(blocking), lease, interval_seconds=1, ttl_seconds=100)  # type: ignore[arg-type]
        heart.keep(lease, 1_000.0)

        async def work() -> float:
            return present_deadline().at

        assert await heart.guard(work(), goal) == 1_099.0
        assert heart._gives_up_at == 1_092.0
        assert present_deadline().at == float("inf")


WORKER = """
import asyncio, sys, telic
from pathlib import Path
from telic.loop.agents import CommandAgent
from telic.loop.goal_loop import GoalLoop
from telic.loop.run_context import LoopSettings

async def main():
    async with telic.connect_async(sys.argv[1]) as store:
        settings = LoopSettings(workspace=Path(sys.argv[2]), worker="frozen", lease_seconds=5, heartbeat_seconds=0.5)
        said = "import os, time; open('agent', 'w').write(str(os.getpid())); time.sleep(600)"
        agent = CommandAgent(argv=(sys.executable, "-S", "-c", said))
        await GoalLoop(store=store, agent=agent, settings=settings).run(sys.argv[3])

asyncio.run(main())
"""


def until(condition: Callable[[], bool]) -> None:
    """Return once the condition holds; fail where it does not come to hold."""
    for _ in range(1_200):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come to that")


def test_the_agent_of_a_frozen_worker_ends(tmp_path: Path) -> None:
    """While its worker is still stopped; and what comes back writes nothing."""
    location, workspace = str(tmp_path / "goals.db"), tmp_path / "workspace"
    workspace.mkdir()
    told = workspace / "agent"
    with telic.connect(location) as store:
        goal = store.create("freeze")
        worker = subprocess.Popen([sys.executable, "-c", WORKER, location, str(workspace), goal.id])
        try:
            until(lambda: worker.poll() is not None or (told.exists() and bool(told.read_text())))
            agent = int(told.read_text())
            worker.send_signal(signal.SIGSTOP)
            until(lambda: not group_lives(agent))
            until(lambda: store.lease(goal.id).worker is None)
            store.claim(goal.id, worker="successor", ttl_seconds=600)
            worker.send_signal(signal.SIGCONT)
            assert worker.wait(timeout=60) != 0
            assert store.turns(goal.id) == []
            assert store.lease(goal.id).worker == "successor"
        finally:
            worker.kill()
            worker.wait()
