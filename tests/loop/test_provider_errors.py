"""Errors of hosts and providers by their words: an account's limit, a provider that is away, or a failure."""

from datetime import UTC, datetime

import pytest

from telic.domain.clock import from_datetime, to_datetime
from telic.loop.agents.provider_errors import ends_with_outage, quota_of, tells_of_outage

NOW = from_datetime(datetime(2026, 11, 28, 9, 30, 20, tzinfo=UTC))


@pytest.mark.parametrize(
    ("said", "opens"),
    [
        ("You're out of usage credits · resets Dec 9, 9am (UTC)", "2026-12-09 09:00"),
        ("Limit reached · resets Dec 3 at 2am (UTC)", "2026-12-03 02:00"),
        ("Monthly usage limit hit. Resets in 5d.", "2026-12-03 09:30"),
        ("Your usage limit resets at 1:30 AM, Nov 29 (PST)", "2026-11-29 09:31"),
        ("You've hit your Opus 4.5 limit · resets 3pm (UTC)", "2026-11-28 15:00"),
        ("Your monthly quota is used up; it renews on 2026-12-01 at 00:00 UTC", "2026-12-01 00:01"),
        ("limit exceeded; available again from 2026-12-01 00:00 UTC", "2026-12-01 00:01"),
        ("usage_limit_reached", None),
        ("GoUsageLimitError: try later", None),
        ("You have exceeded your premium request allowance.", None),
        ("You have exhausted your premium model quota.", None),
        ("You've used all of your premium requests for this month.", None),
        ("You have no premium requests left.", None),
        ("You've used 100% of your weekly limit", None),
        ("This workspace has reached the organization usage limit", None),
        ("You've reached your spending cap", None),
        ("Monthly spend limit reached, resets on the 1st", None),
        ("Monthly spend limit: reached", None),
    ],
)
def test_a_limit_is_known_by_whose_it_is_and_that_it_is_spent(said: str, opens: str | None) -> None:
    """Its time is read where it names one; else the policy says how long to wait."""
    quota = quota_of(said, NOW)
    assert quota is not None
    assert not quota.is_brief
    shown = None if quota.resets_at is None else f"{to_datetime(quota.resets_at):%Y-%m-%d %H:%M}"
    assert shown == opens


@pytest.mark.parametrize("month", ["Dec 9", "December 9", "12/9"])
def test_a_limits_day_without_a_clock_is_read(month: str) -> None:
    """It is a day of this machine's calendar, so within a day of that in UTC."""
    quota = quota_of(f"You're out of usage credits. Your allowance resets on {month}.", NOW)
    assert quota is not None
    assert quota.resets_at is not None
    assert abs(to_datetime(quota.resets_at) - datetime(2026, 12, 9, tzinfo=UTC)).days < 1


@pytest.mark.parametrize(
    "said",
    [
        "I raised the rate limit constant",
        "the quota test passes",
        "the usage limit test found a bug",
        "I changed how the limit resets the counter",
        "2 out of 5 API requests failed",
        "write failed: Disk quota exceeded",
        "memory limit reached",
        "Time limit exceeded",
        "You have reached your maximum turn limit",
        "the number of open files is over the limit",
        "You have exceeded your context limit",
    ],
)
def test_words_about_another_limit_are_no_limit_of_the_account(said: str) -> None:
    assert quota_of(said, NOW) is None


@pytest.mark.parametrize(
    "said",
    [
        "rate_limit_error",
        "Error: Rate limit",
        "This request would exceed your organization's rate limit of 30,000 input tokens per minute",
        "Requests are slowed down due to rate limiting",
    ],
)
def test_a_rate_is_a_brief_limit_in_any_words(said: str) -> None:
    quota = quota_of(said, NOW)
    assert quota is not None
    assert quota.is_brief


@pytest.mark.parametrize(
    "said",
    [
        "We're currently experiencing high demand, which may cause temporary errors.",
        "Selected model is at capacity. Please try a different model.",
        "The model is overloaded. Please try again later.",
        "Overloaded",
        'Post "https://api.anthropic.com/v1/messages": unexpected EOF',
        "unexpected EOF",
        "error:0A000126:SSL routines::unexpected eof while reading",
        "ssh: Could not resolve hostname git.example",
        "curl: (5) Could not resolve proxy: proxy.example",
        "Unable to connect. Is the computer able to access the url?",
        "Failed to connect to api.openai.com port 443 after 2 ms: Couldn't connect to server",
        "Cannot connect to host api.openai.com:443",
        "cannot connect to proxy",
        "Failed to reach the server",
        "error writing a body to connection: Broken pipe (os error 32)",
        "[Errno 11001] getaddrinfo failed",
    ],
)
def test_a_provider_that_is_away_or_full_is_waited_for(said: str) -> None:
    assert tells_of_outage(said)


@pytest.mark.parametrize(
    "said",
    [
        "a.sh: line 2: unexpected EOF while looking for matching `\"'",
        "SyntaxError: unexpected EOF while parsing",
        "failed to parse config: unexpected EOF",
        "npm error code ERESOLVE\nnpm error Could not resolve dependency:",
        'error: could not resolve "./main"',
        "yes: standard output: Broken pipe",
        "Error: write EPIPE",
        "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
        "dial unix /var/run/docker.sock: connect: connection refused",
        "cannot connect to X server :0",
        "Failed to connect to bus: No such file or directory",
        "MCP error -32000: Connection closed",
        "error: call of overloaded 'f(int)' is ambiguous",
        "error: overloaded function with no contextual type information",
        "AttributeError: module 'socket' has no attribute 'getaddrinfo'",
        "TypeError: could not connect the slot to the signal",
    ],
)
def test_a_broken_program_is_no_absent_network(said: str) -> None:
    """To wait mends nothing: each such turn is a failure."""
    assert not tells_of_outage(said)
    assert not ends_with_outage(f"working\n{said}\n")
