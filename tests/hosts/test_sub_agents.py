"""Sub-agents of real coding hosts: what they use is billed, as theirs."""

import re
from dataclasses import replace

import pytest

from telic import UsageKind
from tests.hosts.claude_code import CLAUDE_CODE
from tests.hosts.codex import CODEX
from tests.hosts.host import Host, named, run, session
from tests.hosts.play import DELEGATING, MARK, REPAIR, SUB_TASK, Play, Step, Voice, claims, runs, says_that
from tests.hosts.world import World
from tests.support.wire_formats import Reply, Spent
from tests.support.wire_server import Asked

ASKED = f"{SUB_TASK}: repair calc.py"
AGENT_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")
WORKFLOW = f"""export const meta = {{name: "repair", description: "repairs", phases: [{{title: "Repair"}}]}}
phase("Repair")
return await agent("{ASKED}", {{label: "repair"}})
"""
"""A script of Claude Code's workflows, which start agents that no tool call names."""


def delegates(asked: Asked) -> Reply:
    """It starts one sub-agent."""
    if "Agent" in asked.tools:
        arguments = {"description": "fix", "prompt": ASKED, "subagent_type": "general-purpose"}
        return Reply(text=DELEGATING, calls=(("Agent", arguments | {"run_in_background": False}),))
    tool = next(name for name in asked.tools if name.endswith("spawn_agent"))
    return Reply(text=DELEGATING, calls=((tool, {"message": ASKED}),))


def waits_for_it(asked: Asked) -> Reply:
    """It waits for the sub-agent that Codex has just named; Claude Code has waited by itself."""
    tool = next(name for name in asked.tools if name.endswith("wait_agent"))
    agents = AGENT_ID.findall(asked.newest)
    return Reply(text="I wait.", calls=((tool, {"targets": agents[-1:], "timeout_ms": 30_000}),))


SUB_AGENT = (runs(REPAIR), says_that("It is repaired."))


def delegation(host: Host, *before: Step) -> Play:
    waiting = [waits_for_it] if host is CODEX else []
    return Play(main=[*before, delegates, *waiting, claims("Delegated and done.")], sub=SUB_AGENT)


def require_sub_agents(world: World) -> None:
    """The sub-agents have worked, and all is billed."""
    assert world.play.count(Voice.SUB) >= len(SUB_AGENT), world.play.told
    world.require_verified()
    world.require_billed()


@pytest.mark.fast
@named(CLAUDE_CODE, CODEX)
def test_a_runs_sub_agents_are_billed(world: World, host: Host) -> None:
    """The first turn delegates the work."""
    world.follow(delegation(host))
    run(world, host)
    require_sub_agents(world)


@named(CLAUDE_CODE, CODEX)
def test_sub_agents_of_a_later_turn_are_billed(world: World, host: Host) -> None:
    """They use as much as the whole turn before, so that no sum tells whether it holds that turn."""
    play = delegation(host, runs("echo 1 >> notes.txt"), says_that(f"I go on. {MARK}"))
    play.spent = lambda number: Spent(38_000 + number, 300, 200, 0)
    world.follow(play)
    run(world, host)
    require_sub_agents(world)


@named(CLAUDE_CODE)
def test_agents_of_a_workflow_are_billed(world: World, host: Host) -> None:
    """Claude Code's workflows keep their agents' transcripts in another place."""

    def starts_a_workflow(asked: Asked) -> Reply:
        return Reply(text=DELEGATING, calls=(("Workflow", {"script": WORKFLOW}),))

    world.follow(Play(main=[starts_a_workflow, says_that("It works."), claims(), claims()], sub=SUB_AGENT))
    run(world, CLAUDE_CODE)
    require_sub_agents(world)


@named(CLAUDE_CODE, CODEX)
def test_a_sessions_sub_agents_are_billed_as_such(world: World, host: Host) -> None:
    """The installed hooks see them."""
    world.follow(delegation(host))
    ended = session(world, host)
    assert ended.code == 0, ended
    require_sub_agents(world)
    kinds = [turn.kind for turn in world.turns()]
    assert kinds.count(UsageKind.SUB_AGENT) == world.play.count(Voice.SUB)


@named(CODEX)
def test_a_sub_agent_that_is_killed_is_billed_as_far_as_it_came(world: World, host: Host) -> None:
    """Its session ends while it still works, so no hook tells of its end."""

    def ends_before_it(asked: Asked) -> Reply:
        """The sub-agent has repaired the code, and is in the middle of its second answer."""
        return replace(
            claims("Done.")(asked), before=lambda: world.wait_for(is_at_work, "the sub-agent's second request")
        )

    def is_at_work() -> bool:
        return world.play.count(Voice.SUB) >= len(SUB_AGENT)

    world.follow(Play(main=[delegates, ends_before_it], sub=[SUB_AGENT[0], lambda asked: Reply(hangs=True)]))
    session(world, host)
    world.require_verified()
    world.require_billed()
    assert [turn.kind for turn in world.turns()].count(UsageKind.SUB_AGENT) == 1
