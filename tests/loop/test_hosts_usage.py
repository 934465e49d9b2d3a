"""What hosts tell of usage, in what they print and in files of their own: each response once, and none left out."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

import telic
from telic import ModelUsage
from telic.loop.agents.claude_code import ClaudeCodeParser
from telic.loop.agents.claude_usage import model_name, whole_usage
from telic.loop.agents.codex import CodexParser, CodexRollouts
from telic.loop.agents.copilot import CopilotParser, CopilotStore
from telic.loop.agents.formats import CumulativeSession, OutputParser, Parsed, read_session
from telic.loop.agents.gemini import GeminiParser, GeminiRecordings
from telic.loop.agents.opencode import OpencodeDatabase, OpencodeParser
from telic.loop.agents.output_follower import RunningCost
from telic.loop.agents.protocol import Claim
from telic.loop.agents.qwen import QwenParser
from telic.types import Instant

SAMPLES = Path(__file__).parent / "samples"
NOW = Instant(1_790_000_000_000_000)


def lines_of(name: str) -> list[bytes]:
    return (SAMPLES / name).read_bytes().splitlines()


def fed(parser: OutputParser, name: str, *, without_last: int = 0) -> OutputParser:
    lines = lines_of(name)
    for line in lines[: len(lines) - without_last]:
        parser.take(line)
    return parser


def parsed(parser: OutputParser, name: str, *, without_last: int = 0) -> Parsed:
    return fed(parser, name, without_last=without_last).parsed(NOW)


def tokens(usage: ModelUsage | None) -> int | None:
    return None if usage is None else usage.input_tokens + usage.output_tokens


def test_a_sub_agent_in_a_resumed_session_of_claude_code_is_billed() -> None:
    """This release counts each process by itself: what looks like the former turn's sum is the sub-agent's."""
    first = parsed(ClaudeCodeParser(), "claude_code_2.1.197_sub_agent_first.jsonl")
    later = parsed(ClaudeCodeParser(first.session), "claude_code_2.1.197_sub_agent_later.jsonl")
    assert (tokens(first.usage), tokens(later.usage)) == (75_395, 183_679)
    assert later.usage is not None
    assert later.usage.cost_microunits == 916_553


def test_a_model_is_the_same_whatever_its_context() -> None:
    """The first turn tells its size, later ones do not."""
    models = [
        parsed(ClaudeCodeParser(), f"claude_code_2.1.197_sub_agent_{which}.jsonl").model for which in ("first", "later")
    ]
    assert models == ["claude-opus-4-8", "claude-opus-4-8"]
    assert (model_name("claude-x[200K]"), model_name("[1m]"), model_name(None)) == ("claude-x", None, None)


def test_responses_of_a_turn_that_was_cut_off_are_known() -> None:
    """With partial messages their output is known too, but for a sub-agent's, of which nobody tells the end."""
    whole = parsed(ClaudeCodeParser(), "claude_code_partial.jsonl")
    cut = fed(ClaudeCodeParser(), "claude_code_partial.jsonl", without_last=1)
    assert (tokens(whole.usage), tokens(cut.so_far().usage)) == (5_680, 5_680 - 42 + 1)
    assert cut.parsed(NOW).is_estimate
    assert not whole.is_estimate


def test_usage_of_claude_code_only_grows_within_a_turn() -> None:
    parser = ClaudeCodeParser()
    seen = [0]
    for line in lines_of("claude_code_partial.jsonl"):
        parser.take(line)
        seen.append(tokens(parser.so_far().usage) or 0)
    assert seen == sorted(seen)


def test_money_is_counted_while_a_turn_runs() -> None:
    """By the table of prices, where the agent tells tokens alone; piece by piece, as the responses came."""
    with telic.connect(":memory:") as store:
        limited = store.create("limited", budget=telic.Budget(cost_microunits=10_000_000))
        free = store.create("free")
    cost = RunningCost(limited)
    one, two = ModelUsage(input_tokens=1_000_000), ModelUsage(input_tokens=1_000_000, output_tokens=100_000)
    first, second = cost.added_to(one, "gpt-4o"), cost.added_to(two, "gpt-4o")
    assert (first.cost_microunits, second.cost_microunits) == (2_500_000, 3_500_000)
    assert cost.added_to(two, "gpt-4o") == second
    told = ModelUsage(input_tokens=5, cost_microunits=7)
    assert RunningCost(limited).added_to(told, "gpt-4o") == told
    assert RunningCost(free).added_to(one, "gpt-4o") == one
    assert RunningCost(limited).added_to(one, "no-such-model") == one
    assert RunningCost(limited).added_to(one, None) == one


def test_an_advisors_answers_are_a_part_of_the_response() -> None:
    """The response's own counts leave them out, and a compaction too."""
    own = {"input_tokens": 2, "output_tokens": 8, "cache_read_input_tokens": 4}
    iterations = [
        {"type": "message", "input_tokens": 1, "output_tokens": 4},
        {"type": "advisor_message", "model": "m", "input_tokens": 1_000, "output_tokens": 50},
        {"type": "compaction", "input_tokens": 300, "output_tokens": 7, "cache_read_input_tokens": 20},
        {"type": "message", "input_tokens": 1, "output_tokens": 4},
    ]
    assert whole_usage(own | {"iterations": iterations}) == ModelUsage(
        input_tokens=6 + 1_000 + 320, cached_input_tokens=24, output_tokens=65
    )
    assert whole_usage(own | {"iterations": []}) == whole_usage(own | {"iterations": None}) == whole_usage(own)


THREAD = json.loads(lines_of("codex_rollout.jsonl")[0])["payload"]["id"]
SUB_THREAD = json.loads(lines_of("codex_rollout_sub_agent.jsonl")[0])["payload"]["id"]


@pytest.fixture
def rollouts(tmp_path: Path) -> Path:
    folder = tmp_path / "codex" / "sessions" / "2026" / "11" / "27"
    folder.mkdir(parents=True)
    return folder


def codex_files(folder: Path, session: str | None = None) -> CodexRollouts:
    return CodexRollouts({"CODEX_HOME": str(folder.parents[3])}, session)


def put(folder: Path, thread: str, lines: list[bytes]) -> Path:
    path = folder / f"rollout-2026-11-27T22-25-29-{thread}.jsonl"
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def codex_turn(total: dict[str, int] | None = None) -> Parsed:
    parser = CodexParser()
    parser.take(json.dumps({"type": "thread.started", "thread_id": THREAD}).encode())
    if total is not None:
        parser.take(json.dumps({"type": "turn.completed", "usage": total}).encode())
    return parser.parsed(NOW)


OWN = {"input_tokens": 3_980, "cached_input_tokens": 924, "output_tokens": 128}


def test_codex_bills_its_sub_agents_by_its_own_files(rollouts: Path) -> None:
    """And it is known which model it was."""
    files = codex_files(rollouts)
    files.begin()
    put(rollouts, THREAD, lines_of("codex_rollout.jsonl"))
    put(rollouts, SUB_THREAD, lines_of("codex_rollout_sub_agent.jsonl"))
    put(rollouts, "0199a213-81c0-7800-8aa1-bbab2a035a53", [b'{"type":"session_meta","payload":{"session_id":"x"}}'])
    found = files.improve(codex_turn(OWN))
    assert (tokens(found.usage), found.model) == (6_865, "gpt-5.1-codex")
    assert found.session == f"{THREAD} used 3980,924,128,3,0,0"
    assert tokens(files.improve(codex_turn(OWN)).usage) == 6_865, "however often it is read"


def test_codex_is_read_while_it_works(rollouts: Path) -> None:
    """Each response as soon as it is on file; what came before the turn is no part of it."""
    lines = lines_of("codex_rollout.jsonl")
    put(rollouts, THREAD, lines[:3])
    files = codex_files(rollouts, f"{THREAD} used 1310,303,41,1,0,0")
    files.begin()
    assert files.improve(codex_turn()).usage is None
    path = put(rollouts, THREAD, lines[:5])
    assert tokens(files.improve(codex_turn()).usage) == 1_362
    path.write_bytes(b"\n".join(lines) + b"\n" + b'{"type":"token_usage_rec')
    assert tokens(files.improve(codex_turn()).usage) == 1_362 + 1_395


def test_a_forked_sub_agent_of_codex_begins_with_no_cost(rollouts: Path) -> None:
    """The copy of its parent's history names responses that are paid for."""
    files = codex_files(rollouts)
    files.begin()
    own, sub = lines_of("codex_rollout.jsonl"), lines_of("codex_rollout_sub_agent.jsonl")
    put(rollouts, THREAD, own)
    put(rollouts, SUB_THREAD, [sub[0], *own[1:], *sub[1:]])
    assert tokens(files.improve(codex_turn(OWN)).usage) == 6_865


def test_a_sum_of_codex_that_began_anew_is_no_matter(rollouts: Path) -> None:
    """After an overflow the thread's sum is smaller than before; each response has been billed by itself."""
    lines = lines_of("codex_rollout.jsonl")
    put(rollouts, THREAD, lines[:3])
    files = codex_files(rollouts, f"{THREAD} used 900000,303,41,1,0,0")
    files.begin()
    put(rollouts, THREAD, lines)
    assert tokens(files.improve(codex_turn(OWN)).usage) == 1_362 + 1_395


def test_files_that_tell_less_than_codex_said_are_not_believed(rollouts: Path) -> None:
    """They are in the agent's reach."""
    files = codex_files(rollouts)
    files.begin()
    put(rollouts, THREAD, lines_of("codex_rollout.jsonl")[:3])
    assert tokens(files.improve(codex_turn(OWN)).usage) == 4_108


def test_codex_without_files_is_billed_by_what_it_says(tmp_path: Path) -> None:
    files = CodexRollouts({"HOME": str(tmp_path)}, None)
    files.begin()
    assert tokens(files.improve(codex_turn(OWN)).usage) == 4_108


def test_files_that_are_none_are_passed_over(rollouts: Path) -> None:
    """A pipe, a link, a folder, and lines of any kind in their place."""
    files = codex_files(rollouts)
    files.begin()
    (rollouts / "rollout-1-x.jsonl").symlink_to("/dev/zero")
    (rollouts / "rollout-2-x.jsonl").mkdir()
    hostile: list[Any] = [None, [], 1, "x", {"response_id": 1, "usage": {"input_tokens": -1, "output_tokens": True}}]
    rows = [json.dumps({"type": "token_usage_record", "payload": value}).encode() for value in hostile]
    put(rollouts, THREAD, [*rows, b"\xff", b"[" * 100_000, *lines_of("codex_rollout.jsonl")])
    assert tokens(files.improve(codex_turn(OWN)).usage) == 4_108


def test_gemini_is_billed_with_its_thoughts() -> None:
    """They are in the total alone."""
    first = parsed(GeminiParser(), "gemini_turn.jsonl")
    assert first.usage == ModelUsage(input_tokens=2_630, cached_input_tokens=609, output_tokens=86, reasoning_tokens=3)
    assert (first.text, first.model) == ("I looked at the code and go on next.", "gemini-2.5-pro")
    assert first.tool_output_tail == "def add(a, b):\n    return a - b"
    second = parsed(GeminiParser(first.session), "gemini_resumed.jsonl")
    assert (tokens(second.usage), second.statement.claim, second.session) == (1_376, Claim.COMPLETE, first.session)


def test_gemini_is_read_while_it_works(tmp_path: Path) -> None:
    """Its recording has what the line at the end would have told."""
    chats = tmp_path / ".gemini" / "tmp" / "project" / "chats"
    chats.mkdir(parents=True)
    files = GeminiRecordings({"HOME": str(tmp_path)}, None)
    files.begin()
    parser = fed(GeminiParser(), "gemini_turn.jsonl", without_last=1)
    session = parser.so_far().session or ""
    recording = lines_of("gemini_recording.jsonl")
    (chats / f"session-2026-11-27T22-26-{session[:8]}.jsonl").write_bytes(b"\n".join(recording[:-1]) + b"\n")
    assert tokens(files.improve(parser.so_far()).usage) == 2_716
    cut = files.improve(parser.parsed(NOW))
    assert (tokens(cut.usage), cut.is_estimate, cut.finished) == (2_716, True, False)
    resumed = GeminiRecordings({"HOME": str(tmp_path)}, session)
    resumed.begin()
    assert resumed.improve(Parsed(session=session)).usage is None
    with next(chats.iterdir()).open("ab") as file:
        file.write(recording[-1] + b"\n")
    assert tokens(resumed.improve(Parsed(session=session)).usage) == 1_376


def copilot_store(home: Path, session: str) -> sqlite3.Connection:
    home.joinpath(".copilot").mkdir(exist_ok=True)
    connection = sqlite3.connect(home / ".copilot" / "session-store.db")
    connection.execute(
        "CREATE TABLE assistant_usage_events (id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT, model TEXT,"
        " input_tokens INTEGER, output_tokens INTEGER, cache_read_tokens INTEGER, reasoning_tokens INTEGER,"
        " created_at TEXT)"
    )
    add_call(connection, session, 1_310, 41)
    add_call(connection, "another", 9_000, 9)
    return connection


def add_call(connection: sqlite3.Connection, session: str, asked: int, answered: int) -> None:
    connection.execute(
        "INSERT INTO assistant_usage_events (session_id, model, input_tokens, output_tokens, cache_read_tokens,"
        " reasoning_tokens, created_at) VALUES (?, 'm', ?, ?, 303, 1, '2026-11-27T22:26:03.431Z')",
        (session, asked, answered),
    )
    connection.commit()


def test_copilot_is_billed_by_its_store(tmp_path: Path) -> None:
    """The rows of its session that came since the turn began."""
    first = parsed(CopilotParser(), "copilot_turn.jsonl")
    assert (first.usage, first.text, first.finished) == (None, "I looked at the code and go on next.", True)
    session = first.session or ""
    store = copilot_store(tmp_path, session)
    files = CopilotStore({"HOME": str(tmp_path)}, session)
    files.begin()
    add_call(store, session, 1_320, 42)
    add_call(store, session, 1_330, 43)
    found = files.improve(parsed(CopilotParser(session), "copilot_resumed.jsonl"))
    assert (tokens(found.usage), found.model, found.statement.claim) == (2_735, "m", Claim.COMPLETE)
    store.close()


def test_copilot_is_followed_under_the_id_that_it_was_given(tmp_path: Path) -> None:
    """It names its session at its end alone, which a turn that is cut off never sees."""
    store = copilot_store(tmp_path, "begun-here")
    files = CopilotStore({"HOME": str(tmp_path)}, None)
    files.begin()
    assert tokens(files.improve(CopilotParser("begun-here").so_far()).usage) == 1_351
    store.close()


def test_opencode_tells_each_step() -> None:
    """Cached input beside the rest, reasoning beside the output."""
    first = parsed(OpencodeParser(), "opencode_turn.jsonl")
    assert first.usage == ModelUsage(input_tokens=2_650, cached_input_tokens=615, output_tokens=85, reasoning_tokens=5)
    assert (first.text, first.finished) == ("I looked at the code and go on next.", True)
    second = parsed(OpencodeParser(first.session), "opencode_resumed.jsonl")
    assert (tokens(second.usage), second.statement.claim, second.session) == (1_384, Claim.COMPLETE, first.session)
    assert parsed(OpencodeParser(), "opencode_turn.jsonl", without_last=1).is_estimate


def test_opencode_bills_its_sub_agents_by_its_database(tmp_path: Path) -> None:
    """Sessions that were begun in this one, and in those."""
    data = tmp_path / ".local" / "share" / "opencode"
    data.mkdir(parents=True)
    connection = sqlite3.connect(data / "opencode.db")
    names = "tokens_input, tokens_output, tokens_reasoning, tokens_cache_read, tokens_cache_write"
    connection.execute(f"CREATE TABLE session (id TEXT PRIMARY KEY, parent_id TEXT, model TEXT, cost REAL, {names})")
    rows = [("own", None, 100), ("child", "own", 20), ("grandchild", "child", 3), ("other", None, 5_000)]
    for identity, parent, asked in rows:
        connection.execute(
            "INSERT INTO session VALUES (?, ?, ?, 0.5, ?, 0, 0, 0, 0)", (identity, parent, '{"id": "m"}', asked)
        )
    connection.commit()
    files = OpencodeDatabase({"HOME": str(tmp_path)}, None)
    files.begin()
    found = files.improve(Parsed(session="own", usage=ModelUsage(input_tokens=100)))
    assert (tokens(found.usage), found.model) == (123, "m")
    assert found.usage is not None
    assert found.usage.cost_microunits == 1_500_000
    resumed = OpencodeDatabase({"HOME": str(tmp_path)}, "own")
    resumed.begin()
    assert resumed.improve(Parsed(session="own")).usage is None, "nothing is known, which is not 0"
    connection.execute("UPDATE session SET tokens_input = 27 WHERE id = 'child'")
    connection.commit()
    assert tokens(resumed.improve(Parsed(session="own")).usage) == 7
    connection.close()


def test_qwen_counts_cached_input_once_and_what_its_host_asked() -> None:
    """Its sum is of the whole session, and has calls that no message tells of."""
    first = parsed(QwenParser(), "qwen_turn.jsonl")
    assert first.usage == ModelUsage(input_tokens=2_630, cached_input_tokens=609, output_tokens=83)
    second = parsed(QwenParser(first.session), "qwen_resumed.jsonl")
    assert second.usage == ModelUsage(input_tokens=4_020, cached_input_tokens=936, output_tokens=132)
    assert (second.statement.claim, second.model) == (Claim.COMPLETE, "fake-model")
    cut = fed(QwenParser(first.session), "qwen_resumed.jsonl", without_last=1)
    assert tokens(cut.so_far().usage) == 1_373
    assert cut.parsed(NOW).is_estimate
    session = read_session(cut.so_far().session)
    assert session is not None
    assert session == CumulativeSession(
        session.id, ModelUsage(input_tokens=3_960, cached_input_tokens=918, output_tokens=126)
    )
