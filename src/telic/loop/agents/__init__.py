"""The agents that a loop drives: what one is, and those that are commands."""

from importlib import import_module
from typing import TYPE_CHECKING

from telic.domain.goal import (
    Wake,
)
from telic.domain.loop_state import (
    Claim,
)
from telic.loop.agents.claims import claim_instructions
from telic.loop.agents.protocol import Agent, QuotaReached, ReportUsage, TurnReport, TurnRequest

if TYPE_CHECKING:
    from telic.loop.agents.command import CommandAgent
    from telic.loop.agents.formats import (
        CLAUDE_CODE,
        CODEX,
        COPILOT,
        GEMINI,
        JSON_LINES,
        OPENCODE,
        PLAIN,
        QWEN,
        OutputFormat,
    )
    from telic.loop.agents.presets import (
        claude_code_agent,
        codex_agent,
        copilot_agent,
        gemini_agent,
        known_agent,
        opencode_agent,
        qwen_agent,
    )

__all__ = [
    "CLAUDE_CODE",
    "CODEX",
    "COPILOT",
    "GEMINI",
    "JSON_LINES",
    "OPENCODE",
    "PLAIN",
    "QWEN",
    "Agent",
    "Claim",
    "CommandAgent",
    "OutputFormat",
    "QuotaReached",
    "ReportUsage",
    "TurnReport",
    "TurnRequest",
    "Wake",
    "claim_instructions",
    "claude_code_agent",
    "codex_agent",
    "copilot_agent",
    "gemini_agent",
    "known_agent",
    "opencode_agent",
    "qwen_agent",
]


def __getattr__(name: str) -> object:
    """What only those need who run a command is imported when it is first asked for."""
    if name not in __all__:
        raise AttributeError(f"module 'telic.loop.agents' has no attribute {name!r}")
    is_preset = name.endswith("_agent")
    place = "command" if name == "CommandAgent" else "presets" if is_preset else "formats"
    return getattr(import_module(f"telic.loop.agents.{place}"), name)
