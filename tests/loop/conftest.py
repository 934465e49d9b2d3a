"""Requests for agents, and scripts that are agents."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import telic
from telic.loop.agents.command import CommandAgent
from telic.loop.agents.protocol import TurnRequest

MakeRequest = Callable[..., TurnRequest]
MakeAgent = Callable[..., CommandAgent]


@pytest.fixture
def make_request(tmp_path: Path) -> MakeRequest:
    with telic.connect(":memory:") as store:
        goal = store.create("Move billing to the new API")

    def make(prompt: str = "Go on.", **changes: Any) -> TurnRequest:
        defaults = {"turn_number": 1, "turn_key": "turn-1", "workspace": tmp_path, "timeout_seconds": 20.0}
        return TurnRequest(goal=goal, prompt=prompt, **(defaults | changes))

    return make


@pytest.fixture
def script_agent() -> MakeAgent:
    """An agent that is a Python program."""

    def make(code: str, *arguments: str, **options: Any) -> CommandAgent:
        return CommandAgent(argv=(sys.executable, "-c", code, *arguments), **({"grace_seconds": 0.3} | options))

    return make
