"""`telic run` with real coding hosts."""

import pytest

from tests.hosts.claude_code import CLAUDE_CODE
from tests.hosts.codex import CODEX
from tests.hosts.copilot_cli import COPILOT_CLI
from tests.hosts.gemini_cli import GEMINI_CLI
from tests.hosts.host import Host
from tests.hosts.opencode import OPENCODE
from tests.hosts.play import REPAIR, Play, claims, runs, says_that
from tests.hosts.qwen_code import QWEN_CODE
from tests.hosts.world import CHECK, TEXT, Ended, World


def run(world: World, host: Host, *options: str, expect: int = 0, agent: str | None = None) -> Ended:
    host.prepare(world)
    words = ("run", TEXT, "--check", CHECK, "--agent", agent or host.agent, *host.run_options)
    return world.telic(*words, "--budget", "2M", "--turns", "20", *options, expect=expect)


def three_turns() -> Play:
    """It looks; it claims what is not so; it repairs, and claims again."""
    return Play(
        main=[
            runs("cat calc.py; echo looked >> notes.txt", "I look."),
            says_that("I looked at the code and go on next."),
            claims("All is done."),
            runs(REPAIR, "So I repair it."),
            claims("Repaired now."),
        ]
    )


@pytest.mark.parametrize("host", [CLAUDE_CODE, CODEX], ids=lambda host: host.name)
def test_three_turns_are_billed_exactly_and_verified(world: World, host: Host) -> None:
    """Turn after turn in one conversation: a false claim is refused, a true one verified."""
    world.follow(three_turns())
    run(world, host)
    world.require_verified()
    world.require_billed()


@pytest.mark.parametrize("host", [GEMINI_CLI, COPILOT_CLI, OPENCODE, QWEN_CODE], ids=lambda host: host.name)
def test_plain(world: World, host: Host) -> None:
    world.follow(three_turns())
    ended = run(world, host)
    print(ended, world.told())
    world.require_verified()
