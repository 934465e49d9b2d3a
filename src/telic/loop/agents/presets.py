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


def claude_code_agent(
    *,
    command: Sequence[str] = ("claude",),
    model: str | None = None,
    arguments: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    on_line: Callable[[str], None] | None = None,
) -> CommandAgent:
    """Return an agent that runs `claude -p` for each turn, and continues its session in the next.

    Its permissions are in `arguments`, such as `--permission-mode acceptEdits`; by itself it may only read.
    Costs are those of its provider's list, also where a subscription pays.
    """
    stream = ("--output-format", "stream-json", "--verbose", "--include-partial-messages")
    base = (*command, "-p", *stream, *_option("--model", model), *arguments)
    return _agent(CLAUDE_CODE, base, (), ("--resume", "{session}"), environment, on_line)


def codex_agent(
    *,
    command: Sequence[str] = ("codex",),
    model: str | None = None,
    arguments: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    on_line: Callable[[str], None] | None = None,
) -> CommandAgent:
    """Return an agent that runs `codex exec` for each turn, and resumes its thread in the next.

    Its permissions are in `arguments`, such as `--sandbox workspace-write`; by itself it may only read, and
    only in a Git repository (`--skip-git-repo-check`). Codex reports no costs.
    """
    base = (*command, "exec", "--json", *_option("--model", model), *arguments)
    return _agent(CODEX, base, ("-",), ("resume", "{session}", "-"), environment, on_line)


def gemini_agent(
    *,
    command: Sequence[str] = ("gemini",),
    model: str | None = None,
    arguments: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    on_line: Callable[[str], None] | None = None,
) -> CommandAgent:
    """Return an agent that runs `gemini` without a terminal for each turn, and resumes its session in the next.

    Its permissions are in `arguments`, such as `--approval-mode yolo`. Gemini CLI reports no costs.
    """
    base = (*command, *_option("--model", model), *arguments, "--output-format", "stream-json")
    return _agent(GEMINI, base, (), ("--resume", "{session}"), environment, on_line)


def copilot_agent(
    *,
    command: Sequence[str] = ("copilot",),
    model: str | None = None,
    arguments: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    on_line: Callable[[str], None] | None = None,
) -> CommandAgent:
    """Return an agent that runs `copilot` without a terminal for each turn, and resumes its session in the next.

    Its permissions are in `arguments`, such as `--allow-all-tools`. Copilot CLI reports no costs.
    """
    base = (*command, *_option("--model", model), *arguments, "--output-format", "json")
    return _agent(COPILOT, base, ("--session-id={new_session}",), ("--resume={session}",), environment, on_line)


def opencode_agent(
    *,
    command: Sequence[str] = ("opencode", "run"),
    model: str | None = None,
    arguments: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    on_line: Callable[[str], None] | None = None,
) -> CommandAgent:
    """Return an agent that runs `opencode run` for each turn, and continues its session in the next.

    Its permissions are in its configuration.
    """
    base = (*command, *_option("--model", model), *arguments, "--format", "json")
    return _agent(OPENCODE, base, (), ("--session", "{session}"), environment, on_line)


def qwen_agent(
    *,
    command: Sequence[str] = ("qwen",),
    model: str | None = None,
    arguments: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    on_line: Callable[[str], None] | None = None,
) -> CommandAgent:
    """Return an agent that runs `qwen` without a terminal for each turn, and resumes its session in the next.

    Its permissions are in `arguments`, such as `--approval-mode yolo`. Qwen Code reports no costs.
    """
    base = (*command, *_option("--model", model), *arguments, "--output-format", "stream-json")
    return _agent(QWEN, base, (), ("--resume", "{session}"), environment, on_line)


def _agent(
    output_format: OutputFormat,
    base: tuple[str, ...],
    begin: tuple[str, ...],
    resume: tuple[str, ...],
    environment: Mapping[str, str] | None,
    on_line: Callable[[str], None] | None,
) -> CommandAgent:
    return CommandAgent(
        argv=(*base, *begin),
        resume_argv=(*base, *resume),
        output_format=output_format,
        environment=dict(environment or {}),
        on_line=on_line,
    )


def _option(name: str, value: str | None) -> tuple[str, ...]:
    return () if value is None else (name, value)


class Preset(Protocol):
    """Makes the agent of a host from its command and what else was typed."""

    def __call__(self, *, command: Sequence[str], arguments: Sequence[str]) -> CommandAgent:
        """Return an agent that runs the command with these arguments."""
        ...


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
