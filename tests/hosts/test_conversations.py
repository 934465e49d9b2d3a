"""Conversations of real coding hosts that cannot be gone on with as they are."""

import shutil

from tests.hosts.claude_code import CLAUDE_CODE
from tests.hosts.codex import CODEX
from tests.hosts.host import Host, named, run
from tests.hosts.play import MARK, SUMMARY, Play, Step, Voice, after_a_turn, is_about_a_summary, refuses, says_that
from tests.hosts.world import World
from tests.support.wire_formats import Reply, messages_of, text_of
from tests.support.wire_server import Asked

TOO_LONG: dict[Host, Step] = {
    CLAUDE_CODE: refuses(400, "prompt is too long: 210000 tokens > 200000 maximum"),
    CODEX: refuses(
        400,
        error={
            "error": {
                "message": "Your input exceeds the context window of this model.",
                "type": "invalid_request_error",
                "code": "context_length_exceeded",
                "param": "input",
            }
        },
    ),
}


@named(CLAUDE_CODE, CODEX, fast=[CODEX])
def test_a_full_conversation_is_followed_by_a_new_one(world: World, host: Host) -> None:
    """The model takes no more of it, and no summary can be made: the loop begins anew, and pays for all."""

    def too_long(asked: Asked) -> Reply | None:
        # A new conversation may quote the former one, as the user.
        said = [each for each in messages_of(asked.body) if each.get("role") == "assistant"]
        return TOO_LONG[host](asked) if MARK in text_of(said) or is_about_a_summary(asked) else None

    world.follow(after_a_turn(unless=too_long))
    run(world, host)
    world.require_verified()
    world.require_billed()


@named(CLAUDE_CODE)
def test_a_hosts_own_compaction_is_billed(world: World, host: Host) -> None:
    """The host sums its conversation up when it is too long, and goes on in it."""

    world.follow(
        after_a_turn(TOO_LONG[host], unless=lambda asked: SUMMARY(asked) if is_about_a_summary(asked) else None)
    )
    run(world, host)
    assert any(is_about_a_summary(each.asked) for each in world.play.told), world.story()
    world.require_verified()
    world.require_billed(world.told(*Voice))


@named(CLAUDE_CODE, CODEX, fast=[CODEX])
def test_a_conversation_that_is_gone_is_followed_by_a_new_one(world: World, host: Host) -> None:
    """It was cleaned up, or is on another machine."""
    first, _, *rest = after_a_turn().main
    world.follow(Play(main=[first, says_that("I wait.\n\nTELIC: wait for deployed"), *rest]))
    run(world, host, "--no-wait", expect=24)
    for place in (".claude/projects", ".codex/sessions"):
        shutil.rmtree(world.home / place, ignore_errors=True)
    for path in (world.home / ".codex").glob("*.sqlite*"):
        path.unlink()
    world.telic("wake", "--signal", "deployed")
    run(world, host)
    world.require_verified()
    world.require_billed()
