"""`telic run` with real coding hosts: turn after turn, and what they were paid for it."""

import pytest

from tests.hosts.claude_code import CLAUDE_CODE
from tests.hosts.codex import CODEX
from tests.hosts.copilot_cli import COPILOT_CLI
from tests.hosts.gemini_cli import GEMINI_CLI
from tests.hosts.host import Host, named, run
from tests.hosts.opencode import OPENCODE
from tests.hosts.play import REPAIR, Play, Voice, claims, runs, says_that, three_turns, uses
from tests.hosts.qwen_code import QWEN_CODE
from tests.hosts.terminal import Terminal
from tests.hosts.world import CHECK, TEXT, World
from tests.support.wire_formats import Reply

METERED = (CLAUDE_CODE, CODEX)
OTHERS = (GEMINI_CLI, COPILOT_CLI, OPENCODE, QWEN_CODE)


@pytest.mark.fast
@named(*METERED)
def test_turn_after_turn_is_billed_exactly(world: World, host: Host) -> None:
    """Three turns of one conversation: a false claim is refused, a true one is verified."""
    world.follow(three_turns())
    run(world, host)
    world.require_verified()
    world.require_billed()
    assert len(world.turns()) == 3


@named(*OTHERS, fast=OTHERS)
def test_a_single_turn_of_other_hosts_is_billed_exactly(world: World, host: Host) -> None:
    """It repairs, and claims."""
    world.follow(Play(main=[runs(REPAIR), claims()]))
    run(world, host, "--allow-unknown-usage")
    world.require_verified()
    world.require_billed(world.told(*Voice) if host is QWEN_CODE else None)


@named(*OTHERS)
def test_turn_after_turn_of_other_hosts_is_billed_exactly(world: World, host: Host) -> None:
    """They too are verified and billed; Qwen Code also tells what its own notes used."""
    world.follow(three_turns())
    run(world, host, "--allow-unknown-usage")
    world.require_verified()
    world.require_billed(world.told(*Voice) if host is QWEN_CODE else None)


@pytest.mark.fast
@pytest.mark.parametrize(
    ("host", "agent"),
    [(CLAUDE_CODE, "claude --permission-mode acceptEdits"), (CODEX, "codex --sandbox workspace-write")],
    ids=["claude", "codex"],
)
def test_the_first_commands_of_the_readme_work(world: World, host: Host, agent: str) -> None:
    """The agent edits with its own tools, in the permissions that the README gives it."""
    edit = uses("Edit", file_path=str(world.repository / "calc.py"), old_string="a - b", new_string="a + b")
    read = uses("Read", file_path=str(world.repository / "calc.py"))
    edits = [read, edit] if host is CLAUDE_CODE else [runs(REPAIR)]
    world.follow(Play(main=[*edits, claims()]))
    run(world, host, agent=agent)
    world.require_verified()
    world.require_billed()


@named(*METERED, fast=[CODEX])
def test_an_interrupted_run_goes_on_where_it_was_left(world: World, host: Host) -> None:
    """Ctrl-C in the middle of a turn pauses the goal; the same command ends it, and all that was used is billed."""
    work = [
        runs("echo 1 >> notes.txt"),
        says_that("I go on."),
        runs("echo 2 >> notes.txt"),
        lambda _: Reply(hangs=True),
    ]
    world.follow(Play(main=[*work, runs(REPAIR), claims()]))
    host.prepare(world)
    command = ("telic", "run", TEXT, "--check", CHECK, "--agent", host.agent, "--budget", "2M")
    with Terminal(world, *command) as terminal:
        world.wait_for(lambda: world.play.count() >= 4, "the fourth request")
        terminal.press("\x03")
        assert terminal.end() == 130
    assert world.goal().reason == "user"
    run(world, host)
    world.require_verified()
    world.require_billed()


@named(*METERED)
def test_hooks_in_a_folder_and_a_run_there_bill_once(world: World, host: Host) -> None:
    """The hooks of the folder's scope leave the goal to the loop that drives it."""
    world.follow(three_turns())
    host.prepare(world)
    host.install_hooks(world, "--scope", "folder")
    # The hooks of Codex run only where they are trusted.
    agent = host.agent + (" --dangerously-bypass-hook-trust" if host is CODEX else "")
    run(world, host, "--scope", world.folder_scope, agent=agent)
    world.require_verified()
    world.require_billed()
    assert len(world.turns()) == 3
