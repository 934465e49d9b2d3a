"""The goals of Zeph and Codex, read from their SQLite databases.

Zeph keeps them in its table `zeph_goals`, Codex in `thread_goals` of `goals_1.sqlite`, in old releases of
`state_5.sqlite`. Nothing is guessed: what a database does not say is said in sentences.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from telic.domain.budget import TurnUsage
from telic.domain.clock import MICRO, Instant, from_datetime
from telic.domain.errors import InvalidNumber, SchemaMismatch, StoreMisconfigured
from telic.domain.events import EventKind
from telic.domain.goal import Actor, Reason
from telic.domain.limits import MAX_COUNTER, check_name
from telic.services.transfer.histories import (
    BUDGET_STOP,
    ForeignGoal,
    ForeignRow,
    ForeignStop,
    Imported,
    foreign_rows,
    imported,
    is_spent,
    unknown_columns,
)
from telic.storage.drivers.sqlite_reader import read_tables

MAX_IMPORTED_TURNS: Final = 100_000

_ZEPH_TABLE: Final = "zeph_goals"
_ZEPH_TIMES: Final = ("created_at", "updated_at", "completed_at")
_ZEPH_COLUMNS: Final = frozenset({"id", "text", "status", "token_budget", "turns_used", "tokens_used", *_ZEPH_TIMES})
_ZEPH_ENDS: Final = {
    "completed": ForeignStop(EventKind.COMPLETED, Reason.ASSERTED, Actor.USER),
    "cleared": ForeignStop(EventKind.CLEARED, Reason.DISMISSED, Actor.USER),
}
_BY_USER: Final = ForeignStop(EventKind.PAUSED, Reason.USER, Actor.USER)
_RFC_3339: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ]((?:[01]\d|2[0-3]):\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)

_ONE_SLOT: Final = (
    "Zeph has one active goal in a whole database and no owners: all its goals came into the scope {scope!a}."
)
_ZEPH_TURNS: Final = (
    "Zeph counts turns but keeps none of them: the turns of a goal are dated with its last change, and its last "
    "turn carries all its tokens."
)
_ZEPH_REASONS: Final = (
    "Zeph does not keep why or by whom a goal was stopped: a paused goal that had used up its budget counts as "
    "paused by that, and any other stop as the user's."
)
_NANOSECONDS: Final = "Zeph's times have nanoseconds, which were cut off to microseconds."

_CODEX_TABLE: Final = "thread_goals"
_DEFERRALS: Final = "thread_goal_continuation_deferrals"
_CODEX_REQUIRED: Final = frozenset({"thread_id", "objective", "status", "token_budget", "tokens_used"})
_CODEX_KNOWN: Final = _CODEX_REQUIRED | {
    *("goal_id", "time_used_seconds", "created_at_ms", "updated_at_ms", "created_at", "updated_at")
}
_CODEX_STOPS: Final = {
    "active": None,
    "paused": _BY_USER,
    "blocked": ForeignStop(EventKind.PAUSED, Reason.BLOCKED, Actor.SYSTEM),
    "usage_limited": ForeignStop(EventKind.PAUSED, Reason.USAGE_LIMIT, Actor.SYSTEM),
    "budget_limited": BUDGET_STOP,
    "complete": ForeignStop(EventKind.COMPLETED, Reason.ASSERTED, Actor.MODEL),
}

_CODEX_TURNS: Final = (
    "Codex keeps no turns: the tokens and the seconds of a goal came as one turn, dated with the goal's last change."
)
_FREE_CACHE: Final = (
    "Codex counts a goal's tokens without cached input: its numbers and budgets are lower than those of a host "
    "that counts all tokens."
)
_CODEX_ACTORS: Final = (
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


def read_zeph(path: Path, *, scope: str = "zeph") -> Imported:
    """Return every goal of a Zeph database, in one scope.

    Raises:
        StoreMisconfigured: there is no such file, or it holds no table of Zeph's goals.
        SchemaMismatch, StoreCorrupt: the table or a row cannot be understood; the message names it.
        InvalidText, InvalidNumber: a row holds what Telic cannot keep; the message names it.
        StoreBusy, StoreUnavailable: the file cannot be read now.
    """
    check_name("scope", scope)
    tables = read_tables(path, [_ZEPH_TABLE])
    if _ZEPH_TABLE not in tables:
        raise StoreMisconfigured(f"{path} holds no goals of Zeph: it has no table {_ZEPH_TABLE}")
    rows = foreign_rows(tables[_ZEPH_TABLE], _ZEPH_TABLE, id_column="id", required=_ZEPH_COLUMNS, path=path)
    slot = (_ONE_SLOT.format(scope=scope),) if rows else ()
    sentences = slot + unknown_columns(rows, _ZEPH_TABLE, _ZEPH_COLUMNS)
    return imported([_zeph_goal(row, scope) for row in rows], sentences)


def _zeph_goal(row: ForeignRow, scope: str) -> ForeignGoal:
    zeph_id = row.text("id")
    name, turns, budget = f"Zeph goal {zeph_id!a}", _zeph_turns(row), row.optional_count("token_budget")
    stop = _zeph_stop(row, spent=is_spent(budget, turns))
    created_at, changed_at = _zeph_instant(row, "created_at"), _zeph_instant(row, "updated_at")
    return ForeignGoal(
        name=name,
        identity=f"zeph:{zeph_id}",
        key=f"zeph:{zeph_id}",
        scope=scope,
        text=row.text("text"),
        token_budget=budget,
        turns=turns,
        created_at=created_at,
        changed_at=changed_at,
        stopped_at=_zeph_stopped_at(row, changed_at),
        stop=stop,
        sentences=_applying(
            {
                _ZEPH_TURNS: bool(turns),
                _ZEPH_REASONS: stop is not None or is_spent(budget, turns),
                _NANOSECONDS: any(_has_nanoseconds(row.columns[column]) for column in _ZEPH_TIMES),
                f"{name}: its tokens belong to no turn, and were given one.": (
                    bool(turns) and row.columns["turns_used"] == 0
                ),
            }
        ),
    )


def _applying(cases: Mapping[str, bool]) -> list[str]:
    return [sentence for sentence, applies in cases.items() if applies]


def _zeph_turns(row: ForeignRow) -> tuple[TurnUsage, ...]:
    turns, tokens = row.count("turns_used"), row.count("tokens_used")
    if turns > MAX_IMPORTED_TURNS:
        raise InvalidNumber(f"{row.name}: turns_used is {turns}; a goal of more than 100,000 cannot be imported")
    if turns == tokens == 0:
        return ()
    return (TurnUsage(),) * (turns - 1) + (TurnUsage(tokens=tokens),)


def _zeph_stop(row: ForeignRow, *, spent: bool) -> ForeignStop | None:
    match row.columns["status"]:
        case "active":
            return None
        case "paused":
            return BUDGET_STOP if spent else _BY_USER
        case "completed" | "cleared" as status:
            return _ZEPH_ENDS[status]
        case status:
            raise row.corrupt(f"its status is {status!a:.40}, which Zeph is not known to have")


def _zeph_stopped_at(row: ForeignRow, changed_at: Instant) -> Instant:
    """Return when the goal stopped: Zeph sets `completed_at` with both its final statuses, and with no other."""
    is_final = row.columns["status"] in _ZEPH_ENDS
    if is_final is (row.columns["completed_at"] is None):
        raise row.corrupt("completed_at does not fit the status")
    return _zeph_instant(row, "completed_at") if is_final else changed_at


def _zeph_instant(row: ForeignRow, column: str) -> Instant:
    """Return the moment that a text of RFC 3339 names, to the microsecond."""
    value = row.columns[column]
    parts = _RFC_3339.fullmatch(value) if isinstance(value, str) else None
    if parts is None:
        raise row.corrupt(f"{column} must be a time as in RFC 3339, with its offset, not {value!a:.60}")
    day, time, fraction, offset = parts.groups(default="")
    offset = offset.upper().replace("Z", "+00:00")
    try:
        moment = datetime.fromisoformat(f"{day}T{time}.{fraction[:6].ljust(6, '0')}{offset}")
    except ValueError as error:
        raise row.corrupt(f"{column} is {value!a}, and there is no such time") from error
    instant = from_datetime(moment)
    if not 0 <= instant <= MAX_COUNTER:
        raise row.corrupt(f"{column} is {value!a}, which is before 1970 or after 2255")
    return instant


def _has_nanoseconds(value: object) -> bool:
    parts = _RFC_3339.fullmatch(value) if isinstance(value, str) else None
    return parts is not None and bool((parts[3] or "")[6:].strip("0"))


def read_codex(path: Path) -> Imported:
    """Return every goal of a Codex database, each in the scope `codex/` with its thread's id.

    Raises:
        StoreMisconfigured: there is no such file, or it holds no table of Codex's goals.
        SchemaMismatch, StoreCorrupt: the table or a row cannot be understood; the message names it.
        InvalidText: a row holds what Telic cannot keep; the message names it.
        StoreBusy, StoreUnavailable: the file cannot be read now.
    """
    tables = read_tables(path, [_CODEX_TABLE, _DEFERRALS])
    if _CODEX_TABLE not in tables:
        raise StoreMisconfigured(
            f"{path} holds no goals of Codex: it has no table {_CODEX_TABLE}; look for goals_1.sqlite, or "
            "state_5.sqlite of an old release, in Codex's home"
        )
    rows = foreign_rows(tables[_CODEX_TABLE], _CODEX_TABLE, id_column="thread_id", required=_CODEX_REQUIRED, path=path)
    sentences = unknown_columns(rows, _CODEX_TABLE, _CODEX_KNOWN)
    return imported([_codex_goal(row) for row in rows], [*sentences, *_deferrals(tables.get(_DEFERRALS, ()), path)])


def _deferrals(rows: Iterable[Mapping[str, Any]], path: Path) -> list[str]:
    named = foreign_rows(rows, _DEFERRALS, id_column="thread_id", required=frozenset({"thread_id"}), path=path)
    return [_DEFERRED.format(thread=thread) for thread in sorted(row.text("thread_id") for row in named)]


def _codex_goal(row: ForeignRow) -> ForeignGoal:
    thread, turns, stop = row.text("thread_id"), _codex_turns(row), _codex_stop(row)
    created_at, changed_at = _codex_instant(row, "created_at"), _codex_instant(row, "updated_at")
    codex_id = row.text("goal_id") if "goal_id" in row.columns else f"{thread}@{created_at}"
    return ForeignGoal(
        name=f"Codex goal {codex_id!a}",
        # A forked thread's goal has the id of the goal that it was copied from.
        identity=f"codex:{thread}:{codex_id}",
        key=f"codex:{codex_id}",
        scope=check_name(f"{row.name}: the scope", f"codex/{thread}"),
        text=row.text("objective"),
        token_budget=row.optional_count("token_budget"),
        turns=turns,
        created_at=created_at,
        changed_at=changed_at,
        stopped_at=changed_at,
        stop=stop,
        sentences=_applying(
            {
                _CODEX_TURNS: bool(turns),
                _FREE_CACHE: True,
                _CODEX_ACTORS: stop is not None,
                _SECONDS: "created_at_ms" not in row.columns,
                _NO_TIME: "time_used_seconds" not in row.columns,
                _NO_ID: "goal_id" not in row.columns,
            }
        ),
    )


def _codex_turns(row: ForeignRow) -> tuple[TurnUsage, ...]:
    tokens = row.count("tokens_used")
    active = row.count("time_used_seconds", MICRO) if "time_used_seconds" in row.columns else 0
    return (TurnUsage(tokens=tokens, active_microseconds=active),) if tokens or active else ()


def _codex_stop(row: ForeignRow) -> ForeignStop | None:
    status = row.columns["status"]
    if not isinstance(status, str) or status not in _CODEX_STOPS:
        raise row.corrupt(f"its status is {status!a:.40}, which Codex is not known to have")
    return _CODEX_STOPS[status]


def _codex_instant(row: ForeignRow, column: str) -> Instant:
    """Return the moment in the column, whose name tells its unit: with `_ms` milliseconds, bare seconds."""
    if f"{column}_ms" in row.columns:
        return Instant(row.count(f"{column}_ms", 1_000))
    if column in row.columns:
        return Instant(row.count(column, MICRO))
    raise SchemaMismatch(f"{row.name}: the table has neither the column {column}_ms nor {column}")
