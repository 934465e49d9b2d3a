"""Databases as Zeph and Codex make them, written by the standard library's SQLite in a process of its own.

A process of its own, because two copies of SQLite in one process drop each other's locks on a file.
"""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

ZEPH = """
CREATE TABLE zeph_goals (
    id TEXT PRIMARY KEY, text TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'paused', 'completed', 'cleared')),
    token_budget INTEGER, turns_used INTEGER NOT NULL DEFAULT 0, tokens_used INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL, updated_at TEXT NOT NULL, completed_at TEXT
);
CREATE UNIQUE INDEX idx_zeph_goals_single_active ON zeph_goals (status) WHERE status = 'active';
CREATE INDEX idx_zeph_goals_status_created ON zeph_goals (status, created_at);
"""
CODEX = """
CREATE TABLE thread_goals (
    thread_id TEXT PRIMARY KEY NOT NULL, goal_id TEXT NOT NULL, objective TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN (
        'active', 'paused', 'blocked', 'usage_limited', 'budget_limited', 'complete')),
    token_budget INTEGER, tokens_used INTEGER NOT NULL DEFAULT 0, time_used_seconds INTEGER NOT NULL DEFAULT 0,
    created_at_ms INTEGER NOT NULL, updated_at_ms INTEGER NOT NULL
);
CREATE TABLE thread_goal_continuation_deferrals (
    thread_id TEXT PRIMARY KEY NOT NULL REFERENCES thread_goals (thread_id) ON DELETE CASCADE
);
"""
CODEX_IN_STATE_DATABASE = """
CREATE TABLE threads (id TEXT PRIMARY KEY);
CREATE TABLE thread_goals (
    thread_id TEXT PRIMARY KEY NOT NULL REFERENCES threads (id) ON DELETE CASCADE,
    goal_id TEXT NOT NULL, objective TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('active', 'paused', 'budget_limited', 'complete')),
    token_budget INTEGER, tokens_used INTEGER NOT NULL DEFAULT 0, time_used_seconds INTEGER NOT NULL DEFAULT 0,
    created_at_ms INTEGER NOT NULL, updated_at_ms INTEGER NOT NULL
);
"""
CODEX_FIRST_DRAFT = """
CREATE TABLE thread_goals (
    thread_id TEXT PRIMARY KEY NOT NULL, objective TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('active', 'paused', 'budget_limited', 'complete')),
    token_budget INTEGER, tokens_used INTEGER NOT NULL DEFAULT 0,
    created_at_ms INTEGER NOT NULL, updated_at_ms INTEGER NOT NULL
);
"""
CODEX_IN_SECONDS = CODEX.replace("_at_ms", "_at")

_WRITER = """
import json, os, sqlite3, sys
order = json.loads(sys.stdin.readline())
connection = sqlite3.connect(order["path"], isolation_level=None)
connection.execute("PRAGMA journal_mode = " + order["journal"])
connection.executescript(order["schema"])
connection.execute("PRAGMA ignore_check_constraints = ON")
for statement, parameters in order["statements"]:
    connection.execute(statement, parameters)
print("ready", flush=True)
if sys.stdin.readline() == "crash":
    os._exit(0)
connection.close()
"""

Statement = tuple[str, Sequence[Any]]


def insert(table: str, row: Mapping[str, Any]) -> Statement:
    names = ", ".join(row)
    return f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(row))})", list(row.values())


def zeph_goal(id: str, **changes: Any) -> Statement:
    """A goal's row, made as Zeph makes it, with changes."""
    row = {
        "id": id,
        "text": f"Reach {id}",
        "status": "active",
        "token_budget": None,
        "turns_used": 0,
        "tokens_used": 0,
        "created_at": "2026-05-04T10:00:00+00:00",
        "updated_at": "2026-05-04T11:00:00.5+00:00",
        "completed_at": None,
    }
    return insert("zeph_goals", row | changes)


def codex_goal(thread: str, **changes: Any) -> Statement:
    """A goal's row, made as Codex makes it, with changes; a change to ... leaves the column out."""
    row = {
        "thread_id": thread,
        "goal_id": f"goal-of-{thread}",
        "objective": f"Reach {thread}",
        "status": "active",
        "token_budget": None,
        "tokens_used": 0,
        "time_used_seconds": 0,
        "created_at_ms": 1_770_000_000_001,
        "updated_at_ms": 1_770_000_060_002,
    }
    return insert("thread_goals", {name: value for name, value in (row | changes).items() if value is not ...})


@contextlib.contextmanager
def held_open(
    path: Path, schema: str, *statements: Statement, journal: str = "wal", crash: bool = False
) -> Iterator[Path]:
    """The database is there, and another process has it open until the end; a crash leaves its log behind."""
    order = {"path": str(path), "schema": schema, "statements": statements, "journal": journal}
    command = [sys.executable, "-c", _WRITER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdin is not None
        assert writer.stdout is not None
        writer.stdin.write(json.dumps(order) + "\n")
        writer.stdin.flush()
        assert writer.stdout.readline() == "ready\n"
        try:
            yield path
        finally:
            writer.communicate("crash" if crash else "close")
    assert writer.returncode == 0


def write(path: Path, schema: str, *statements: Statement, journal: str = "wal", crash: bool = False) -> Path:
    """The database is there, and no process has it open."""
    with held_open(path, schema, *statements, journal=journal, crash=crash):
        return path
