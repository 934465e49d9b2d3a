"""What a session's model is told of its goal, when that need not be repeated, and the file that some hosts show it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from telic.domain.goal import Goal
from telic.integrations.hosts.files import write_whole
from telic.integrations.hosts.payload import HookEvent, HookHost, HookPayload
from telic.integrations.hosts.safeguards import HookLog
from telic.integrations.hosts.session_state import SessionMemory, private_folder
from telic.integrations.hosts.stop import NextTurn
from telic.integrations.hosts.transcripts import home
from telic.loop.agents.json_reader import Fields
from telic.loop.agents.protocol import claim_instructions
from telic.loop.prompts import short_prompt, turn_prompt
from telic.prompt import place_after_prefix, render

_COMPACTIONS: Final = frozenset({"PreCompact", "PreCompress"})


@dataclass(frozen=True, slots=True)
class GoalContext:
    """Tells the goal to one session's model; `secret` gives the store's."""

    host: HookHost
    memory: SessionMemory
    secret: Callable[[], bytes]

    def whole(self, goal: Goal | None) -> str:
        """Return the goal's block, after how to claim completion; nothing where there is no goal."""
        return "" if goal is None else place_after_prefix(claim_instructions(), self._block(goal))

    def at_start(self, payload: HookPayload, goal: Goal, *, anew: bool) -> Fields | None:
        """Return the answer that tells the goal: at the session's start, and with a prompt unless just before."""
        memory, name = self.memory, _name(goal)
        is_known = memory.is_unanswered and memory.told == name and payload.event is HookEvent.PROMPT and not anew
        if is_known:
            return None
        answer = self.host.context(payload, self.whole(goal))
        if answer is not None:
            memory.told, memory.is_unanswered = name, True
        return answer

    def going_on(self, turn: NextTurn) -> str:
        """Return what begins another turn: all, or in a conversation that knows the goal a few lines."""
        goal, memory, name = turn.goal, self.memory, _name(turn.goal)
        is_known = memory.told == name
        memory.told, memory.is_unanswered = name, False
        if not is_known:
            return turn_prompt(goal, turn.state, turn.step, turn.found, secret=self.secret())
        short = short_prompt(goal, turn.step, turn.found)
        # Where a compaction goes unsaid, the conversation may have forgotten the goal.
        return short if self.host.tells_compaction else f"{short}\n\n{self._block(goal)}"

    def forget_if_compacted(self, payload: HookPayload) -> None:
        """A compacted conversation is told its goal again."""
        if payload.event_name in _COMPACTIONS:
            self.memory.told = None

    def _block(self, goal: Goal) -> str:
        return render(goal, secret=self.secret())


def _name(goal: Goal) -> str:
    return f"{goal.id}/{goal.revision}"


_FOLDER: Final = "context"
_MAX_BYTES: Final = 65_536
"""What goose reads of it. A block that was cut would not end."""


def write_context(state: Path, name: str | None, text: str, log: HookLog) -> None:
    """The file holds the text, or nothing; one that is not in Telic's own folder `context` is left alone."""
    if not name or "\0" in name:
        return
    file = home() / name[2:] if name.startswith("~/") else Path(name)
    if file.parent != state / _FOLDER:
        return
    if len(text.encode()) > _MAX_BYTES:
        log.write(f"the goal is too long for {file}, which the host reads {_MAX_BYTES} bytes of")
        text = ""
    if not text and not file.exists():
        return
    try:
        private_folder(file.parent)
        write_whole(file, text)
    except OSError as error:
        log.write(f"{file} cannot be written: {error}")
