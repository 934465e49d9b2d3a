"""Agents for the command lines that many have, and which command is which."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

from telic.loop.agents.command import CommandAgent
from telic.loop.agents.formats import CLAUDE_CODE, CODEX, COPILOT, GEMINI, OPENCODE, QWEN


def claude_code_agent(
    *,
    command: Sequence[str] = ("claude",),
    model: str | None = None,
    arguments: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    on_line: Callable[[str], None] | None = None,
) -> CommandAgent:
    """An agent that runs `claude -p` for each turn, and continues its session in the next.

    What it may do is for `arguments` to say, such as `--permission-mode acceptEdits`; by itself it may only read.
    Costs are what its provider's list says, also where a subscription pays.
    """
    stream = ("--output-format", "stream-json", "--verbose", "--include-partial-messages")
    base = (*command, "-p", *stream, *_option("--model", model), *arguments)
    return CommandAgent(
        argv=base,
        resume_argv=(*base, "--resume", "{session}"),
        output_format=CLAUDE_CODE,
        environment=dict(environment or {}),
        on_line=on_line,
    )


def codex_agent(
    *,
    command: Sequence[str] = ("codex",),
    model: str | None = None,
    arguments: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    on_line: Callable[[str], None] | None = None,
) -> CommandAgent:
    """An agent that runs `codex exec` for each turn, and resumes its thread in the next.

    What it may do is for `arguments` to say, such as `--sandbox workspace-write`; by itself it may only read, and
    only in a Git repository (`--skip-git-repo-check`). Codex reports no costs.
    """
    base = (*command, "exec", "--json", *_option("--model", model), *arguments)
    return CommandAgent(
        argv=(*base, "-"),
        resume_argv=(*base, "resume", "{session}", "-"),
        output_format=CODEX,
        environment=dict(environment or {}),
        on_line=on_line,
    )


def gemini_agent(
    *,
    command: Sequence[str] = ("gemini",),
    model: str | None = None,
    arguments: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    on_line: Callable[[str], None] | None = None,
) -> CommandAgent:
    """An agent that runs `gemini` without a terminal for each turn, and resumes its session in the next.

    What it may do is for `arguments` to say, such as `--approval-mode yolo`. Gemini CLI reports no costs.
    """
    base = (*command, *_option("--model", model), *arguments, "--output-format", "stream-json")
    return CommandAgent(
        argv=base,
        resume_argv=(*base, "--resume", "{session}"),
        output_format=GEMINI,
        environment=dict(environment or {}),
        on_line=on_line,
    )


def copilot_agent(
    *,
    command: Sequence[str] = ("copilot",),
    model: str | None = None,
    arguments: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    on_line: Callable[[str], None] | None = None,
) -> CommandAgent:
    """An agent that runs `copilot` without a terminal for each turn, and resumes its session in the next.

    What it may do is for `arguments` to say, such as `--allow-all-tools`. Copilot CLI reports no costs.
    """
    base = (*command, *_option("--model", model), *arguments, "--output-format", "json")
    return CommandAgent(
        argv=(*base, "--session-id={new_session}"),
        resume_argv=(*base, "--resume={session}"),
        output_format=COPILOT,
        environment=dict(environment or {}),
        on_line=on_line,
    )


def opencode_agent(
    *,
    command: Sequence[str] = ("opencode", "run"),
    model: str | None = None,
    arguments: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    on_line: Callable[[str], None] | None = None,
) -> CommandAgent:
    """An agent that runs `opencode run` for each turn, and continues its session in the next.

    What it may do is for its configuration to say.
    """
    base = (*command, *_option("--model", model), *arguments, "--format", "json")
    return CommandAgent(
        argv=base,
        resume_argv=(*base, "--session", "{session}"),
        output_format=OPENCODE,
        environment=dict(environment or {}),
        on_line=on_line,
    )


def qwen_agent(
    *,
    command: Sequence[str] = ("qwen",),
    model: str | None = None,
    arguments: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    on_line: Callable[[str], None] | None = None,
) -> CommandAgent:
    """An agent that runs `qwen` without a terminal for each turn, and resumes its session in the next.

    What it may do is for `arguments` to say, such as `--approval-mode yolo`. Qwen Code reports no costs.
    """
    base = (*command, *_option("--model", model), *arguments, "--output-format", "stream-json")
    return CommandAgent(
        argv=base,
        resume_argv=(*base, "--resume", "{session}"),
        output_format=QWEN,
        environment=dict(environment or {}),
        on_line=on_line,
    )


def _option(name: str, value: str | None) -> tuple[str, ...]:
    return () if value is None else (name, value)


class Preset(Protocol):
    """Makes the agent of a host from its command and what else was typed."""

    def __call__(self, *, command: Sequence[str], arguments: Sequence[str]) -> CommandAgent:
        """The agent, which runs the command with these arguments."""
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
    """The agent of the host that the command line starts, or None where it is another command.

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
    """The arguments without an empty prompt: the prompt comes on standard input."""
    kept: list[str] = []
    for word in arguments:
        if word == "" and kept and kept[-1] in ("-p", "--prompt"):
            kept.pop()
        else:
            kept.append(word)
    return kept
