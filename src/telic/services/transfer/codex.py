"""Codex's goals: the table `thread_goals` of `goals_1.sqlite`, in old releases of `state_5.sqlite`."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from telic.domain.budget import TurnUsage
from telic.domain.clock import Instant
from telic.domain.errors import SchemaMismatch, StoreMisconfigured
from telic.domain.events import EventKind
from telic.domain.goal import Actor, Reason
from telic.domain.limits import check_name
from telic.services.transfer.foreign_goal import (
    BUDGET_STOP,
    ForeignGoal,
    ForeignRow,
    Imported,
    Stop,
    budget_as_kept,
    clock_sentences,
    foreign_rows,
    imported,
    is_spent,
    over_budget_sentence,
    unknown_columns,
)
from telic.storage.drivers.sqlite_reader import read_tables

_TABLE: Final = "thread_goals"
_DEFERRALS: Final = "thread_goal_continuation_deferrals"
_REQUIRED: Final = frozenset({"thread_id", "objective", "status", "token_budget", "tokens_used"})
_TIMES: Final = frozenset({"created_at_ms", "updated_at_ms", "created_at", "updated_at"})
_KNOWN: Final = _REQUIRED | _TIMES | {"goal_id", "time_used_seconds"}

_MICROSECONDS: Final = 1_000_000
_STOPS: Final = {
    "active": None,
    "paused": Stop(EventKind.PAUSED, Reason.USER, Actor.USER),
    "blocked": Stop(EventKind.PAUSED, Reason.BLOCKED, Actor.SYSTEM),
    "usage_limited": Stop(EventKind.PAUSED, Reason.USAGE_LIMIT, Actor.SYSTEM),
    "budget_limited": BUDGET_STOP,
    "complete": Stop(EventKind.COMPLETED, Reason.ASSERTED, Actor.MODEL),
}

_NO_TURNS: Final = (
    "Codex keeps no turns: the tokens and the seconds of a goal came as one turn, dated with the goal's last change."
)
_FREE_CACHE: Final = (
    "Codex counts a goal's tokens without cached input: its numbers and budgets are lower than those of a host "
    "that counts all tokens."
)
_NO_ACTORS: Final = (
    "Codex does not keep why or by whom a goal was stopped: a pause counts as the user's, a completion as the "
    "model's, every other stop as the system's."
)
_SECONDS: Final = "The database keeps times in whole seconds (created_at, updated_at)."
_NO_TIME: Final = "The database does not keep how long goals were worked on (time_used_seconds)."
_NO_ID: Final = "The database gives goals no ids: a goal is known by its thread and the time of its creation."
_DEFERRED: Final = (
    "Codex thread {thread!a}: its goal was not to go on by itself before the thread's next turn, which no goal "
    "here can be told."
)


def read_codex(path: Path) -> Imported:
    """Every goal of a Codex database, each in the scope `codex/` with its thread's id.

    Raises:
        StoreMisconfigured: there is no such file, or it holds no table of Codex's goals.
        SchemaMismatch, StoreCorrupt: the table or a row cannot be understood; the message names it.
        InvalidText: a row holds what Telic cannot keep; the message names it.
        StoreBusy, StoreUnavailable: the file cannot be read now.
    """
    tables = read_tables(path, [_TABLE, _DEFERRALS])
    if _TABLE not in tables:
        raise StoreMisconfigured(
            f"{path} holds no goals of Codex: it has no table {_TABLE}; look for goals_1.sqlite, or state_5.sqlite "
            "of an old release, in Codex's home"
        )
    rows = foreign_rows(tables[_TABLE], _TABLE, id_column="thread_id", required=_REQUIRED, path=path)
    sentences = unknown_columns(rows, _TABLE, _KNOWN)
    deferrals = _deferrals(tables.get(_DEFERRALS, ()), path)
    return imported([_goal(row) for row in rows], [*sentences, *deferrals])


def _deferrals(rows: Iterable[Mapping[str, Any]], path: Path) -> list[str]:
    named = foreign_rows(rows, _DEFERRALS, id_column="thread_id", required=frozenset({"thread_id"}), path=path)
    return [_DEFERRED.format(thread=thread) for thread in sorted(row.text("thread_id") for row in named)]


def _goal(row: ForeignRow) -> ForeignGoal:
    thread = row.text("thread_id")
    codex_id = _codex_id(row)
    name = f"Codex goal {codex_id!a}"
    turns = _turns(row)
    budget = row.optional_count("token_budget")
    kept_budget, about_budget = budget_as_kept(budget, name)
    stop = _stop(row)
    is_over = stop is None and is_spent(budget, turns)
    created_at, changed_at = _instant(row, "created_at"), _instant(row, "updated_at")
    return ForeignGoal(
        # A forked thread's goal has the id of the goal that it was copied from.
        identity=f"codex:{thread}:{codex_id}",
        key=f"codex:{codex_id}",
        scope=check_name(f"{row.name}: the scope", f"codex/{thread}"),
        text=row.text("objective"),
        token_budget=kept_budget,
        turns=turns,
        created_at=created_at,
        changed_at=changed_at,
        stopped_at=changed_at,
        stop=BUDGET_STOP if is_over else stop,
        not_carried=(
            *_general_sentences(row, stop, turns),
            *about_budget,
            *clock_sentences(created_at, changed_at, name),
            *((over_budget_sentence(name),) if is_over else ()),
        ),
    )


def _codex_id(row: ForeignRow) -> str:
    if "goal_id" in row.columns:
        return row.text("goal_id")
    return f"{row.text('thread_id')}@{_instant(row, 'created_at')}"


def _turns(row: ForeignRow) -> tuple[TurnUsage, ...]:
    tokens = row.count("tokens_used")
    active = row.count("time_used_seconds", _MICROSECONDS) if "time_used_seconds" in row.columns else 0
    return (TurnUsage(tokens=tokens, active_microseconds=active),) if tokens or active else ()


def _stop(row: ForeignRow) -> Stop | None:
    status = row.columns["status"]
    if not isinstance(status, str) or status not in _STOPS:
        raise row.corrupt(f"its status is {status!a:.40}, which Codex is not known to have")
    return _STOPS[status]


def _instant(row: ForeignRow, column: str) -> Instant:
    """The moment in the column, whose name tells its unit: with `_ms` milliseconds, bare seconds."""
    if f"{column}_ms" in row.columns:
        return Instant(row.count(f"{column}_ms", 1_000))
    if column in row.columns:
        return Instant(row.count(column, _MICROSECONDS))
    raise SchemaMismatch(f"{row.name}: the table has neither the column {column}_ms nor {column}")


def _general_sentences(row: ForeignRow, stop: Stop | None, turns: tuple[TurnUsage, ...]) -> list[str]:
    cases = {
        _NO_TURNS: bool(turns),
        _FREE_CACHE: True,
        _NO_ACTORS: stop is not None,
        _SECONDS: "created_at_ms" not in row.columns,
        _NO_TIME: "time_used_seconds" not in row.columns,
        _NO_ID: "goal_id" not in row.columns,
    }
    return [sentence for sentence, applies in cases.items() if applies]
