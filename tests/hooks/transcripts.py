"""Lines as hosts write them into their transcripts, and rows as they write them into their databases."""

import json
import sqlite3
import time
import uuid
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any


def stamp(seconds: float = 0.0) -> str:
    """A time so many seconds from now, as hosts write it."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def assistant(
    identity: str,
    text: str = "working",
    *,
    output: int = 50,
    stop: str | None = "end_turn",
    side: bool = False,
    after: float = 0.0,
    model: str = "claude-opus-5",
) -> dict[str, Any]:
    """One content block of a response: 10 plain, 900 read and 90 written tokens of input."""
    usage = {
        "input_tokens": 10,
        "cache_read_input_tokens": 900,
        "cache_creation_input_tokens": 90,
        "output_tokens": output,
        "service_tier": "standard",
    }
    message = {
        "id": identity,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [{"type": "text", "text": text}],
        "stop_reason": stop,
        "usage": usage,
    }
    more = {"agentId": "ae267a1"} if side else {}
    return {"type": "assistant", "isSidechain": side, "timestamp": stamp(after), "message": message, **more}


def with_steps(line: dict[str, Any], *steps: dict[str, Any]) -> dict[str, Any]:
    """The line of a response that was answered in several steps, which its usage lists."""
    line["message"]["usage"]["iterations"] = list(steps)
    return line


def step(kind: str, given: int, output: int, **more: Any) -> dict[str, Any]:
    counts = {"input_tokens": given, "output_tokens": output}
    return {"type": kind, **counts, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0, **more}


def user(text: str = "go on") -> dict[str, Any]:
    return {"type": "user", "isSidechain": False, "timestamp": stamp(), "message": {"role": "user", "content": text}}


def codex_meta(thread: str, *, after: float = 0.0, **more: Any) -> dict[str, Any]:
    payload = {"id": thread, "cwd": "/work", "cli_version": "0.163.0", **more}
    return {"timestamp": stamp(after), "type": "session_meta", "payload": payload}


def codex_turn(turn: str, *, after: float = 0.0) -> dict[str, Any]:
    payload = {"turn_id": turn, "model": "gpt-5.6-codex"}
    return {"timestamp": stamp(after), "type": "turn_context", "payload": payload}


def codex_id(milliseconds: int, number: int = 0) -> str:
    """An id as Codex makes it for threads and turns: its first part is the time."""
    return str(uuid.UUID(int=(milliseconds << 80) | (7 << 76) | (2 << 62) | number))


def codex_record(thread: str, response: str, tokens: int, total: int, *, after: float = 0.0) -> dict[str, Any]:
    """What one response used, and its thread so far, as releases since 0.169 write it before the `token_count`."""
    usage, so_far = (_codex_counts(each) for each in (tokens, total))
    payload = {"thread_id": thread, "response_id": response, "usage": usage, "thread_token_usage": so_far}
    return {"timestamp": stamp(after), "type": "token_usage_record", "payload": payload}


def codex_count(total: int, last: int, *, after: float = 0.0) -> dict[str, Any]:
    """The thread's sum, and its last response."""
    info = {
        "total_token_usage": _codex_counts(total),
        "last_token_usage": _codex_counts(last),
        "model_context_window": 258_400,
    }
    payload = {"type": "token_count", "info": info, "rate_limits": {"primary": {"used_percent": 7.0}}}
    return {"timestamp": stamp(after), "type": "event_msg", "payload": payload}


def _codex_counts(tokens: int) -> dict[str, int]:
    """Of so many tokens, a tenth is output and half of the input cached."""
    output = tokens // 10
    return {
        "input_tokens": tokens - output,
        "cached_input_tokens": (tokens - output) // 2,
        "output_tokens": output,
        "reasoning_output_tokens": 0,
        "total_tokens": tokens,
    }


def write(path: Path, *lines: dict[str, Any]) -> None:
    """The file ends with these lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        for line in lines:
            file.write(json.dumps(line) + "\n")


def gemini_message(identity: str, *, has_tokens: bool = True, after: float = 0.0, **more: Any) -> dict[str, Any]:
    """A message of the model's as `chatRecordingService.ts` of google-gemini/gemini-cli appends it.

    1,000 tokens of prompt, 600 of them cached, 20 more that its tools read; 50 of answer and 30 of thoughts.
    """
    tokens = {"input": 1_000, "output": 50, "cached": 600, "thoughts": 30, "tool": 20, "total": 1_100}
    return {
        "id": identity,
        "timestamp": stamp(after),
        "type": "gemini",
        "content": [{"text": "working"}],
        "thoughts": [],
        "tokens": tokens if has_tokens else None,
        "model": "gemini-3-pro",
        **more,
    }


def gemini_meta(session: str, kind: str = "main") -> dict[str, Any]:
    return {"sessionId": session, "projectHash": "0" * 64, "startTime": stamp(), "lastUpdated": stamp(), "kind": kind}


GOOSE_SCHEMA = """
CREATE TABLE IF NOT EXISTS sessions (
    id TEXT PRIMARY KEY, name TEXT NOT NULL DEFAULT '', session_type TEXT NOT NULL DEFAULT 'user',
    working_dir TEXT NOT NULL, created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    accumulated_input_tokens INTEGER, accumulated_output_tokens INTEGER, parent_session_id TEXT
);
CREATE TABLE IF NOT EXISTS usage_ledger (
    id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT NOT NULL REFERENCES sessions(id) ON DELETE CASCADE,
    created_timestamp INTEGER NOT NULL, model TEXT, input_tokens INTEGER, output_tokens INTEGER,
    total_tokens INTEGER, cache_read_tokens INTEGER, cache_write_tokens INTEGER, cost REAL, cost_source TEXT,
    is_compaction INTEGER DEFAULT 0
);
"""
"""The tables of goose's sessions.db at schema 16, without what has no part in usage."""

COPILOT_SCHEMA = """
CREATE TABLE IF NOT EXISTS assistant_usage_events (
    id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT NOT NULL, turn_index INTEGER, model TEXT NOT NULL,
    reasoning_effort TEXT, input_tokens INTEGER, output_tokens INTEGER, cache_read_tokens INTEGER,
    cache_write_tokens INTEGER, reasoning_tokens INTEGER, total_nano_aiu INTEGER, duration_ms INTEGER,
    time_to_first_token_ms INTEGER, finish_reason TEXT, agent_id TEXT, parent_tool_call_id TEXT, created_at TEXT
);
"""
"""The table of Copilot CLI's session-store.db at 1.0.87."""


def goose_session(path: Path, session: str, parent: str | None = None) -> None:
    with closing(_opened(path, GOOSE_SCHEMA)) as database, database:
        database.execute(
            "INSERT OR IGNORE INTO sessions (id, working_dir, session_type, parent_session_id)"
            " VALUES (?, '/work', ?, ?)",
            (session, "user" if parent is None else "sub_agent", parent),
        )


def goose_call(
    path: Path,
    session: str,
    *,
    after: float = 0.0,
    is_compaction: int = 0,
    tokens: Any = 1_000,
    total: int | None = None,
) -> None:
    """A call of a provider: so much input, 600 of it cached, and 50 of output."""
    goose_session(path, session)
    with closing(_opened(path, GOOSE_SCHEMA)) as database, database:
        database.execute(
            "INSERT INTO usage_ledger (session_id, created_timestamp, model, input_tokens, output_tokens,"
            " total_tokens, cache_read_tokens, is_compaction) VALUES (?, ?, 'claude-opus-5', ?, ?, ?, 600, ?)",
            (session, int(time.time() + after), tokens, None if tokens is None else 50, total, is_compaction),
        )


def copilot_call(
    path: Path, session: str, *, after: float = 0.0, agent: str | None = None, tokens: Any = 1_000
) -> None:
    """A call of a model: so much input, 600 of it cached; 50 of output, of which 20 were reasoning."""
    with closing(_opened(path, COPILOT_SCHEMA)) as database, database:
        database.execute(
            "INSERT INTO assistant_usage_events (session_id, model, input_tokens, output_tokens, cache_read_tokens,"
            " cache_write_tokens, reasoning_tokens, agent_id, created_at)"
            " VALUES (?, 'gpt-5.6', ?, 50, 600, 0, 20, ?, ?)",
            (session, tokens, agent, stamp(after)),
        )


def _opened(path: Path, schema: str) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    database = sqlite3.connect(path)
    database.execute("PRAGMA journal_mode = WAL")
    database.executescript(schema)
    return database
