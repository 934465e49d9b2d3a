"""Failures and limits of a model's provider, met by real coding hosts."""

import time
from dataclasses import dataclass
from typing import Any

import pytest

from tests.hosts.claude_code import CLAUDE_CODE
from tests.hosts.codex import CODEX
from tests.hosts.host import Host, named, run
from tests.hosts.play import Step, after_a_turn, is_cut, refuses
from tests.hosts.world import CHECK, TEXT, World
from tests.support.wire_formats import Reply
from tests.support.wire_server import Asked

OVERLOADED = refuses(529, "Overloaded")
BROKEN = refuses(500, "Internal server error")
SLOW_DOWN = refuses(429, "Rate limit reached for requests per min.", retry_after="1")
PASSING: dict[str, tuple[Host, tuple[Step, ...]]] = {
    "claude-529": (CLAUDE_CODE, (OVERLOADED, OVERLOADED)),
    "claude-500": (CLAUDE_CODE, (BROKEN, BROKEN)),
    "claude-429": (CLAUDE_CODE, (SLOW_DOWN, SLOW_DOWN)),
    "claude-cut": (CLAUDE_CODE, (is_cut(),)),
    "codex-500": (CODEX, (BROKEN, BROKEN)),
    "codex-429": (CODEX, (SLOW_DOWN, SLOW_DOWN)),
    "codex-cut": (CODEX, (is_cut(),)),
}
"""Faults that pass."""
CREDIT = "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade."
QUOTA = "You exceeded your current quota, please check your plan and billing details."
USED_UP = "The usage limit has been reached"
LASTING: dict[str, tuple[Host, Step, str]] = {
    "claude-credit": (CLAUDE_CODE, refuses(400, CREDIT), "redit balance is too low"),
    "codex-401": (CODEX, refuses(401, "invalid x-api-key"), "401"),
    "codex-quota": (CODEX, refuses(429, error={"error": {"code": "insufficient_quota", "message": QUOTA}}), "billing"),
}
"""Faults that stay, and a part of what is said of them."""
TIMELESS = {
    "codex-429": refuses(429, "Rate limit reached for requests per min."),
    "codex-usage": refuses(429, error={"error": {"type": "usage_limit_reached", "message": USED_UP}}),
}
"""Limits of which nobody says when they end."""


@pytest.mark.parametrize(("host", "fault"), PASSING.values(), ids=PASSING)
def test_a_fault_that_passes_costs_nothing(world: World, host: Host, fault: tuple[Step, ...]) -> None:
    """The work goes on after it, and what was told is billed once."""
    world.follow(after_a_turn(*fault))
    run(world, host)
    world.require_verified()
    world.require_billed()


RETRIES: dict[Host, tuple[Step, str]] = {
    CLAUDE_CODE: (OVERLOADED, "repeating, 1 of"),
    CODEX: (is_cut(), "Reconnecting"),
}
"""Faults that hosts get over by themselves, and a part of what is said meanwhile."""


@named(*RETRIES)
def test_a_hosts_own_retries_are_told(world: World, host: Host) -> None:
    """They may take minutes, in which nothing else is seen."""
    fault, words = RETRIES[host]
    world.follow(after_a_turn(fault))
    ended = run(world, host)
    assert words in ended.output + ended.errors, ended


@pytest.mark.parametrize(("host", "fault", "words"), LASTING.values(), ids=LASTING)
def test_a_fault_that_stays_ends_the_run_in_the_providers_words(
    world: World, host: Host, fault: Step, words: str
) -> None:
    """The goal is paused as failed, and the note says what the provider said; an account without money is no limit."""
    world.follow(after_a_turn(unless=lambda asked: fault(asked) if world.play.count() >= 2 else None))
    run(world, host, expect=27)
    goal = world.goal()
    assert goal.reason == "failed"
    assert words in (goal.note or "")
    world.require_billed()


@pytest.mark.fast
@pytest.mark.parametrize("limit", TIMELESS.values(), ids=TIMELESS)
def test_a_limit_without_a_time_is_waited_for(world: World, limit: Step) -> None:
    """Codex repeats such a request no more; the goal waits as for any limit, and does not fail."""
    world.follow(after_a_turn(unless=lambda asked: limit(asked) if world.play.count() >= 2 else None))
    run(world, CODEX, "--no-wait", expect=23)
    goal = world.goal()
    assert goal.reason == "usage_limit"
    assert goal.wake_at is not None
    world.require_billed()


@named(CODEX)
def test_a_rate_limit_with_a_time_is_survived_by_the_host(world: World, host: Host) -> None:
    """Codex, with its own number of retries, repeats the request itself."""
    world.follow(after_a_turn(*[SLOW_DOWN] * 4))
    CODEX.prepare(world)
    CODEX.configure(world, retries="")
    words = ("--check", CHECK, "--agent", CODEX.agent, "--budget", "2M", "--turns", "20")
    world.telic("run", TEXT, *words)
    world.require_verified()
    world.require_billed()


@dataclass
class Window:
    """A subscription's limit: its window opens five seconds within one of the next two minutes."""

    host: Host
    opens_at: int = 0

    def __call__(self, asked: Asked) -> Reply | None:
        """Refuse until the window opens; the first refusal fixes when that is."""
        now = time.time()
        if not self.opens_at:
            self.opens_at = (int(now + 15) // 60 + 1) * 60 + 5
        return self._refusal(int(self.opens_at - now))(asked) if now < self.opens_at else None

    def _refusal(self, seconds: int) -> Step:
        if self.host is CODEX:
            limit: dict[str, Any] = {"type": "usage_limit_reached", "message": USED_UP}
            times = {"plan_type": "plus", "resets_at": self.opens_at, "resets_in_seconds": seconds}
            return refuses(429, error={"error": limit | times})
        unified = {"status": "rejected", "reset": str(self.opens_at), "representative-claim": "five_hour"}
        window = {"5h-status": "rejected", "5h-reset": str(self.opens_at), "5h-utilization": "1.0"}
        headers = {f"anthropic-ratelimit-unified-{name}": value for name, value in (unified | window).items()}
        message = "This request would exceed your account's rate limit. Please try again later."
        return lambda asked: Reply(status=429, message=message, headers=headers | {"x-should-retry": "false"})


@named(CLAUDE_CODE, CODEX)
def test_a_subscriptions_limit_is_waited_for(world: World, host: Host) -> None:
    """The run goes on when the window opens, also where the host names its minute only."""
    window = Window(host)
    world.follow(after_a_turn(unless=lambda asked: window(asked) if world.play.count() >= 2 else None))
    host.prepare(world)
    if host is CLAUDE_CODE:
        # A key has no windows; a subscription's login has.
        world.environment["CLAUDE_CODE_OAUTH_TOKEN"] = "sk-ant-oat01-a-token-of-the-tests"
        del world.environment["ANTHROPIC_API_KEY"]
    words = ("--check", CHECK, "--agent", host.agent, "--budget", "2M", "--turns", "20")
    world.telic("run", TEXT, *words)
    assert window.opens_at, "no request was refused"
    world.require_verified()
    world.require_billed()
