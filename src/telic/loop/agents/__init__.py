"""The agents that a loop drives: the protocol of one, and those that are commands."""

from importlib import import_module
from typing import TYPE_CHECKING, Final

from telic.domain.goal import Wake
from telic.domain.loop_state import Claim
from telic.loop.agents.protocol import Agent, QuotaReached, ReportUsage, TurnReport, TurnRequest, claim_instructions

if TYPE_CHECKING:
    from telic.loop.agents.command import CommandAgent
    from telic.loop.agents.formats import OutputFormat
    from telic.loop.agents.json_lines import JSON_LINES, PLAIN
    from telic.loop.agents.presets import (
        CLAUDE_CODE,
        CODEX,
        COPILOT,
        GEMINI,
        OPENCODE,
        QWEN,
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

_PLACES: Final = {
    "CommandAgent": "command",
    "OutputFormat": "formats",
    "PLAIN": "json_lines",
    "JSON_LINES": "json_lines",
}


def __getattr__(name: str) -> object:
    # Parsers and commands are imported at their first use: an agent of one's own needs none of them.
    if name not in __all__:
        raise AttributeError(f"module 'telic.loop.agents' has no attribute {name!r}")
    return getattr(import_module(f"telic.loop.agents.{_PLACES.get(name, 'presets')}"), name)
