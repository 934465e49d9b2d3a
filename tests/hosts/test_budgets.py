"""Budgets of goals that real coding hosts work on."""

import pytest

from tests.hosts.claude_code import CLAUDE_CODE
from tests.hosts.codex import CODEX
from tests.hosts.host import Host, named
from tests.hosts.play import Play, never_done, runs
from tests.hosts.world import CHECK, TEXT, Ended, World
from tests.support.wire_formats import Reply


def run_with(world: World, host: Host, budget: str, *, expect: int) -> Ended:
    words = ("run", TEXT, "--check", CHECK, "--agent", host.agent, "--turns", "40", "--budget", budget)
    # A turn that nothing cuts off fails the test then.
    words += ("--turn-timeout", "5m")
    return world.telic(*words, expect=expect)


@named(CLAUDE_CODE, CODEX, fast=[CODEX])
def test_a_budget_ends_the_run_between_turns(world: World, host: Host) -> None:
    """It winds down and stops; the same command says why it does not go on, and how it could."""
    world.follow(never_done())
    host.prepare(world)
    run_with(world, host, "6k", expect=22)
    assert world.goal().reason == "budget"
    world.require_billed()
    again = run_with(world, host, "6k", expect=5)
    assert "--budget" in again.errors
    world.require_billed()


@pytest.mark.fast
@named(CLAUDE_CODE, CODEX)
def test_a_budget_holds_within_a_turn(world: World, host: Host) -> None:
    """A turn that would never end by itself is cut off when what it used reaches the budget, and that is billed."""
    work = [runs(f"echo {number} >> notes.txt") for number in range(5)]
    world.follow(Play(main=work, then=lambda asked: Reply(hangs=True)))
    host.prepare(world)
    run_with(world, host, "6k", expect=22)
    assert world.goal().reason == "budget"
    world.require_billed()
