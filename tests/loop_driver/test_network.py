"""A network, or a provider, that is away: waited for, and no failure of the goal's."""

import errno
import json
import sys
from typing import Any

import pytest

import telic
from telic import Budget, Reason
from telic.domain.errors import AgentExited, AgentTurnFailed
from telic.loop.agents import CLAUDE_CODE, CODEX, CommandAgent, OutputFormat
from telic.loop.agents.provider_errors import ends_with_outage, is_outage, tells_of_outage
from tests.loop_driver.world import CLAIM, ScriptedAgent, World, policy

NOTHING = telic.ModelUsage()
AWAY = AgentTurnFailed("stream disconnected before completion", usage=NOTHING, is_outage=True)
OUTAGES = [
    "stream disconnected before completion: error sending request for url (https://api.openai.com/v1/responses)",
    "API Error: Connection error.",
    "API Error: Unable to connect to API (ConnectionRefused)",
    "getaddrinfo ENOTFOUND api.anthropic.com",
    "connect ECONNREFUSED 127.0.0.1:443",
    "fetch failed",
    "curl: (6) Could not resolve host: api.anthropic.com",
    "[Errno -3] Temporary failure in name resolution",
    "Network is unreachable",
    "unexpected status 503 Service Unavailable",
    'API Error: 529 {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}',
    "socket hang up",
]
FAILURES = [
    "",
    "the model gave no answer",
    "API Error: 401 invalid x-api-key",
    "API Error: 400 prompt is too long: 503 tokens",
    "SyntaxError: invalid syntax",
    "permission denied: settings.json",
    "You've hit your usage limit",
]


@pytest.mark.parametrize("text", OUTAGES)
def test_what_tells_of_an_outage(text: str) -> None:
    """What clients print when they reach nobody, and nothing but the end of what a command printed."""
    assert tells_of_outage(text)
    assert ends_with_outage(f"working\n{text}\n")
    assert not ends_with_outage(f"{text}\nretrying\nconnected\nall tests ran\n2 failed\n")


@pytest.mark.parametrize("text", FAILURES)
def test_what_is_a_failure_for_good(text: str) -> None:
    """No repetition mends it."""
    assert not tells_of_outage(text)


class APIConnectionError(Exception):
    """Called as the providers' libraries call it."""


@pytest.mark.parametrize(
    ("error", "is_away"),
    [
        (ConnectionRefusedError(), True),
        (OSError(errno.ENETUNREACH, "unreachable"), True),
        (APIConnectionError(), True),
        (OSError(errno.ENOENT, "no file"), False),
        (ValueError("connection refused"), False),
    ],
)
def test_an_exception_tells_by_its_kind(error: Exception, is_away: bool) -> None:
    """Or by that of its cause."""
    assert is_outage(error) is is_away
    outer = RuntimeError("the run failed")
    outer.__cause__ = error
    assert is_outage(outer) is is_away


async def test_an_outage_is_waited_for(world: World) -> None:
    """More often than failures may happen, and without using up any turn."""
    goal = await world.store.create("go on", budget=Budget(turns=3, tokens=10_000))
    agent = ScriptedAgent([*[AWAY] * 12, CLAIM])
    ended = await world.run(goal, agent, policy(max_failures=1))
    assert (ended.reason, ended.turns_used, len(agent.requests)) == (Reason.ASSERTED, 1, 13)
    assert len({request.turn_key for request in agent.requests}) == 13
    assert {hold.state.value for hold in await world.store.holds(goal.id)} == {"released", "settled"}


async def test_a_command_that_reached_nobody_uses_up_no_turn(world: World) -> None:
    """It tells of no tokens and no money; that it took time is no use of the goal's turns."""
    nothing = {"input_tokens": 0, "output_tokens": 0}
    said = {"type": "result", "is_error": True, "result": "API Error: Connection error.", "usage": nothing}
    goal = await world.store.create("go on", budget=Budget(turns=2))
    ended = await world.run(goal, saying(CLAUDE_CODE, json.dumps(said)), policy(max_outages=3))
    assert (ended.reason, ended.usage) == (Reason.FAILED, goal.usage)
    assert await world.store.turns(goal.id) == []
    assert (await world.state(goal.id)).outages == 4


async def test_what_an_outage_cut_off_is_counted(world: World) -> None:
    """A turn that used something before its network went is a line of the ledger."""
    goal = await world.store.create("count")
    used = telic.ModelUsage(input_tokens=70)
    agent = ScriptedAgent([AgentTurnFailed("connection lost", usage=used, is_outage=True), CLAIM])
    ended = await world.run(goal, agent, policy(max_failures=1))
    assert (ended.reason, ended.turns_used, ended.tokens_used) == (Reason.ASSERTED, 2, 170)


async def test_an_outage_that_never_ends_is_given_up(world: World) -> None:
    """After as many turns in a row as the policy says; a failure in between is one of its own kind."""
    goal = await world.store.create("give up")
    failed = AgentExited("failed", usage=NOTHING)
    agent = ScriptedAgent([AWAY, AWAY, failed, AWAY, AWAY, AWAY])
    ended = await world.run(goal, agent, policy(max_outages=2, max_failures=2))
    assert (ended.reason, len(agent.requests)) == (Reason.FAILED, 6)


async def test_exceptions_of_an_agents_own_client_are_outages_too(world: World) -> None:
    """An agent in this process raises what its library raises."""
    goal = await world.store.create("go on")
    agent = ScriptedAgent([*[ConnectionResetError("reset")] * 5, CLAIM])
    assert (await world.run(goal, agent, policy(max_failures=1))).reason is Reason.ASSERTED


def saying(output_format: OutputFormat, *lines: str) -> CommandAgent:
    said = "; ".join(f"print({line!r})" for line in lines)
    return CommandAgent(
        argv=(sys.executable, "-S", "-c", f"import sys; sys.stdin.read(); {said}; sys.exit(1)"),
        output_format=output_format,
    )


async def test_a_commands_outage_is_told_from_its_failure(world: World) -> None:
    """By what it says of itself, or by its last words where it says nothing in its format."""
    started = '{"type": "thread.started", "thread_id": "t"}'
    away = '{"type": "turn.failed", "error": {"message": "stream disconnected before completion"}}'
    goal = await world.store.create("tell", scope="away")
    agent: Any = saying(CODEX, started, away)
    ended = await world.run(goal, agent, policy(max_outages=3, max_failures=1))
    assert (ended.reason, ended.turns_used) == (Reason.FAILED, 0)
    assert (await world.state(goal.id)).outages == 4
    goal = await world.store.create("tell", scope="failed")
    failed = away.replace("stream disconnected before completion", "no such model")
    await world.run(goal, saying(CODEX, started, failed), policy(max_failures=2))
    assert (await world.state(goal.id)).failures == 2
