"""Goals, their history, holds and leases as a person reads them in a terminal, and as JSON."""

from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from typing import Any, TypeVar

from telic.domain.budget import Usage
from telic.domain.goal import Goal
from telic.domain.ids import short_ids
from telic.domain.jsonable import hold_to_json, lease_to_json
from telic.domain.lease import Hold, Lease
from telic.interfaces.cli.terminal import Terminal
from telic.services.insight import GoalDetails
from telic.services.next_steps import about
from telic.wording.amounts import first_words, humanize, show_amounts, show_time
from telic.wording.goals import (
    Table,
    criterion_lines,
    describe_lease,
    reserved_lines,
    spending_of,
    standing_of,
    used_of,
    wait_of,
)

T = TypeVar("T")


def show_goal(terminal: Terminal, goal: Goal, paused_for_it: Goal | None = None) -> None:
    """Write the goal in full, and the goal that was paused because this one took its place."""
    if terminal.as_json:
        more = {} if paused_for_it is None else {"superseded": paused_for_it.to_json()}
        terminal.json(goal.to_json() | more)
        return
    paused = [] if paused_for_it is None else [("paused", f"{paused_for_it.id} “{first_words(paused_for_it.text)}”")]
    _show_facts(terminal, goal, [*_criteria(goal), *paused])


def show_details(terminal: Terminal, details: GoalDetails, by_kind: Mapping[str, Usage]) -> None:
    """Write the goal with its lease, its holds, how its criteria stand, and its usage by kind if of several."""
    if terminal.as_json:
        kinds = {kind: usage.as_dict() for kind, usage in by_kind.items()}
        terminal.json(details.as_dict() | {"usage_by_kind": kinds})
        return
    goal, total = details.goal, details.total
    facts = [("lease", describe_lease(details.lease)), *reserved_lines(goal, total)]
    if len(by_kind) > 1:
        facts += [
            (f"by {humanize(kind)}", show_amounts(usage.as_dict()) or "nothing") for kind, usage in by_kind.items()
        ]
    _show_facts(terminal, goal, facts)
    lines = [f"    {line}" for each in details.criteria for line in criterion_lines(each)]
    for line in ["  checks", *lines] if lines else []:
        terminal.line(line)
    pending = [each for each in details.criteria if each.is_pending]
    if pending and not goal.is_finished:
        answer = f"{{id}} --criterion {pending[0].number}"
        terminal.hint(about(f"telic approve {answer} says yes; telic reject {answer} says no", goal.id))
    if total.uncertain.holds:
        terminal.hint(about("telic holds {id} shows the holds that expired", goal.id))


def _show_facts(terminal: Terminal, goal: Goal, more: Sequence[tuple[str, str]]) -> None:
    # One line for one fact, whatever the text is.
    terminal.line(goal.text if "\n" not in goal.text else goal.text.replace("\n", " ⏎ "))
    facts = [
        ("id", goal.id),
        ("scope", goal.scope),
        ("status", standing_of(goal)),
        ("revision", str(goal.revision)),
        *([("wakes", wait_of(goal))] if goal.is_waiting else []),
        *sorted(spending_of(goal), key=lambda fact: fact[0] != "turns"),
        ("created", show_time(goal.created_at)),
        ("updated", show_time(goal.updated_at)),
        *more,
    ]
    _show_named(terminal, facts)


def _show_named(terminal: Terminal, facts: Sequence[tuple[str, str]]) -> None:
    for name, value in facts:
        terminal.line(f"  {name:<10} {value}")


def _criteria(goal: Goal) -> list[tuple[str, str]]:
    return [("criterion", f"{criterion.kind}: {criterion.title}") for criterion in goal.criteria]


def show_goals(terminal: Terminal, goals: Sequence[Goal], workers: Sequence[str | None] = ()) -> None:
    """Write the goals as a table, each with who drives it; without `workers`, nobody drives any."""
    rows = [
        [
            short,
            goal.scope,
            str(goal.status),
            humanize(goal.reason or ""),
            used_of(goal, "tokens"),
            str(goal.turns_used),
            worker or "",
            first_words(goal.text),
        ]
        for short, goal, worker in zip_longest(short_ids([goal.id for goal in goals]), goals, workers)
    ]
    columns = ["id", "scope", "status", "reason", "tokens", "turns", "worker", "text"]
    terminal.table(columns, rows, numbers=("tokens", "turns"))


def show_rows(terminal: Terminal, table: Table[T], rows: Sequence[T], to_json: Callable[[T], Any]) -> None:
    """Write the rows as this table, or as JSON."""
    if terminal.as_json:
        terminal.json([to_json(row) for row in rows])
    else:
        terminal.table(table.titles, [table.row(row) for row in rows], numbers=table.numbers)


def show_hold(terminal: Terminal, hold: Hold) -> None:
    """Write the hold in full."""
    if terminal.as_json:
        terminal.json(hold_to_json(hold))
        return
    terminal.line(f"{hold.state}: {show_amounts(hold.reserved.as_dict())}")
    until = "" if hold.expires_at is None else show_time(hold.expires_at)
    facts = (("goal", hold.goal_id), ("key", hold.key), ("placed", show_time(hold.placed_at)), ("until", until))
    _show_named(terminal, facts)


def show_lease(terminal: Terminal, lease: Lease) -> None:
    """Write the lease, with the goal that it is for."""
    if terminal.as_json:
        terminal.json(lease_to_json(lease))
        return
    more = [*_criteria(lease.goal), ("worker", lease.worker), ("token", str(lease.token))]
    _show_facts(terminal, lease.goal, more)


def show_leases(terminal: Terminal, leases: Sequence[Lease]) -> None:
    """Write the leases as a table."""
    ids = short_ids([lease.goal.id for lease in leases])
    rows = [
        [goal_id, lease.goal.scope, lease.worker, str(lease.token), first_words(lease.goal.text)]
        for goal_id, lease in zip(ids, leases, strict=True)
    ]
    terminal.table(["id", "scope", "worker", "token", "text"], rows)
