"""Agents for the coding hosts that are known, with the format of each, and which command is which."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

from telic.loop.agents.claude_code import ClaudeCodeParser
from telic.loop.agents.codex import CodexParser, CodexRollouts
from telic.loop.agents.command import CommandAgent
from telic.loop.agents.copilot import CopilotParser, CopilotStore
from telic.loop.agents.formats import OutputFormat
from telic.loop.agents.gemini import GeminiParser, GeminiRecordings
from telic.loop.agents.opencode import OpencodeDatabase, OpencodeParser
from telic.loop.agents.qwen import QwenParser

CLAUDE_CODE: Final = OutputFormat("claude_code", ClaudeCodeParser, tells_cost=True, tells_cost_at_end=True)
CODEX: Final = OutputFormat("codex", CodexParser, CodexRollouts)
GEMINI: Final = OutputFormat("gemini", GeminiParser, GeminiRecordings)
COPILOT: Final = OutputFormat("copilot", CopilotParser, CopilotStore)
OPENCODE: Final = OutputFormat(
    "opencode", OpencodeParser, OpencodeDatabase, tells_cost=True, prints_before_it_asks=False
)
QWEN: Final = OutputFormat("qwen", QwenParser)


class Preset(Protocol):
    """Makes the agent of a host: its command, and what else may be given."""

    def __call__(
        self,
        *,
        command: Sequence[str] = ...,
        model: str | None = None,
        arguments: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        on_line: Callable[[str], None] | None = None,
    ) -> CommandAgent:
        """Return an agent that runs the command with these arguments."""
        ...


_Words = tuple[str, ...]


def _preset(
    output_format: OutputFormat, usual: _Words, resume: _Words, begin: _Words = ()
) -> Callable[[Callable[[_Words, _Words, _Words], _Words]], Preset]:
    """Return the decorator of what puts the words of a turn in order: the command, the model's option, the arguments.

    `usual` is the command unless another is given; `begin` and `resume` end the words of a conversation's first turn
    and of its later ones.
    """

    def decorate(words_of: Callable[[_Words, _Words, _Words], _Words]) -> Preset:
        def make(
            *,
            command: Sequence[str] = usual,
            model: str | None = None,
            arguments: Sequence[str] = (),
            environment: Mapping[str, str] | None = None,
            on_line: Callable[[str], None] | None = None,
        ) -> CommandAgent:
            words = words_of(tuple(command), () if model is None else ("--model", model), tuple(arguments))
            return CommandAgent(
                argv=(*words, *begin),
                resume_argv=(*words, *resume),
                output_format=output_format,
                environment=dict(environment or {}),
                on_line=on_line,
            )

        make.__name__, make.__qualname__, make.__doc__ = words_of.__name__, words_of.__name__, words_of.__doc__
        return make

    return decorate


@_preset(CLAUDE_CODE, ("claude",), ("--resume", "{session}"))
def claude_code_agent(command: _Words, model: _Words, arguments: _Words) -> _Words:
    """Return an agent that runs `claude -p` for each turn, and continues its session in the next.

    Its permissions are in `arguments`, such as `--permission-mode acceptEdits`; by itself it may only read.
    Costs are those of its provider's list, also where a subscription pays.
    """
    stream = ("--output-format", "stream-json", "--verbose", "--include-partial-messages")
    return (*command, "-p", *stream, *model, *arguments)


@_preset(CODEX, ("codex",), ("resume", "{session}", "-"), ("-",))
def codex_agent(command: _Words, model: _Words, arguments: _Words) -> _Words:
    """Return an agent that runs `codex exec` for each turn, and resumes its thread in the next.

    Its permissions are in `arguments`, such as `--sandbox workspace-write`; by itself it may only read, and
    only in a Git repository (`--skip-git-repo-check`). Codex reports no costs.
    """
    return (*command, "exec", "--json", *model, *arguments)


@_preset(GEMINI, ("gemini",), ("--resume", "{session}"))
def gemini_agent(command: _Words, model: _Words, arguments: _Words) -> _Words:
    """Return an agent that runs `gemini` without a terminal for each turn, and resumes its session in the next.

    Its permissions are in `arguments`, such as `--approval-mode yolo`. Gemini CLI reports no costs.
    """
    return (*command, *model, *arguments, "--output-format", "stream-json")


@_preset(COPILOT, ("copilot",), ("--resume={session}",), ("--session-id={new_session}",))
def copilot_agent(command: _Words, model: _Words, arguments: _Words) -> _Words:
    """Return an agent that runs `copilot` without a terminal for each turn, and resumes its session in the next.

    Its permissions are in `arguments`, such as `--allow-all-tools`. Copilot CLI reports no costs.
    """
    return (*command, *model, *arguments, "--output-format", "json")


@_preset(OPENCODE, ("opencode", "run"), ("--session", "{session}"))
def opencode_agent(command: _Words, model: _Words, arguments: _Words) -> _Words:
    """Return an agent that runs `opencode run` for each turn, and continues its session in the next.

    Its permissions are in its configuration.
    """
    return (*command, *model, *arguments, "--format", "json")


@_preset(QWEN, ("qwen",), ("--resume", "{session}"))
def qwen_agent(command: _Words, model: _Words, arguments: _Words) -> _Words:
    """Return an agent that runs `qwen` without a terminal for each turn, and resumes its session in the next.

    Its permissions are in `arguments`, such as `--approval-mode yolo`. Qwen Code reports no costs.
    """
    return (*command, *model, *arguments, "--output-format", "stream-json")


_PRESETS: Final[dict[str, Preset]] = {
    "claude": claude_code_agent,
    "codex": codex_agent,
    "gemini": gemini_agent,
    "copilot": copilot_agent,
    "opencode": opencode_agent,
    "qwen": qwen_agent,
}
_SUBCOMMANDS: Final = {"codex": "exec", "opencode": "run"}


def known_agent(words: Sequence[str]) -> CommandAgent | None:
    """Return the agent of the host that the command line starts, or None where it is another command.

    A prompt or a format that was typed for use by hand is left to the agent: `-p ""`, `codex exec`, `opencode run`.
    """
    name = Path(words[0]).name
    preset = _PRESETS.get(name)
    if preset is None:
        return None
    command, arguments = list(words[:1]), list(words[1:])
    subcommand = _SUBCOMMANDS.get(name)
    if subcommand is not None and arguments[:1] == [subcommand]:
        arguments = arguments[1:]
    if name == "opencode":
        command.append("run")
    return preset(command=command, arguments=_without_prompt(arguments))


def _without_prompt(arguments: Sequence[str]) -> list[str]:
    # The prompt comes on standard input; some hosts need an empty one to be typed for that.
    kept: list[str] = []
    for word in arguments:
        if word == "" and kept and kept[-1] in ("-p", "--prompt"):
            kept.pop()
        else:
            kept.append(word)
    return kept
