"""What coding hosts print, line by line, and what damage to it means."""

import json
from pathlib import Path
from typing import Any

import pytest

from telic import ModelUsage
from telic.loop.agents.claude_code import ClaudeCodeParser
from telic.loop.agents.codex import CodexParser
from telic.loop.agents.copilot import CopilotParser
from telic.loop.agents.formats import CumulativeSession, OutputParser, Parsed, read_session
from telic.loop.agents.gemini import GeminiParser
from telic.loop.agents.json_reader import used_since
from telic.loop.agents.opencode import OpencodeParser
from telic.loop.agents.protocol import Claim, QuotaReached
from telic.loop.agents.qwen import QwenParser
from telic.types import Instant

SAMPLES = Path(__file__).parent / "samples"
NOW = Instant(1_989_990_000_000_000)
RESET = Instant(1_990_000_000_000_000)
UNKNOWN_SESSION = "11111111-1111-4111-8111-111111111111"


def lines_of(name: str) -> list[bytes]:
    return (SAMPLES / name).read_bytes().splitlines()


def parse(parser: OutputParser, lines: list[bytes]) -> Parsed:
    for line in lines:
        parser.take(line)
    return parser.parsed(NOW)


def claude(name: str, session: str | None = None) -> Parsed:
    return parse(ClaudeCodeParser(session), lines_of(name))


def codex(name: str, session: str | None = None) -> Parsed:
    return parse(CodexParser(session), lines_of(name))


ONE_CALL = ModelUsage(input_tokens=1_110, cached_input_tokens=1_000, output_tokens=42, cost_microunits=1_580)
TWO_CALLS = ModelUsage(input_tokens=2_220, cached_input_tokens=2_000, output_tokens=84, cost_microunits=3_160)


def test_a_turn_of_claude_code() -> None:
    """Both calls are billed once, cached input is part of the input, the tool call counts, the last line claims."""
    parsed = claude("claude_code_turn.jsonl")
    assert parsed.usage == TWO_CALLS
    assert parsed.model == "claude-opus-5-5"
    assert parsed.text == "Hello\n\nTELIC: complete"
    assert parsed.statement.claim is Claim.COMPLETE
    assert (parsed.tool_effects, parsed.tool_output_tail) == (None, "hi"), "what changed is seen in the workspace"
    assert (parsed.finished, parsed.failure, parsed.quota, parsed.broken) == (True, None, None, None)
    assert parsed.session is not None
    assert read_session(parsed.session) == CumulativeSession(parsed.session.split()[0], TWO_CALLS)


def test_a_resumed_turn_of_claude_code_pays_for_itself_alone() -> None:
    """The session's totals are three calls; this turn made one."""
    first = claude("claude_code_turn.jsonl")
    second = claude("claude_code_resumed.jsonl", first.session)
    assert second.usage == ONE_CALL
    # This format does not tell the turn's share: it is the difference to what the session had used.
    third = claude("claude_code_resumed.json", second.session)
    assert third.usage == ONE_CALL
    assert first.session is not None
    assert (second.session or "").split()[0] == (third.session or "").split()[0] == first.session.split()[0]


def test_a_session_that_others_began_has_no_known_share_without_one_told() -> None:
    alien = claude("claude_code_turn.jsonl").session or ""
    assert claude("claude_code_resumed.json", alien.split()[0]).usage is None
    assert claude("claude_code_resumed.jsonl", alien.split()[0]).usage == ONE_CALL


def test_a_single_json_object_of_claude_code() -> None:
    parsed = claude("claude_code.json")
    assert (parsed.usage, parsed.statement.claim) == (ONE_CALL, Claim.COMPLETE)


def test_a_list_of_messages_is_read_alike() -> None:
    """As `--output-format json --verbose` prints them."""
    whole = b"[" + b",".join(lines_of("claude_code_turn.jsonl")) + b"]"
    assert parse(ClaudeCodeParser(), [whole]) == claude("claude_code_turn.jsonl")


def test_its_own_limit_of_steps_is_no_failure() -> None:
    parsed = claude("claude_code_max_turns.jsonl")
    assert (parsed.failure, parsed.boundary, parsed.statement.claim) == (None, True, Claim.COMPLETE)
    assert parsed.usage == ONE_CALL


def test_a_lost_session_is_not_named_again() -> None:
    parsed = claude("claude_code_session_lost.jsonl", UNKNOWN_SESSION)
    assert parsed.failure == f"No conversation found with session ID: {UNKNOWN_SESSION}"
    assert parsed.session is None


@pytest.mark.parametrize(
    ("name", "quota"),
    [("429", QuotaReached(is_brief=True)), ("rate_limit", QuotaReached(resets_at=RESET))],
)
def test_claude_codes_limit_is_a_quota(name: str, quota: QuotaReached) -> None:
    parsed = claude(f"claude_code_{name}.jsonl")
    assert (parsed.quota, parsed.failure) == (quota, None)
    assert parsed.usage == ModelUsage()
    assert parsed.session is not None


def test_a_limit_is_a_quota_also_when_the_command_waits_for_its_end() -> None:
    assert parse(ClaudeCodeParser(), lines_of("claude_code_rate_limit.jsonl")[:2]).quota == QuotaReached(
        resets_at=RESET
    )


def test_the_banner_of_old_releases_is_a_quota() -> None:
    result = {
        "type": "result",
        "subtype": "success",
        "is_error": False,
        "result": "Claude AI usage limit reached|1990000000",
    }
    assert parse(ClaudeCodeParser(), [json.dumps(result).encode()]).quota == QuotaReached(resets_at=RESET)


def test_talk_about_limits_is_no_quota() -> None:
    result = {
        "type": "result",
        "is_error": False,
        "result": "I documented what happens when you've hit your usage limit.",
    }
    assert parse(ClaudeCodeParser(), [json.dumps(result).encode()]).quota is None


def test_a_turn_cut_short_has_a_lower_bound_of_usage() -> None:
    """The same message comes once for each of its blocks, and is counted once."""
    parsed = parse(ClaudeCodeParser(), lines_of("claude_code_turn.jsonl")[:-1])
    assert not parsed.finished
    assert parsed.usage == ModelUsage(input_tokens=2_220, cached_input_tokens=2_000, output_tokens=2)


def test_a_release_that_counts_each_process_by_itself() -> None:
    """Older ones report no more than this turn; nothing is subtracted from it."""
    result = json.loads((SAMPLES / "claude_code.json").read_text())
    session = str(CumulativeSession(result["session_id"], ModelUsage(input_tokens=1_000, output_tokens=40)))
    assert parse(ClaudeCodeParser(session), [json.dumps(result).encode()]).usage == ONE_CALL


def test_a_release_without_models_has_its_totals() -> None:
    result = json.loads((SAMPLES / "claude_code.json").read_text())
    del result["modelUsage"]
    assert parse(ClaudeCodeParser(), [json.dumps(result).encode()]).usage == ONE_CALL


FIRST_TURN = ModelUsage(input_tokens=200, cached_input_tokens=60, output_tokens=40, reasoning_tokens=10)


def test_a_turn_of_codex() -> None:
    parsed = codex("codex_turn.jsonl")
    assert parsed.usage == FIRST_TURN
    assert (parsed.text, parsed.statement.claim) == ("Hello\n\nTELIC: complete", Claim.COMPLETE)
    assert parsed.tool_output_tail == "$ /bin/bash -lc 'echo hi > file.txt; echo hi'\nhi\n[exit code 0]"
    assert (parsed.finished, parsed.failure, parsed.quota, parsed.broken) == (True, None, None, None)


def test_a_resumed_turn_of_codex_pays_for_itself_alone() -> None:
    """The thread's total is 300 input tokens; this turn used 100."""
    second = codex("codex_resumed.jsonl", codex("codex_turn.jsonl").session)
    assert second.usage == ModelUsage(input_tokens=100, cached_input_tokens=30, output_tokens=20, reasoning_tokens=5)


def test_a_thread_that_others_began_has_no_known_share() -> None:
    thread = (codex("codex_turn.jsonl").session or "").split()[0]
    parsed = codex("codex_resumed.jsonl", thread)
    assert parsed.usage is None
    assert parsed.session == f"{thread} used 300,90,60,15,0,0"


def test_what_a_lost_turn_used_is_told_by_the_next() -> None:
    """A turn that was killed has unknown usage; its thread's total is not forgotten."""
    killed = parse(CodexParser(), lines_of("codex_turn.jsonl")[:-1])
    assert (killed.usage, killed.finished) == (None, False)
    assert codex("codex_resumed.jsonl", killed.session).usage == ModelUsage(
        input_tokens=300, cached_input_tokens=90, output_tokens=60, reasoning_tokens=15
    )


def test_codex_usage_limit_is_a_quota() -> None:
    """The sentence has a typographic apostrophe, and the time of this machine's zone."""
    parsed = codex("codex_usage_limit.jsonl")
    assert parsed.quota is not None
    assert parsed.quota.resets_at is not None
    # The sample was recorded in UTC; it names minutes.
    assert abs(parsed.quota.resets_at - RESET) < 15 * 3600 * 1_000_000


def test_a_failed_turn_of_codex() -> None:
    parsed = codex("codex_failed.jsonl")
    assert "high demand" in (parsed.failure or "")
    assert (parsed.quota, parsed.usage) == (None, None)


def test_a_passing_error_of_codex_is_no_failure() -> None:
    error = b'{"type":"error","message":"Reconnecting... 1/5"}'
    lines = lines_of("codex_turn.jsonl")
    assert parse(CodexParser(), [*lines[:3], error, *lines[3:]]).failure is None
    assert parse(CodexParser(), [*lines[:3], error]).failure == "Reconnecting... 1/5"


def lines(*messages: dict[str, Any]) -> list[bytes]:
    return [json.dumps(fields).encode() for fields in messages]


def qwen_said(text: str, tokens: int = 0) -> tuple[dict[str, Any], dict[str, Any]]:
    """The two messages in which Qwen Code has a text: its provider's errors too, of a turn that it calls a success."""
    counts = {"input_tokens": tokens, "output_tokens": tokens}
    content = [{"type": "text", "text": text}]
    return (
        {"type": "assistant", "message": {"id": text, "content": content, "usage": counts}},
        {"type": "result", "subtype": "success", "is_error": False, "result": text, "usage": counts},
    )


OPENCODE_ERROR = {"name": "APIError", "data": {"message": "token expired", "statusCode": 401}}
COPILOT_TURN = ({"type": "assistant.turn_start", "data": {}}, {"type": "model.call_start", "data": {}})
COPILOT_REFUSED = (
    {"type": "model.call_failure", "data": {"statusCode": 403}},
    {"type": "model.call_finished", "data": {"outcome": "error"}},
    {"type": "session.error", "data": {"message": "Execution failed"}},
    {"type": "result", "sessionId": "s", "exitCode": 1},
)
REFUSED: dict[str, tuple[str, list[bytes], list[bytes]]] = {
    "codex, a limit": (
        "codex",
        lines({"type": "thread.started", "thread_id": "t"}, {"type": "item.completed", "item": {"type": "error"}}),
        lines({"type": "turn.failed", "error": {"message": "You've hit your usage limit."}}),
    ),
    "codex, 401": (
        "codex",
        lines({"type": "thread.started", "thread_id": "t"}),
        lines({"type": "turn.failed", "error": {"message": "unexpected status 401 Unauthorized: invalid x-api-key"}}),
    ),
    "gemini, 429": (
        "gemini",
        lines({"type": "init", "session_id": "g"}, {"type": "message", "role": "user", "content": "go"}),
        lines({"type": "error", "message": '[API Error: {"error":{"code":429,"message":"slow down"}}]'}),
    ),
    "copilot, 403": ("copilot", lines(*COPILOT_TURN), lines(*COPILOT_REFUSED)),
    "opencode, 401": ("opencode", [], lines({"type": "error", "sessionID": "o", "error": OPENCODE_ERROR})),
    "opencode, full": (
        "opencode",
        [],
        lines({"type": "error", "error": {"name": "APIError", "data": {"message": "prompt is too long: 9 > 8"}}}),
    ),
    "qwen, 401": (
        "qwen",
        lines({"type": "system", "subtype": "init", "session_id": "q"}),
        lines(*qwen_said("[API Error: 401 invalid api key]")),
    ),
    "claude, a limit": (
        "claude",
        lines({"type": "system", "subtype": "init", "session_id": "c"}),
        lines({"type": "result", "is_error": True, "result": "5-hour limit reached"}),
    ),
}
ANSWERS: dict[str, list[bytes]] = {
    "codex": lines({"type": "item.completed", "item": {"type": "agent_message", "text": "I begin."}}),
    "gemini": lines({"type": "message", "role": "assistant", "content": "I begin."}),
    "copilot": lines({"type": "model.call_finished", "data": {"outcome": "success"}}),
    "opencode": lines({"type": "step_start", "sessionID": "o"}),
    "qwen": lines({"type": "assistant", "message": {"content": [{"type": "text", "text": "I begin."}]}}),
    "claude": lines({"type": "assistant", "message": {"id": "m", "model": "claude-opus-5-5", "content": []}}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_first_request_that_was_refused_used_nothing(name: str) -> None:
    """No host tells usage with it; where the model had answered before, its usage is unknown."""
    host, before, refused = REFUSED[name]
    parsed = parse(PARSERS[host](), [*before, *refused])
    assert (parsed.usage, parsed.is_estimate) == (ModelUsage(), False)
    assert parsed.quota is not None or parsed.failure
    assert parse(PARSERS[host](), [*before, *ANSWERS[host], *refused]).usage is None


@pytest.mark.parametrize("host", ["codex", "copilot", "opencode", "qwen"])
def test_another_failure_proves_nothing(host: str) -> None:
    """A request may have been answered before the connection was lost: its usage stays unknown."""
    lost = "stream disconnected before completion"
    failed = {
        "codex": lines(
            {"type": "thread.started", "thread_id": "t"}, {"type": "turn.failed", "error": {"message": lost}}
        ),
        "copilot": lines({"type": "session.error", "data": {"message": lost}}, {"type": "result", "exitCode": 1}),
        "opencode": lines({"type": "error", "error": {"name": "Error", "data": {"message": lost}}}),
        "qwen": lines(*qwen_said(f"[API Error: {lost}]")),
    }
    parsed = parse(PARSERS[host](), failed[host])
    assert (parsed.usage, parsed.failure is None) == (None, False)


def test_an_error_that_qwen_prints_as_its_answer_is_a_failure() -> None:
    """The whole answer is the error; one that only speaks of an error is none."""
    parsed = parse(QwenParser(), lines(*qwen_said("[API Error: Connection error. (cause: fetch failed)]")))
    assert parsed.failure == "[API Error: Connection error. (cause: fetch failed)]"
    assert parse(QwenParser(), lines(*qwen_said("I saw [API Error: 401] in the log.", 9))).failure is None


def test_all_zeros_of_codex_are_unknown() -> None:
    """It prints them where nothing was counted."""
    done = {"type": "turn.completed", "usage": {"input_tokens": 0, "cached_input_tokens": 0, "output_tokens": 0}}
    parsed = parse(CodexParser(), [*lines_of("codex_turn.jsonl")[:-1], json.dumps(done).encode()])
    assert (parsed.usage, parsed.finished) == (None, True)


def test_a_count_that_fell_began_anew() -> None:
    before, total = ModelUsage(input_tokens=100, output_tokens=9), ModelUsage(input_tokens=40, output_tokens=10)
    assert used_since(before, total) == total
    assert used_since(ModelUsage(), total) == total


@pytest.mark.parametrize("text", ["--last", "-x", "", "a b", "id used 1,2", "id used 1,9,1,1,1,1"])
def test_a_session_is_never_an_option(text: str) -> None:
    session = read_session(text)
    assert session is None or session == CumulativeSession("id")


def altered(name: str, change: Any) -> list[bytes]:
    *rest, last = lines_of(name)
    fields = json.loads(last)
    change(fields)
    return [*rest, json.dumps(fields).encode()]


@pytest.mark.parametrize("count", [-1, 1.5, True, "many", 1e400, [1]])
def test_absurd_counts_are_broken_and_unknown(count: object) -> None:
    def claude_change(fields: dict[str, Any]) -> None:
        fields["model_usage_since_last_result"]["claude-opus-5-5"]["outputTokens"] = count

    parsed = parse(ClaudeCodeParser(), altered("claude_code_turn.jsonl", claude_change))
    assert (parsed.usage, parsed.broken is None) == (None, False)
    parsed = parse(
        CodexParser(), altered("codex_turn.jsonl", lambda fields: fields["usage"].update(input_tokens=count))
    )
    assert (parsed.usage, parsed.broken is None) == (None, False)


@pytest.mark.parametrize("cost", [-0.1, True, "1", float("nan"), float("inf")])
def test_absurd_costs_are_broken_and_unknown(cost: object) -> None:
    def change(fields: dict[str, Any]) -> None:
        fields["model_usage_since_last_result"]["claude-opus-5-5"]["costUSD"] = cost

    parsed = parse(ClaudeCodeParser(), altered("claude_code_turn.jsonl", change))
    assert (parsed.usage, parsed.broken is None) == (None, False)


@pytest.mark.parametrize("missing", ["input_tokens", "output_tokens"])
def test_missing_counts_are_unknown_and_not_broken(missing: str) -> None:
    parsed = parse(CodexParser(), altered("codex_turn.jsonl", lambda fields: fields["usage"].pop(missing)))
    assert (parsed.usage, parsed.broken) == (None, None)


PARSERS: dict[str, Any] = {
    "claude": ClaudeCodeParser,
    "codex": CodexParser,
    "copilot": CopilotParser,
    "gemini": GeminiParser,
    "opencode": OpencodeParser,
    "qwen": QwenParser,
}
SAMPLE_FILES = [path.name for path in sorted(SAMPLES.glob("*.json*")) if "rollout" not in path.name]


_OTHERS = ("codex", "copilot", "gemini", "opencode", "qwen")


def parser_of(name: str) -> Any:
    return PARSERS[name.partition("_")[0]]


@pytest.mark.parametrize("name", SAMPLE_FILES)
def test_news_of_later_releases_do_no_harm(name: str) -> None:
    """Unknown fields, unknown types and lines that are no JSON change nothing."""
    make = parser_of(name)
    lines: list[bytes] = []
    for line in lines_of(name):
        extended = json.loads(line) | {"news": {"nested": [1, {"deep": None}]}, "type_of_news": 1}
        lines += [
            json.dumps(extended).encode(),
            b'{"type":"future.event","usage":{"input_tokens":9}}',
            b"warning: \xff",
            b"[[[",
            b"7",
            b"",
        ]
    assert parse(make(), lines) == parse(make(), lines_of(name))


@pytest.mark.parametrize("name", SAMPLE_FILES)
def test_output_cut_off_anywhere_never_crashes(name: str) -> None:
    """Nor does it count more than the whole."""
    make = parser_of(name)
    text = (SAMPLES / name).read_bytes()
    whole = parse(make(), lines_of(name)).usage
    for length in range(0, len(text), 23):
        usage = parse(make(), text[:length].splitlines()).usage
        assert usage is None or (whole is not None and usage.input_tokens <= whole.input_tokens)


HOSTILE = [None, 0, "", [], {}, [None], [[]], {"content": 3}, {"content": [3]}, "\ud800", -1, {"x": None}]


@pytest.mark.parametrize(
    "name",
    [f"{name}.jsonl" for name in ("claude_code_turn", "claude_code_partial", *(f"{host}_turn" for host in _OTHERS))],
)
@pytest.mark.parametrize("value", HOSTILE, ids=repr)
def test_any_value_anywhere_is_survived(name: str, value: object) -> None:
    make = parser_of(name)
    for line in lines_of(name):
        fields = json.loads(line)
        for key in fields:
            parse(make(), [json.dumps(fields | {key: value}).encode()])
        for key, inner in fields.items():
            for inside in inner if isinstance(inner, dict) else ():
                parse(make(), [json.dumps(fields | {key: inner | {inside: value}}).encode()])
    parse(make(), [b"[" * 100_000, b'{"a":' * 100_000, b"1" * 10_000])
