"""The agents that a loop drives: what one is, and those that are commands."""

from telic.domain.claim import Claim, Wake
from telic.loop.agents.claims import claim_instructions
from telic.loop.agents.command import CommandAgent
from telic.loop.agents.formats import CLAUDE_CODE, CODEX, JSON_LINES, PLAIN, OutputFormat
from telic.loop.agents.presets import claude_code_agent, codex_agent
from telic.loop.agents.protocol import Agent, QuotaReached, TurnReport, TurnRequest

__all__ = [
    "CLAUDE_CODE",
    "CODEX",
    "JSON_LINES",
    "PLAIN",
    "Agent",
    "Claim",
    "CommandAgent",
    "OutputFormat",
    "QuotaReached",
    "TurnReport",
    "TurnRequest",
    "Wake",
    "claim_instructions",
    "claude_code_agent",
    "codex_agent",
]
