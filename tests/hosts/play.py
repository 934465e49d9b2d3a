"""What the model says in a test: one play for every host, whatever its tools are called."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from tests.support.wire_formats import Reply, Spent, messages_of, says, text_of
from tests.support.wire_server import Asked

SUB_TASK = "SUB-TASK"
"""Only the prompt of a sub-agent begins with it."""
DELEGATING = "I delegate this."
MARK = "MARK-OF-THE-FIRST-TURN"
"""Only a conversation that goes on with the first turn's holds it."""
REPAIR = "sed -i 's/a - b/a + b/' calc.py"
SHELLS: dict[str, Callable[[str], dict[str, Any]]] = {
    "Bash": lambda command: {"command": command, "description": "run it"},
    "exec_command": lambda command: {"cmd": command},
    "shell_command": lambda command: {"command": command},
    "run_shell_command": lambda command: {"command": command, "description": "run it"},
    "bash": lambda command: {"command": command, "description": "run it", "initial_wait": 20},
}
"""The tools that run a command: Claude Code's, two of Codex's, Gemini's and Qwen's, and Copilot's and opencode's."""


class Voice(StrEnum):
    """Who asks: the agent, one of its sub-agents, or the host for itself (a title, a summary)."""

    MAIN = "main"
    SUB = "sub"
    HOST = "host"


def voice_of(asked: Asked) -> Voice:
    # Qwen Code takes notes of a conversation by an agent of its own.
    if not asked.tools or "## Existing memory files" in asked.newest:
        return Voice.HOST
    told = text_of([each for each in messages_of(asked.body) if each.get("role") == "user"])
    return Voice.SUB if SUB_TASK in told and DELEGATING not in asked.text else Voice.MAIN


Step = Callable[[Asked], Reply]


def says_that(text: str) -> Step:
    return lambda asked: says(text)


def claims(text: str = "It is done.") -> Step:
    return says_that(f"{text}\n\nTELIC: complete")


def runs(command: str, text: str = "I work on it.") -> Step:
    """It runs the command by the host's own tool for that."""

    def step(asked: Asked) -> Reply:
        tool = next(name for name in SHELLS if name in asked.tools)
        return Reply(text=text, calls=((tool, SHELLS[tool](command)),))

    return step


def uses(ending: str, **arguments: Any) -> Step:
    """It calls the tool whose name, as the host gives it, ends so."""

    def step(asked: Asked) -> Reply:
        tool = next((name for name in asked.tools if name.endswith(ending)), f"missing-{ending}")
        return Reply(text=f"I call {ending}.", calls=((tool, arguments),))

    return step


def refuses(status: int, message: str = "refused", error: dict[str, Any] | None = None, **headers: str) -> Step:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda asked: Reply(status=status, message=message, error=error, headers=named)


def is_cut(text: str = "Half a sentence that") -> Step:
    return lambda asked: Reply(text=text, cut_after=3)


def numbered_spent(number: int) -> Spent:
    """Return what the response of that number consumed: no two consume the same."""
    cached, written, reasoning = 300 + 3 * number, 50 + number, number % 5
    return Spent(1_000 + 7 * number + cached + written, cached, 40 + number + reasoning, reasoning, written)


SUMMARY = says_that("<analysis>Some turns.</analysis><summary>We worked on the goal.</summary>")


def is_about_a_summary(asked: Asked) -> bool:
    """Whether the host sums its conversation up."""
    return any(words in asked.newest for words in ("detailed summary", "TEXT ONLY"))


@dataclass(frozen=True)
class Told:
    """One response: who asked, and what the host could know that it consumed."""

    voice: Voice
    asked: Asked
    reply: Reply

    @property
    def spent(self) -> Spent | None:
        """Anthropic's streams tell the input, and one token of output, at their start."""
        if self.reply.cut_after and self.asked.path.partition("?")[0].endswith("/v1/messages") and self.reply.spent:
            return replace(self.reply.spent, output=1, reasoning=0)
        return self.reply.told


@dataclass
class Play:
    """What is answered to whom, in order; after the last step of a voice, `then` for ever.

    `unless` comes first: what it answers takes no step.
    """

    main: Sequence[Step]
    sub: Sequence[Step] = ()
    then: Step = field(default_factory=lambda: says_that("There is nothing more to say."))
    unless: Callable[[Asked], Reply | None] = lambda asked: None
    spent: Callable[[int], Spent] = numbered_spent
    told: list[Told] = field(default_factory=list)
    taken: dict[Voice, int] = field(default_factory=lambda: dict.fromkeys(Voice, 0))

    def __call__(self, asked: Asked) -> Reply:
        voice = voice_of(asked)
        reply = self._reply(voice, asked)
        reply = replace(reply, spent=self.spent(len(self.told) + 1), model=asked.model)
        self.told.append(Told(voice, asked, reply))
        return reply

    def _reply(self, voice: Voice, asked: Asked) -> Reply:
        if voice is Voice.HOST:
            return says(json.dumps({"title": "A title"}))
        refused = self.unless(asked)
        if refused is not None:
            return refused
        steps, number = (self.main if voice is Voice.MAIN else self.sub), self.taken[voice]
        self.taken[voice] += 1
        return (steps[number] if number < len(steps) else self.then)(asked)

    def count(self, voice: Voice = Voice.MAIN) -> int:
        """Return how many requests of the voice have come."""
        return sum(each.voice is voice for each in self.told)


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


def never_done(most: int = 60) -> Play:
    """Each turn works with a tool and goes on; beyond the most requests the server refuses, so that no test runs on."""
    turns = [step for number in range(most) for step in (runs(f"echo {number} >> notes.txt"), says_that("I go on."))]
    return Play(main=turns[:most], then=refuses(400, "the play is over"))


def after_a_turn(*steps: Step, unless: Callable[[Asked], Reply | None] = lambda asked: None) -> Play:
    """A first turn; then these steps; then it repairs, and claims."""
    work = [runs("echo 1 >> notes.txt"), says_that(f"I go on. {MARK}")]
    return Play(main=[*work, *steps, runs(REPAIR), claims()], unless=unless)
