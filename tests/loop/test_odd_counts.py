"""A record whose counts are none makes a turn's usage an estimate; what the other records tell is billed."""

import json
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any, Final

import pytest

from telic.loop.agents.copilot import CopilotStore, usage_rows
from telic.loop.agents.formats import Parsed
from telic.loop.agents.gemini import GeminiRecordings
from telic.loop.agents.usage_records import FilePlace
from tests.loop.test_hosts_usage import (
    THREAD,
    codex_files,
    codex_turn,
    copilot_store,
    lines_of,
    put,
    tokens,
)
from tests.loop.test_hosts_usage import rollouts as rollouts

ODD: Final = (1000.0, -5, True, "12", None, [1], float("inf"))
odd_counts = pytest.mark.parametrize("count", ODD, ids=str)


def changed(line: bytes, count: Any, *way: str) -> bytes:
    """The line of JSON with this count at the end of the way."""
    whole = fields = json.loads(line)
    for name in way[:-1]:
        fields = fields[name]
    fields[way[-1]] = count
    return json.dumps(whole).encode()


@odd_counts
def test_an_odd_record_of_codex_makes_its_turn_an_estimate(rollouts: Path, count: Any) -> None:
    lines = lines_of("codex_rollout.jsonl")
    places = [number for number, line in enumerate(lines) if b'"token_usage_record"' in line]
    lines[places[-1]] = changed(lines[places[-1]], count, "payload", "usage", "input_tokens")
    files = codex_files(rollouts)
    files.begin()
    put(rollouts, THREAD, lines)
    found = files.improve(codex_turn())
    assert found.is_estimate
    records = [json.loads(lines[place])["payload"]["usage"] for place in places[:-1]]
    assert tokens(found.usage) == sum(each["input_tokens"] + each["output_tokens"] for each in records)


@odd_counts
def test_an_odd_recording_of_gemini_makes_its_turn_an_estimate(tmp_path: Path, count: Any) -> None:
    chats = tmp_path / ".gemini" / "tmp" / "project" / "chats"
    chats.mkdir(parents=True)
    session = "a-session"
    counts = {"input": 1_000, "output": 50, "cached": 0, "thoughts": 0, "tool": 0, "total": 1_050}
    messages = [{"type": "gemini", "id": str(number), "tokens": dict(counts)} for number in range(2)]
    lines = [json.dumps(messages[0]).encode(), changed(json.dumps(messages[1]).encode(), count, "tokens", "input")]
    files = GeminiRecordings({"HOME": str(tmp_path)}, session)
    files.begin()
    (chats / f"session-2026-11-27T22-26-{session[:8]}.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    found = files.improve(Parsed(session=session))
    assert (tokens(found.usage), found.is_estimate, found.has_answered) == (1_050, True, True)


@pytest.mark.parametrize("count", [1000.5, -5, "twelve", None, b"12"], ids=str)
def test_an_odd_row_of_copilot_makes_its_turn_an_estimate(tmp_path: Path, count: Any) -> None:
    store = copilot_store(tmp_path, "a-session")
    files = CopilotStore({"HOME": str(tmp_path)}, "a-session")
    store.execute("UPDATE assistant_usage_events SET input_tokens = ?", (count,))
    store.commit()
    found = files.improve(Parsed(session="a-session"))
    assert (found.usage, found.is_estimate, found.has_answered) == (None, True, True)
    store.close()


def test_records_are_summed_whatever_their_size(tmp_path: Path) -> None:
    store = copilot_store(tmp_path, "a-session")
    store.execute("UPDATE assistant_usage_events SET input_tokens = ?", (2**53 - 1,))
    store.execute(
        "INSERT INTO assistant_usage_events (session_id, model, input_tokens, output_tokens, created_at)"
        " VALUES ('a-session', 'm', 10, 10, 'later')"
    )
    store.commit()
    found = CopilotStore({"HOME": str(tmp_path)}, "a-session").improve(Parsed(session="a-session"))
    assert found.usage is not None
    assert (found.usage.input_tokens, found.is_estimate) == (2**53 + 9, False)
    store.close()


def test_a_table_is_read_to_its_end_whatever_its_ids_are(tmp_path: Path) -> None:
    """Two rows of one id are no place to go on from, and are read once in a call."""
    with closing(copilot_store(tmp_path, "a-session")) as store:
        store.execute("CREATE TABLE other AS SELECT * FROM assistant_usage_events WHERE session_id = 'a-session'")
        store.execute("INSERT INTO other SELECT * FROM other")
        store.execute("UPDATE other SET input_tokens = rowid")
        store.execute("DROP TABLE assistant_usage_events")
        store.execute("ALTER TABLE other RENAME TO assistant_usage_events")
        store.commit()
    table = usage_rows({}, tmp_path, lambda row, _: row["input_tokens"])
    place = FilePlace()
    for _ in range(3):
        found = [*islice(table.rows("a-session", place), 10)]
        assert [asked for _, asked in found] == [1, 2]
        place = found[-1][0]
