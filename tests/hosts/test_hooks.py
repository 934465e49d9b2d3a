"""Telic's hooks in sessions of real coding hosts."""

import json

import pytest

from tests.hosts.claude_code import CLAUDE_CODE, MODE
from tests.hosts.codex import CODEX
from tests.hosts.copilot_cli import COPILOT_CLI
from tests.hosts.gemini_cli import GEMINI_CLI
from tests.hosts.host import PATIENCE, Host, named, session
from tests.hosts.play import Play, never_done, refuses, says_that, three_turns
from tests.hosts.qwen_code import QWEN_CODE
from tests.hosts.world import TEXT, World

HOOKED = (CLAUDE_CODE, CODEX, GEMINI_CLI, COPILOT_CLI)
OTHER_HOOKS = {
    CLAUDE_CODE: (".claude/settings.json", '{\n\t"theme" : "dark",  "permissions":{"allow":["Bash(ls:*)"]} }'),
    CODEX: (
        ".codex/hooks.json",
        '{ "hooks" : { "Stop":[ ] , "PostToolUse": [{"hooks":[{"type":"command","command":"true"}]}]} }',
    ),
}
"""A user's own settings, in a form that no program writes."""


@named(*HOOKED, fast=[CLAUDE_CODE, CODEX])
def test_a_session_is_kept_going_until_its_goal_is_verified(world: World, host: Host) -> None:
    """From one prompt: it goes on, a false claim is refused, a true one is verified, and all of it is billed."""
    world.follow(three_turns())
    ended = session(world, host)
    assert ended.code == 0, ended
    world.require_verified()
    world.require_billed()
    assert TEXT in world.play.told[0].asked.text, "the first request tells no goal"


@named(CLAUDE_CODE, CODEX)
def test_a_users_own_settings_are_as_before_when_hooks_are_removed(world: World, host: Host) -> None:
    """The host has read them with Telic's hooks in between."""
    path, before = OTHER_HOOKS[host]
    world.follow(three_turns())
    place = world.write(path, before)
    session(world, host)
    world.require_verified()
    world.telic("install", "claude-code" if host is CLAUDE_CODE else "codex", "--remove", "--yes")
    assert place.read_text() == before


def speaks(most: int) -> Play:
    """It goes on without any tool."""
    steps = [says_that(f"I go on, this is step {number}.") for number in range(most)]
    return Play(main=steps, then=refuses(400, "the play is over"))


@named(GEMINI_CLI, COPILOT_CLI)
@pytest.mark.parametrize("with_tools", [True, False], ids=["tools", "words"])
def test_a_session_is_kept_going_as_often_as_allowed(world: World, host: Host, with_tools: bool) -> None:
    """Three continuations after the first stop, whatever the turns do."""
    world.follow(never_done() if with_tools else speaks(30))
    session(world, host, "--max-continuations", "3")
    assert world.goal().status == "active"
    assert world.play.count() == (8 if with_tools else 4)
    world.require_billed()


@named(CLAUDE_CODE, CODEX)
def test_a_session_is_kept_going_fewer_times_than_its_host_allows(world: World, host: Host) -> None:
    """Claude Code ends a session after 8 stops that were refused, and Telic lets it go before; Codex has no limit."""
    continuations = 7 if host is CLAUDE_CODE else 20
    world.follow(speaks(40))
    session(world, host)
    assert world.goal().status == "active"
    assert world.play.count() == 1 + continuations
    world.require_billed()


@named(CLAUDE_CODE)
def test_a_resumed_session_is_billed_once_and_a_fork_drives_nothing(world: World, host: Host) -> None:
    """Each way of resuming adds what is new; another session that begins with a copy of this one adds nothing."""
    world.follow(Play(main=(), then=says_that("I go on.")))
    CLAUDE_CODE.prepare(world)
    CLAUDE_CODE.install_hooks(world)
    session = CLAUDE_CODE.new_session(world)
    for options in (("--session-id", session), ("-c",), ("--resume", session)):
        before = world.play.count()
        ended = world.execute("claude", "-p", "Go on.", *MODE, *options)
        assert ended.code == 0, ended
        assert world.play.count() == before + 8
        world.require_billed()
    told = world.told()
    world.execute("claude", "-p", "Go on.", *MODE, "--resume", session, "--fork-session")
    assert world.play.count() == 25
    world.require_billed(told)


@named(CLAUDE_CODE)
def test_a_budget_stops_a_session(world: World, host: Host) -> None:
    """The session ends when the budget is reached, and the goal says why."""
    world.follow(never_done())
    CLAUDE_CODE.prepare(world)
    CLAUDE_CODE.install_hooks(world)
    session = CLAUDE_CODE.new_session(world, "6k")
    ended = world.execute("claude", "-p", "Please go.", *MODE, "--session-id", session)
    assert ended.code == 0, ended
    assert world.goal().reason == "budget"
    world.require_billed()


@named(QWEN_CODE)
def test_another_hosts_hooks_do_no_harm(world: World, host: Host) -> None:
    """Its first stop says that a hook keeps it going already, so Telic stays out; nothing wrong is billed."""
    world.follow(speaks(10))
    QWEN_CODE.prepare(world)
    QWEN_CODE.configure_hooks(world, f"telic hook claude-code --scope folder {' '.join(PATIENCE)}")
    world.create(world.folder_scope)
    ended = world.execute(*QWEN_CODE.ask("Please go."))
    assert ended.code == 0, ended
    assert world.billed().tokens in (0, world.told().tokens)


@named(CLAUDE_CODE)
def test_what_the_user_is_told_of_a_continuation_is_short(world: World, host: Host) -> None:
    """It names the check that failed, on one line, as a message and not as an error."""
    world.follow(three_turns())
    CLAUDE_CODE.prepare(world)
    CLAUDE_CODE.install_hooks(world, "--scope", "folder")
    world.create(world.folder_scope)
    words = ("--output-format", "stream-json", "--verbose", "--include-hook-events")
    ended = world.execute(*CLAUDE_CODE.ask("Please go."), *words)
    assert ended.code == 0, ended
    answers = [
        json.loads(event["stdout"])
        for event in ended.events()
        if event.get("hook_event") == "Stop" and event.get("stdout")
    ]
    assert answers, ended
    messages = [answer["systemMessage"] for answer in answers]
    assert all("\n" not in message and len(message) < 200 for message in messages)
    assert any("test_calc.py" in message for message in messages)
