"""The marker line, and the times that providers name."""

import time
from collections.abc import Iterator

import pytest

from telic.domain.errors import InvalidInput, InvalidNumber
from telic.loop.agents.command import last_words
from telic.loop.agents.protocol import (
    AgentStatement,
    Claim,
    QuotaReached,
    TurnReport,
    Wake,
    claim_instructions,
    read_claim,
)
from telic.loop.agents.provider_errors import is_lost_conversation, quota_of
from telic.loop.agents.reset_times import reset_time
from telic.types import Instant

NOW = Instant(1_790_000_000_000_000)  # 2026-09-21T14:13:20Z
MINUTE = 60_000_000


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("TELIC: complete", AgentStatement(claim=Claim.COMPLETE)),
        ("**TELIC: complete**", AgentStatement(claim=Claim.COMPLETE)),
        ("`telic: Complete.`", AgentStatement(claim=Claim.COMPLETE)),
        ("\x1b[1;32mTELIC: complete\x1b[0m", AgentStatement(claim=Claim.COMPLETE)),
        ("```text\nTELIC: complete\n```", AgentStatement(claim=Claim.COMPLETE)),
        ("~~~\nTELIC: blocked: no key\n~~~", AgentStatement(claim=Claim.BLOCKED, note="no key")),
        ("> TELIC: complete", AgentStatement(claim=Claim.COMPLETE)),
        ("TELIC: blocked: no key for staging", AgentStatement(claim=Claim.BLOCKED, note="no key for staging")),
        ("TELIC: blocked", AgentStatement(claim=Claim.BLOCKED)),
        ("TELIC: wait 10m", AgentStatement(claim=Claim.WAITING, wake=Wake(at=Instant(NOW + 10 * MINUTE)))),
        ("TELIC: wait 2 h", AgentStatement(claim=Claim.WAITING, wake=Wake(at=Instant(NOW + 120 * MINUTE)))),
        ("TELIC: wait for ci-finished", AgentStatement(claim=Claim.WAITING, wake=Wake(signal="ci-finished"))),
        (
            "TELIC: wait until 2026-09-21T16:13:20+02:00",
            AgentStatement(claim=Claim.WAITING, wake=Wake(at=Instant(NOW))),
        ),
        ("TELIC: wait banana", AgentStatement()),
        ("TELIC: wait", AgentStatement()),
        ("TELIC: wait for", AgentStatement()),
        ("TELIC: wait 999999d", AgentStatement()),
        ("TELIC: wait until 2026-13-01T00:00:00Z", AgentStatement()),
        ("TELIC: wait until 0001-01-01T00:00:00Z", AgentStatement()),
        ("TELIC: complete, except for the tests", AgentStatement()),
        ("TELIC: completed", AgentStatement()),
        ("I would say TELIC: complete", AgentStatement()),
        ("", AgentStatement()),
    ],
)
def test_the_last_line_claims(line: str, meant: AgentStatement) -> None:
    assert read_claim(f"Did it.\n\n{line}\n \n", NOW) == meant


def test_only_the_last_line_claims() -> None:
    assert read_claim("TELIC: complete\nNo, wait.", NOW).claim is Claim.WORKING


def test_an_echo_of_the_instructions_claims_nothing() -> None:
    """An agent that repeats its prompt has not reached its goal."""
    assert read_claim(claim_instructions(), NOW) == AgentStatement()
    assert read_claim(f"goal\n{claim_instructions()}\n", NOW) == AgentStatement()


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("berlin")
@pytest.mark.parametrize(
    ("sentence", "seconds"),
    [
        ("Claude AI usage limit reached|1790003600", 1_790_003_600),
        ("You've hit your usage limit. Try again at 6:13 PM.", 1_790_007_240),
        ("or try again at 3:28 PM.", 1_790_083_740),
        ("or try again at Sep 22nd, 2026 12:00 AM.", 1_790_028_060),
        ("You've hit your session limit · resets 9am (America/New_York)", 1_790_082_000),
        ("You've hit your session limit · resets 8:20pm (Asia/Singapore)", 1_790_079_660),
        ("your weekly limit · resets Oct 1, 9am (UTC)", 1_790_845_200),
        ("your weekly limit · resets Jan 2 at 9am (UTC)", 1_798_880_400),
        ("try again in 3 days 6 hours 57 minutes.", 1_790_000_000 + 3 * 86_400 + 6 * 3600 + 57 * 60),
        ("resets in 45m", 1_790_002_700),
        ("your weekly limit · resets 9/28, 9am (UTC)", 1_790_586_000),
        ("resets on 09/28/2026 at 9:00 AM UTC", 1_790_586_060),
        ("resets 9/28/26, 09:00 UTC", 1_790_586_060),
        ("available again on 9/28 9am UTC", 1_790_586_000),
        ("resets 28/9, 9am (UTC)", 1_790_586_000),
        ("resets 10/11, 9am (UTC)", 1_791_709_200),
        ("resets 11/10, 9am (UTC)", 1_791_709_200),
        ("resets 3/11/2026, 9am (UTC)", 1_793_696_400),
        ("resets 1/2, 9am (UTC)", 1_798_880_400),
        ("resets 13/14, 9am (UTC)", None),
        ("resets 2/30, 9am (UTC)", None),
        ("rate limit, retrying 2/5", None),
        ("rate limit, trying again (2/5)", None),
        ("Please retry in 18.5s.", 1_790_000_018.5),
        ("Your quota will reset after 5h12m3s.", 1_790_000_000 + 5 * 3600 + 12 * 60 + 3),
        ("try again at 4:13:50 PM.", 1_790_000_030),
        # In this minute, and just past: soon, and never tomorrow.
        ("try again at 4:13 PM.", 1_790_000_040),
        ("try again at 4:12 PM.", 1_790_000_060),
        ("resets 4pm", 1_790_000_060),
        ("try again later", None),
        ("resets 25pm", None),
        ("resets 9am (Nowhere/Atlantis)", None),
        ("resets 9am (../../etc/passwd)", None),
        ("try again at Feb 31st, 2027 9:00 AM", None),
        ("Claude AI usage limit reached|99999999999", 99_999_999_999),
        # Days by their dates: with a zone, with an offset, and without either.
        ("You will regain access on 2026-10-01 at 00:00 UTC.", 1_790_812_860),
        ("Usage limit reached for 5 hour. Your limit will reset at 2026-09-21 20:43:57", 1_790_016_237),
        ("resets at 2026-09-21T20:00:00.123-07:00", 1_790_046_000),
        ('"quotaResetTimeStamp": "2026-09-21T18:00:00Z"', 1_790_013_600),
        ("Retry-After: Wed, 23 Sep 2026 07:28:00 GMT", 1_790_148_480),
        ("resets 09:25 on 12 Nov", 1_794_471_960),
        ("available again on October 1st, 2026", 1_790_805_600),
        ("resets 2026-02-30 10:00", None),
        # Days of the week: of today's the next one, once it is past.
        ("resets Monday 9am", 1_790_578_800),
        ("resets Mon 10:00pm", 1_790_020_860),
        ("resets Thursday at 9:00 AM PDT", 1_790_265_660),
        ("resets Sunday", 1_790_460_000),
        ("resets tomorrow at 9am", 1_790_060_400),
        # Clocks of 24 hours; one digit without its half of the day is the next of both.
        ("resets at 21:30", 1_790_019_060),
        ("Please wait until 09:00.", 1_790_060_460),
        ("resets at 9:30", 1_790_019_060),
        ("resets at 24:30", None),
        ("reset at midnight (UTC)", 1_790_035_200),
        # Zones in brackets and without, by name, offset and abbreviation.
        ("Access resets at 10:57 PM GMT-3.", 1_790_042_280),
        ("reset at 1pm (Etc/GMT+5)", 1_790_013_600),
        ("resets 9pm (Pacific Time)", 1_790_049_600),
        ("resets 9pm (UTC+05:30)", 1_790_004_600),
        ("resets 9pm (local time)", 1_790_017_200),
        # Durations, in words and in fields.
        ("Resets in 3 days", 1_790_000_000 + 3 * 86_400),
        ("Resets in 2 weeks", 1_790_000_000 + 14 * 86_400),
        ("Retry in 2hr 5min.", 1_790_000_000 + 7_500),
        ("try again in about an hour", 1_790_003_600),
        ('"retryDelay": "34s"', 1_790_000_034),
        ("Retry-After: 30", 1_790_000_030),
        ('{"resets_in_seconds":3600}', 1_790_003_600),
        ('{"resets_at":1790003600000}', 1_790_003_600),
        ("resets 5 hours ago", None),
        # Of several the first that is ahead.
        ("5-hour limit: resets 6pm; weekly limit: resets Friday 9am", 1_790_006_400),
        ("It reset at 2026-09-20 10:00. Try again in 20s.", 1_790_000_020),
    ],
)
def test_a_time_of_reset_is_understood(sentence: str, seconds: int | None) -> None:
    """A clock time is the next such one, without its seconds the end of that minute; without a zone this machine's."""
    assert reset_time(sentence, NOW) == (None if seconds is None else int(seconds * 1_000_000))


@pytest.mark.parametrize(
    "said",
    [
        "You're out of extra usage · resets 9pm",
        "5-hour limit reached ∙ resets 10pm",
        "You've hit your org's monthly usage limit",
        "You have exceeded your Copilot token usage",
        "You\u2019ve hit your usage limit. Try again at 6:13 PM.",
        "You have exhausted your capacity on this model. Your quota will reset after 5h12m3s.",
        "Claude AI usage limit reached|1790003600",
        "You exceeded your current quota, please check your plan and billing details. Please retry in 58.8s.",
        "You exceeded your current quota, please check your plan and billing details. For more information on this"
        " error, head to: https://ai.google.dev/gemini-api/docs/rate-limits.",
    ],
)
def test_an_account_that_is_used_up_is_a_limit(said: str) -> None:
    quota = quota_of(said, NOW)
    assert quota is not None
    assert not quota.is_brief


@pytest.mark.parametrize(
    ("said", "resets_at"),
    [
        ("exceeded retry limit, last status: 429 Too Many Requests", None),
        ("Rate limit reached for requests. Please try again in 20s.", Instant(NOW + 20_000_000)),
        ("RESOURCE_EXHAUSTED", None),
    ],
)
def test_a_rate_within_a_minute_is_a_brief_limit(said: str, resets_at: Instant | None) -> None:
    assert quota_of(said, NOW) == QuotaReached(resets_at=resets_at, is_brief=True)


@pytest.mark.parametrize(
    ("said", "days"),
    [
        ("You've hit your weekly limit · resets Sep 28, 9am (UTC)", 6.78),
        ("You've hit your weekly limit · resets Oct 6, 1pm (UTC)", None),
        ("You've hit your usage limit · resets Aug 6, 1pm (UTC)", None),
        ("You've reached your monthly limit. Try again in 30 days.", 30),
        ("You've reached your monthly session limit. Try again in 30 days.", 30),
        ("You've hit your usage limit. Try again in 30 days.", 30),
        ("You've hit your usage limit. Try again in 40 days.", None),
        ("You've hit your session limit. Try again in 9 days.", None),
        ("5-hour limit reached ∙ resets Oct 2, 9am (UTC)", None),
        ("You've hit your weekly limit · resets Thursday 9am (UTC)", 2.78),
        ("Monthly usage limit reached. Resets in 12 days.", 12),
        ("Weekly usage limit reached. Resets on 2026-10-05.", None),
        (f"Claude AI usage limit reached|{1_790_000_000 + 40 * 86_400}", None),
        ("Rate limit reached for requests. Please try again in 40 days.", None),
    ],
)
def test_no_window_opens_later_than_its_kind_allows(said: str, days: float | None) -> None:
    """A time beyond that was misread, or is none: it counts as unknown."""
    quota = quota_of(said, NOW)
    assert quota is not None
    found = None if quota.resets_at is None else round((quota.resets_at - NOW) / 86_400_000_000, 2)
    assert found == days


@pytest.mark.parametrize("said", ["", "Invalid API key"])
def test_other_failures_are_no_limit(said: str) -> None:
    assert quota_of(said, NOW) is None


@pytest.mark.parametrize(
    "said",
    [
        "Your credit balance is too low to access the API.",
        "Quota exceeded. Check your plan and billing details.",
        "429 You exceeded your current quota, please check your plan and billing details.",
        "429 insufficient_quota",
        "Billing hard limit has been reached",
    ],
)
def test_an_account_without_money_is_no_limit(said: str) -> None:
    """No waiting helps: somebody has to pay."""
    assert quota_of(said, NOW) is None


@pytest.mark.parametrize(
    "said",
    [
        "Prompt is too long",
        "Prompt is too long · the request is ~210000 tokens (limit 200000)",
        "Codex ran out of room in the model's context window. Start a new thread or clear earlier history.",
        "Context limit reached · /compact or /clear to continue",
        "413 Request too large",
        "API Error: 413 Prompt is too large",
        'API Error: 413 {"error":{"type":"request_too_large","message":"Request exceeds the maximum size"}}',
        "413 Request Entity Too Large",
        "Conversation too long. Press esc twice to go up a few messages and try again.",
        "Your input exceeds the context window of this model. Please adjust your input and try again.",
        "This model's maximum context length is 128000 tokens",
        "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
        "No conversation found with session ID: 11111111-1111-4111-8111-111111111111",
        "thread/resume failed: no rollout found for thread id 0199a213 (code -32600)",
        'Error resuming session: Invalid session identifier "11111111".',
        "Error: No session, task, or name matched '11111111'.",
        "Error: Session not found",
        "No saved session found with ID 11111111. Run `qwen --resume`.",
    ],
)
def test_a_full_or_missing_conversation_is_known(said: str) -> None:
    assert is_lost_conversation(said)


@pytest.mark.parametrize("said", ["Invalid API key", "the tests are too long", "file not found", "unknown model"])
def test_other_failures_lose_no_conversation(said: str) -> None:
    assert not is_lost_conversation(said)


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("one\ntwo\n", "two"),
        (
            "Error: no rollout found (code -32600)\n\nStack backtrace:\n   0: <unknown>\n   9: <unknown>\n",
            "Error: no rollout found (code -32600)",
        ),
        ("noise\nError: no such session\n\nTry --list.\n", "Error: no such session\nTry --list."),
        ("Error: old\n" + "x" * 600 + "\nlast", "last"),
        ("", ""),
    ],
)
def test_the_last_error_is_told_whole(output: str, said: str) -> None:
    """Without the list of calls that led there."""
    assert last_words(output) == said


def test_a_report_keeps_what_a_store_keeps() -> None:
    report = TurnReport(text="a" * 30_000 + "end\0\ud800", note="n" * 5_000, claim=Claim.BLOCKED)
    assert report.text == "a" * 19_995 + "end\ufffd"
    assert report.note == "n" * 4_000


@pytest.mark.parametrize(
    "fields",
    [
        {"claim": Claim.WAITING},
        {"claim": Claim.COMPLETE, "wake": Wake(signal="ci")},
        {"session": "x" * 1_001},
        {"session": "a\0b"},
        {"tool_effects": -1},
        {"tool_effects": True},
    ],
)
def test_contradictory_reports_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises((InvalidInput, InvalidNumber)):
        TurnReport(text="", **fields)


@pytest.mark.parametrize("fields", [{}, {"signal": ""}, {"signal": "x" * 201}, {"at": -1}])
def test_a_wait_without_an_end_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises((InvalidInput, InvalidNumber)):
        Wake(**fields)
