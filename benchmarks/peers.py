"""The same work on what a user might choose instead: LangGraph's store, and a table behind SQLAlchemy."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import sqlalchemy
from langgraph.store.sqlite import SqliteStore
from sqlalchemy import BigInteger, ForeignKey, String, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import telic
from benchmarks import hot
from benchmarks.bench import Bench
from benchmarks.hot import Goals, Target, Targets
from benchmarks.measure import Result, faster, interleave, time_each
from benchmarks.populate import goals_of_sqlite, populate_sqlite
from benchmarks.sqlite_async import time_callers

GOALS: Final = 1_000
WARM_UP_TURNS: Final = 1_000
SETTINGS: Final = ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON")

COUNTERS: Final = (
    "turns_used",
    "tokens_used",
    "input_tokens_used",
    "cached_input_tokens_used",
    "output_tokens_used",
    "reasoning_tokens_used",
    "active_microseconds_used",
    "cost_microunits_used",
)


def run(bench: Bench) -> Iterator[Result]:
    """One turn accounted, and one goal read."""
    path = bench.new_file("telic")
    populate_sqlite(path, GOALS)
    goals = goals_of_sqlite(path, GOALS)
    with telic.connect(path) as store:
        yield from _against_langgraph(bench, store, goals)
    with asyncio.Runner() as runner:
        yield from _against_sqlalchemy(bench, runner, path, goals)


class LanggraphGoals:
    """Goals as records of LangGraph's SQLite store, which has no way to add to a counter but to put a new record."""

    def __init__(self, connection: sqlite3.Connection, goals: Goals) -> None:
        self._store = SqliteStore(connection)
        self._store.setup()
        for goal_id, scope in goals:
            record = {"scope": scope, "text": "Move billing to the new API", "status": "active", "token_budget": 10**12}
            self._store.put(("goals",), goal_id, record | dict.fromkeys(COUNTERS, 0))

    def record_turn(self, target: Target) -> object:
        """The counters have grown by one turn."""
        record: dict[str, Any] = self.get(target)
        record["turns_used"] += 1
        record["tokens_used"] += 1_500
        self._store.put(("goals",), target.goal_id, record)
        return record

    def get(self, target: Target) -> dict[str, Any]:
        """The record."""
        item = self._store.get(("goals",), target.goal_id)
        assert item is not None
        return item.value


def _against_langgraph(bench: Bench, store: telic.GoalStore, goals: Goals) -> Iterator[Result]:
    path = bench.new_file("langgraph")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as connection:
        for setting in SETTINGS:
            connection.execute(f"PRAGMA {setting}")
        peer = LanggraphGoals(connection, goals)
        targets = Targets(goals)
        kinds = [
            ("record_turn", hot.record_turn, peer.record_turn, bench.size(250, 50), "get and put"),
            ("get", hot.get, peer.get, bench.size(1_000, 200), "get"),
        ]
        for name, ours, theirs, size, how in kinds:
            works = [
                lambda ours=ours, size=size: time_each(partial(ours, store), targets.take(size)),
                lambda theirs=theirs, size=size: time_each(theirs, targets.take(size)),
            ]
            interleave(works, WARM_UP_TURNS // size + 1)
            rounds = interleave(works, bench.repetitions)
            yield faster(f"SQLite, blocking: {name}", f"LangGraph's SQLite store, {how}", rounds)


class _Base(DeclarativeBase):
    pass


class _Goal(_Base):
    __tablename__ = "goals"

    id: Mapped[str] = mapped_column(String, primary_key=True)
    scope: Mapped[str]
    text: Mapped[str]
    status: Mapped[str]
    token_budget: Mapped[int | None] = mapped_column(BigInteger)
    turns_used: Mapped[int] = mapped_column(BigInteger, default=0)
    tokens_used: Mapped[int] = mapped_column(BigInteger, default=0)
    input_tokens_used: Mapped[int] = mapped_column(BigInteger, default=0)
    cached_input_tokens_used: Mapped[int] = mapped_column(BigInteger, default=0)
    output_tokens_used: Mapped[int] = mapped_column(BigInteger, default=0)
    reasoning_tokens_used: Mapped[int] = mapped_column(BigInteger, default=0)
    active_microseconds_used: Mapped[int] = mapped_column(BigInteger, default=0)
    cost_microunits_used: Mapped[int] = mapped_column(BigInteger, default=0)


class _Turn(_Base):
    __tablename__ = "turns"

    goal_id: Mapped[str] = mapped_column(ForeignKey("goals.id"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    tokens: Mapped[int]


class SqlalchemyGoals:
    """Goals and turns in two tables: one INSERT and one UPDATE … RETURNING per turn, in one transaction."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @classmethod
    async def open(cls, path: Path, goals: Goals) -> "SqlalchemyGoals":
        """The tables, filled."""
        engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
        event.listen(engine.sync_engine, "connect", _configure)
        async with engine.begin() as connection:
            await connection.run_sync(_Base.metadata.create_all)
            rows = [
                {"id": goal_id, "scope": scope, "text": "Move billing to the new API", "status": "active"}
                for goal_id, scope in goals
            ]
            await connection.execute(sqlalchemy.insert(_Goal), rows)
        return cls(engine)

    async def record_turn(self, target: Target) -> object:
        """The turn is in the ledger and in the counters."""
        turn = sqlalchemy.insert(_Turn).values(goal_id=target.goal_id, key=target.key, tokens=1_500)
        count = (
            sqlalchemy.update(_Goal)
            .where(_Goal.id == target.goal_id)
            .values(turns_used=_Goal.turns_used + 1, tokens_used=_Goal.tokens_used + 1_500)
            .returning(*_Goal.__table__.columns)
        )
        async with self._engine.begin() as connection:
            await connection.execute(turn)
            return (await connection.execute(count)).one()

    async def get(self, target: Target) -> object:
        """The goal's row."""
        async with self._engine.connect() as connection:
            return (await connection.execute(sqlalchemy.select(_Goal).where(_Goal.id == target.goal_id))).one()

    async def close(self) -> None:
        """The connections are closed."""
        await self._engine.dispose()


def _configure(connection: Any, _: object) -> None:
    for setting in SETTINGS:
        connection.execute(f"PRAGMA {setting}")


def _against_sqlalchemy(bench: Bench, runner: asyncio.Runner, path: Path, goals: Goals) -> Iterator[Result]:
    store: telic.AsyncGoalStore = runner.run(_open(path))
    peer = runner.run(SqlalchemyGoals.open(bench.new_file("sqlalchemy"), goals))
    targets = Targets(goals)
    kinds = [
        ("record_turn", hot.record_turn, peer.record_turn, bench.size(250, 50)),
        ("get", hot.get, peer.get, bench.size(500, 100)),
    ]
    for name, ours, theirs, size in kinds:
        works = [
            lambda ours=ours, size=size: runner.run(time_callers(partial(ours, store), targets.take(size), 1)),
            lambda theirs=theirs, size=size: runner.run(time_callers(theirs, targets.take(size), 1)),
        ]
        interleave(works, WARM_UP_TURNS // size + 1)
        rounds = interleave(works, bench.repetitions)
        yield faster(f"SQLite, async, one caller: {name}", "SQLAlchemy async with aiosqlite", rounds)
    runner.run(store.close())
    runner.run(peer.close())


async def _open(path: Path) -> telic.AsyncGoalStore:
    return await telic.connect_async(path)
