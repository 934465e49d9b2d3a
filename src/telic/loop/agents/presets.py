"""Agents for the command lines that many have: Claude Code and Codex."""

from collections.abc import Callable, Mapping, Sequence

from telic.loop.agents.command import CommandAgent
from telic.loop.agents.formats import CLAUDE_CODE, CODEX


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
    base = (*command, "-p", "--output-format", "stream-json", "--verbose", *_option("--model", model), *arguments)
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


def _option(name: str, value: str | None) -> tuple[str, ...]:
    return () if value is None else (name, value)
