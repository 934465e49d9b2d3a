"""What the model of a session is told of its goal, and when it need not be told again."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from telic.domain.goal import Goal
from telic.integrations.hosts.payload import Host, Moment, Notice
from telic.integrations.hosts.session_state import Memory
from telic.integrations.hosts.stop import Turn
from telic.loop.agents.claims import claim_instructions
from telic.loop.agents.json_reader import Fields
from telic.loop.prompts import short_prompt, turn_prompt
from telic.prompt import place_after_prefix, render

_COMPACTIONS: Final = frozenset({"PreCompact", "PreCompress"})


@dataclass(frozen=True, slots=True)
class Telling:
    """Tells the goal to one session's model; `secret` gives the store's."""

    host: Host
    memory: Memory
    secret: Callable[[], bytes]

    def whole(self, goal: Goal | None) -> str:
        """Return the goal's block, after how to claim completion; nothing where there is no goal."""
        return "" if goal is None else place_after_prefix(claim_instructions(), self._block(goal))

    def at_start(self, notice: Notice, goal: Goal, *, anew: bool) -> Fields | None:
        """Return the answer that tells the goal: at the session's start, and with a prompt unless just before."""
        memory, name = self.memory, _name(goal)
        is_known = memory.is_unanswered and memory.told == name and notice.moment is Moment.PROMPT and not anew
        if is_known:
            return None
        answer = self.host.context(notice, self.whole(goal))
        if answer is not None:
            memory.told, memory.is_unanswered = name, True
        return answer

    def going_on(self, turn: Turn) -> str:
        """Return what begins another turn: all, or in a conversation that knows the goal a few lines."""
        goal, memory, name = turn.goal, self.memory, _name(turn.goal)
        is_known = memory.told == name
        memory.told, memory.is_unanswered = name, False
        if not is_known:
            return turn_prompt(goal, turn.state, turn.step, turn.found, secret=self.secret())
        short = short_prompt(goal, turn.step, turn.found)
        # Where a compaction goes unsaid, the conversation may have forgotten the goal.
        return short if self.host.tells_compaction else f"{short}\n\n{self._block(goal)}"

    def forget_if_compacted(self, notice: Notice) -> None:
        """A compacted conversation is told its goal again."""
        if notice.event in _COMPACTIONS:
            self.memory.told = None

    def _block(self, goal: Goal) -> str:
        return render(goal, secret=self.secret())


def _name(goal: Goal) -> str:
    return f"{goal.id}/{goal.revision}"
