"""Commands as agents in the loop, behaving badly: each costs a turn, none costs the loop."""

import asyncio
import sys
from dataclasses import replace
from typing import Any

import pytest

import telic
from telic import Budget, Reason
from telic.domain.clock import Instant
from telic.domain.errors import AgentExited
from telic.domain.loop_state import LoopState
from telic.loop.agents.command import CommandAgent
from telic.loop.agents.json_lines import JSON_LINES
from telic.loop.run_context import LoopEventKind, LoopRecords
from telic.loop.state_transitions import after_failure
from tests.loop_driver.world import DONE_IS_THERE, World, eventually, policy
from tests.verification.asking import is_running

USAGE = '{"type": "usage", "input_tokens": 10}'


def saying(*lines: str, then: str = "pass") -> CommandAgent:
    code = f"import sys, time, os; sys.stdin.read(); print({chr(10).join(lines)!r}, flush=True); {then}"
    return CommandAgent(argv=(sys.executable, "-S", "-c", code), output_format=JSON_LINES, grace_seconds=0.2)


def silent() -> CommandAgent:
    return CommandAgent(argv=("true",), output_format=JSON_LINES)


BAD: dict[str, tuple[CommandAgent, str, int]] = {
    "broken JSON": (saying("{not json", USAGE), "broken", 0),
    "exits non-zero": (saying(USAGE, then="sys.exit(3)"), "exit code 3", 10),
    "prints nothing": (silent(), "printed nothing", 0),
    "negative usage": (saying('{"type": "usage", "input_tokens": -5}'), "broken", 0),
    "says it failed": (saying(USAGE, '{"type": "error", "message": "no <model>"}'), "no <model>", 10),
    "a session no store keeps": (saying('{"type": "session", "session": "' + "s" * 1_001 + '"}'), "broken", 0),
    "hangs": (saying(USAGE, then="time.sleep(60)"), "took longer", 10),
}


@pytest.mark.parametrize("how", BAD)
async def test_a_bad_turn_is_counted_and_bounded(world: World, how: str) -> None:
    """With the usage that is known; of broken output nothing is believed, and what was held is an estimate at once."""
    agent, message, tokens = BAD[how]
    goal = await world.store.create("bad", token_budget=1_000)
    limits = policy(max_failures=1 if how == "hangs" else 2)
    timeout = 1.0 if how == "hangs" else 60.0
    ended = await world.run(goal, agent, limits, held_tokens=100, turn_timeout_seconds=timeout)
    assert (ended.reason, ended.turns_used) == (Reason.FAILED, limits.max_failures)
    assert ended.tokens_used == (tokens or 100) * limits.max_failures
    assert message in (ended.note or "")
    estimates = [turn.usage.tokens for turn in await world.store.turns(goal.id) if turn.is_estimate]
    assert estimates == ([] if tokens and how != "hangs" else [tokens or 100] * limits.max_failures)
    assert [hold.state.value for hold in await world.store.holds(goal.id) if hold.reserves] == []


async def test_a_good_command_reaches_the_goal(world: World) -> None:
    """It finds its prompt, its turn and its session; its claim is checked."""
    code = (
        "import os, sys; open('prompt', 'a').write(sys.stdin.read()); n = os.environ['TELIC_TURN_NUMBER'];"
        "open('done', 'w') if n == '2' else None; s = os.environ['TELIC_SESSION'];"
        """print('{"type": "session", "session": "conversation %s"}' % (s or n));"""
        """print('{"type": "claim", "claim": "complete"}'); print('{"type": "usage", "output_tokens": 5}')"""
    )
    agent = CommandAgent(argv=(sys.executable, "-S", "-c", code), output_format=JSON_LINES)
    goal = await world.store.create("good", criteria=[DONE_IS_THERE], budget=Budget(tokens=1_000))
    ended = await world.run(goal, agent)
    assert (ended.reason, ended.turns_used, ended.tokens_used) == (Reason.VERIFIED, 2, 10)
    assert (await world.state(goal.id)).session == "conversation conversation 1"
    assert "good" in (world.workspace / "prompt").read_text()


@pytest.mark.parametrize("change", ["pause", "clear"])
async def test_a_stop_kills_the_running_command(world: World, change: str) -> None:
    """With everything that it started; the goal stays as the user left it."""
    agent = saying(USAGE, then="open('child', 'w').write(str(os.getpid())); time.sleep(60)")
    goal = await world.store.create("stop")
    running = asyncio.create_task(world.run(goal, agent))
    child = world.workspace / "child"
    await eventually(lambda: child.exists() and bool(child.read_text()))
    assert is_running(child)
    store: Any = world.store
    await getattr(store, change)(goal.id)
    ended = await asyncio.wait_for(running, 240)
    assert not is_running(child)
    assert (ended.status, ended.turns_used) == ((await store.get(goal.id)).status, 1)
    (turn,) = await store.turns(goal.id)
    assert turn.usage.tokens == 10, "what the killed command had told"


async def test_one_failure_does_not_lose_the_count_of_others(world: World, location: str) -> None:
    """Failures in a row are counted across workers: each loop does one turn and is gone."""
    goal = await world.store.create("fail")
    agent = saying(USAGE, then="sys.exit(3)")
    for failures in (1, 2):
        running = asyncio.create_task(
            world.run(goal, agent, policy(max_failures=3, backoff_seconds=3_000, max_backoff_seconds=3_000))
        )
        await eventually(lambda: len(world.heard(LoopEventKind.SLEEPING)) == failures)  # noqa: B023
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        async with telic.connect_async(location) as other:
            state = await World(other, world.workspace, world.clock).state(goal.id)
        assert state.failures == failures
        await _forget_the_pause(world, goal)
    ended = await world.run(goal, agent, policy(max_failures=3))
    assert (ended.reason, ended.turns_used) == (Reason.FAILED, 3)


async def _forget_the_pause(world: World, goal: telic.Goal) -> None:
    """The time that a backoff takes has passed."""
    lease = await world.store.claim(goal.id, worker="worker")
    await LoopRecords(world.store, goal.id).save(lease, replace(await world.state(goal.id), next_at=0))
    await world.store.release_lease(lease)


def test_failures_keep_a_session_only_where_a_store_does() -> None:
    """An agent that fails with an endless session begins a new conversation."""
    for session, kept in (("s" * 1_000, "s" * 1_000), ("s" * 1_001, None), ("a\0b", None), (None, None)):
        state = after_failure(LoopState(), AgentExited("x", session=session), policy(), Instant(1))
        assert state.session == kept
