"""Zeph's goals: the table `zeph_goals` of its SQLite database."""

import re
from datetime import datetime
from pathlib import Path
from typing import Final

from telic.domain.budget import TurnUsage
from telic.domain.clock import Instant, from_datetime
from telic.domain.errors import InvalidNumber, StoreMisconfigured
from telic.domain.events import EventKind
from telic.domain.goal import Actor, Reason
from telic.domain.limits import MAX_COUNTER, check_name
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

MAX_IMPORTED_TURNS: Final = 100_000

_TABLE: Final = "zeph_goals"
_TIMES: Final = ("created_at", "updated_at", "completed_at")
_COLUMNS: Final = frozenset({"id", "text", "status", "token_budget", "turns_used", "tokens_used", *_TIMES})
_ENDS: Final = {
    "completed": Stop(EventKind.COMPLETED, Reason.ASSERTED, Actor.USER),
    "cleared": Stop(EventKind.CLEARED, Reason.DISMISSED, Actor.USER),
}
_PAUSED: Final = Stop(EventKind.PAUSED, Reason.USER, Actor.USER)
_RFC_3339: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ]((?:[01]\d|2[0-3]):\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)

_ONE_SLOT: Final = (
    "Zeph has one active goal in a whole database and no owners: all its goals came into the scope {scope!a}."
)
_NO_TURNS: Final = (
    "Zeph counts turns but keeps none of them: the turns of a goal are dated with its last change, and its last "
    "turn carries all its tokens."
)
_NO_REASONS: Final = (
    "Zeph does not keep why or by whom a goal was stopped: a paused goal that had used up its budget counts as "
    "paused by that, and any other stop as the user's."
)
_NANOSECONDS: Final = "Zeph's times have nanoseconds, which were cut off to microseconds."


def read_zeph(path: Path, *, scope: str = "zeph") -> Imported:
    """Every goal of a Zeph database, in one scope.

    Raises:
        StoreMisconfigured: there is no such file, or it holds no table of Zeph's goals.
        SchemaMismatch, StoreCorrupt: the table or a row cannot be understood; the message names it.
        InvalidText, InvalidNumber: a row holds what Telic cannot keep; the message names it.
        StoreBusy, StoreUnavailable: the file cannot be read now.
    """
    check_name("scope", scope)
    tables = read_tables(path, [_TABLE])
    if _TABLE not in tables:
        raise StoreMisconfigured(f"{path} holds no goals of Zeph: it has no table {_TABLE}")
    rows = foreign_rows(tables[_TABLE], _TABLE, id_column="id", required=_COLUMNS, path=path)
    slot = (_ONE_SLOT.format(scope=scope),) if rows else ()
    return imported([_goal(row, scope) for row in rows], slot + unknown_columns(rows, _TABLE, _COLUMNS))


def _goal(row: ForeignRow, scope: str) -> ForeignGoal:
    zeph_id = row.text("id")
    name = f"Zeph goal {zeph_id!a}"
    turns = _turns(row)
    budget = row.optional_count("token_budget")
    kept_budget, about_budget = budget_as_kept(budget, name)
    stop = _stop(row, spent=is_spent(budget, turns))
    created_at, changed_at = _instant(row, "created_at"), _instant(row, "updated_at")
    return ForeignGoal(
        identity=f"zeph:{zeph_id}",
        key=f"zeph:{zeph_id}",
        scope=scope,
        text=row.text("text"),
        token_budget=kept_budget,
        turns=turns,
        created_at=created_at,
        changed_at=changed_at,
        stopped_at=_stopped_at(row, changed_at),
        stop=stop,
        not_carried=(
            *_general_sentences(row, stop, turns),
            *about_budget,
            *clock_sentences(created_at, changed_at, name),
            *_own_sentences(row, stop, turns, name),
        ),
    )


def _turns(row: ForeignRow) -> tuple[TurnUsage, ...]:
    turns, tokens = row.count("turns_used"), row.count("tokens_used")
    if turns > MAX_IMPORTED_TURNS:
        raise InvalidNumber(f"{row.name}: turns_used is {turns}; a goal of more than 100,000 cannot be imported")
    if turns == tokens == 0:
        return ()
    return (TurnUsage(),) * (turns - 1) + (TurnUsage(tokens=tokens),)


def _stop(row: ForeignRow, *, spent: bool) -> Stop | None:
    match row.columns["status"]:
        case "active":
            return BUDGET_STOP if spent else None
        case "paused":
            return BUDGET_STOP if spent else _PAUSED
        case "completed" | "cleared" as status:
            return _ENDS[status]
        case status:
            raise row.corrupt(f"its status is {status!a:.40}, which Zeph is not known to have")


def _stopped_at(row: ForeignRow, changed_at: Instant) -> Instant:
    """When the goal stopped: Zeph sets `completed_at` with both its final statuses, and with no other."""
    is_final = row.columns["status"] in _ENDS
    if is_final is (row.columns["completed_at"] is None):
        raise row.corrupt("completed_at does not fit the status")
    return _instant(row, "completed_at") if is_final else changed_at


def _general_sentences(row: ForeignRow, stop: Stop | None, turns: tuple[TurnUsage, ...]) -> list[str]:
    cases = {
        _NO_TURNS: bool(turns),
        _NO_REASONS: stop is not None,
        _NANOSECONDS: any(_has_nanoseconds(row.columns[column]) for column in _TIMES),
    }
    return [sentence for sentence, applies in cases.items() if applies]


def _own_sentences(row: ForeignRow, stop: Stop | None, turns: tuple[TurnUsage, ...], name: str) -> list[str]:
    cases = {
        f"{name}: its tokens belong to no turn, and were given one.": bool(turns) and row.columns["turns_used"] == 0,
        over_budget_sentence(name): row.columns["status"] == "active" and stop is not None,
    }
    return [sentence for sentence, applies in cases.items() if applies]


def _instant(row: ForeignRow, column: str) -> Instant:
    """The moment that a text of RFC 3339 names, to the microsecond."""
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
