"""Hosts' own screens, driven by keys, with Telic's hooks."""

import re

from tests.hosts.claude_code import CLAUDE_CODE, MODE
from tests.hosts.codex import CODEX, FREE
from tests.hosts.host import Host, named
from tests.hosts.play import REPAIR, SUMMARY, Play, claims, is_about_a_summary, runs, says_that
from tests.hosts.terminal import Terminal
from tests.hosts.world import World
from tests.support.wire_formats import Reply
from tests.support.wire_server import Asked

SESSION = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def is_chat(asked: Asked) -> bool:
    return "JUST-CHAT" in asked.newest


class Conversation:
    """What is answered depends on what was typed, as in a conversation."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.scripted = [runs("echo looked >> notes.txt"), says_that("I go on next."), claims("All is done.")]
        self.repaired = [runs(REPAIR), claims("Repaired now.")]
        self.paused = False

    def __call__(self, asked: Asked) -> Reply:
        if is_about_a_summary(asked):
            return SUMMARY(asked)
        if is_chat(asked):
            return says_that("A chat's answer.")(asked)
        if "PLEASE-FINISH" in asked.text:
            return (self.repaired.pop(0) if self.repaired else says_that("Nothing is left."))(asked)
        if self.scripted:
            return self.scripted.pop(0)(asked)
        return self._pause(asked)

    def _pause(self, asked: Asked) -> Reply:
        """Somebody pauses the goal from another terminal while the model answers."""

        def pause() -> None:
            if not self.paused:
                self.paused = True
                self.world.telic("pause", self.world.goal().id, "--note", "lunch")

        return Reply(text="The fourth answer.", before=pause)


@named(CLAUDE_CODE)
def test_a_whole_conversation_on_the_screen(world: World, host: Host) -> None:
    """It is kept going, stops when the goal is paused elsewhere, is compacted, and ends verified."""
    world.follow(Play(main=(), unless=Conversation(world)))
    CLAUDE_CODE.prepare(world)
    CLAUDE_CODE.answer_first_questions(world)
    CLAUDE_CODE.install_hooks(world, "--scope", "folder")
    world.create(world.folder_scope)
    with Terminal(world, "claude", *MODE) as terminal:
        terminal.wait_for("bypass permissions")
        terminal.enter("Please go.")
        terminal.wait_for("is paused")
        # What keeps the session going is shown as a message in one line, and not as an error.
        assert terminal.has_shown("Stop says: Telic: criterion 1 failed")
        assert terminal.has_shown("going on, 2 of 7")
        assert not terminal.has_shown("hook error")
        told = world.told()
        terminal.enter("JUST-CHAT while it is paused")
        terminal.wait_for("A chat's answer.")
        world.require_billed(told)
        world.telic("resume", world.goal().id)
        terminal.enter("/compact")
        terminal.wait_for("Compacted", "compacted")
        terminal.enter("PLEASE-FINISH")
        terminal.wait_for("verified")
        terminal.enter("/exit")
        terminal.end()
    world.require_verified()
    # A chat while the goal is paused is not its own, and a summary is in no transcript.
    world.require_billed(world.told(where=lambda each: not is_chat(each.asked) and not is_about_a_summary(each.asked)))
    assert not terminal.has_shown("hook error")


@named(CODEX)
def test_a_conversation_on_the_screen_with_a_background_server(world: World, host: Host) -> None:
    """Its hooks are trusted by a key; its server in the background finds the store; it is resumed and ends verified."""
    world.follow(Play(main=(), unless=Conversation(world)))
    CODEX.prepare(world)
    CODEX.install_hooks(world, "--scope", "folder")
    world.create(world.folder_scope)
    options = (*FREE, "--ask-for-approval", "never")
    with Terminal(world, "codex", *options) as terminal:
        terminal.wait_for("Trust all and continue")
        terminal.choose("2")
        terminal.enter("Please go.")
        terminal.wait_for("is paused")
        world.require_billed()
        terminal.enter("/quit")
        terminal.end()
    world.telic("resume", world.goal().id)
    with Terminal(world, "codex", "resume", "--last", *options) as terminal:
        terminal.wait_for("The fourth answer.")
        terminal.enter("PLEASE-FINISH")
        terminal.wait_for("verified")
        terminal.enter("/quit")
        terminal.end()
    world.require_verified()
    world.require_billed()
