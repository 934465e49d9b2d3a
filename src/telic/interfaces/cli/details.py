"""Holds, leases, and all there is to know about one goal, as a person reads them and as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from telic.domain.budget import Usage
from telic.domain.goal import Goal
from telic.domain.hold import Hold, Reservation
from telic.domain.ids import short_ids
from telic.domain.jsonable import goal_to_json, hold_to_json, lease_state_to_json, lease_to_json
from telic.domain.lease import Lease, LeaseState
from telic.domain.report import Reserved, UsageGrouping, UsageSum
from telic.interfaces.cli.checks import show_checks
from telic.interfaces.cli.render import show_facts
from telic.interfaces.cli.terminal import Terminal
from telic.services.checks import Check, look_at_checks
from telic.store.goal_store import GoalStore
from telic.wording.amounts import LIMIT_NAMES, show_amount, show_amounts, show_duration
from telic.wording.words import first_words, show_time


@dataclass(frozen=True, slots=True)
class Details:
    """A goal, who drives it, what it used and holds, and how its criteria stand."""

    goal: Goal
    lease: LeaseState
    sum: UsageSum
    usage_by_kind: Mapping[str, Usage]
    checks: Sequence[Check]


def look(store: GoalStore, goal: Goal) -> Details:
    """All there is to know about the goal now."""
    by_kind = store.usage(by=UsageGrouping.KIND, goal_id=goal.id)
    usage_by_kind = {str(group.name): group.sum.usage for group in by_kind.groups}
    return Details(
        goal, store.lease(goal.id), store.usage(goal_id=goal.id).total, usage_by_kind, look_at_checks(store, goal)
    )


def show_details(terminal: Terminal, details: Details) -> None:
    """The details in full."""
    if terminal.as_json:
        terminal.json(_details_to_json(details))
        return
    facts = [("driver", _driver(details.lease))]
    if details.sum.held.holds and details.goal.is_finished:
        # Nothing is reserved for it any more; what the turn used nobody has said.
        facts.append(("uncertain", _reserved(details.sum.held, "never settled")))
    elif details.sum.held.holds:
        facts.append(("held", _reserved(details.sum.held, "open")))
    if details.sum.uncertain.holds:
        facts.append(("uncertain", _reserved(details.sum.uncertain, "expired")))
    if len(details.usage_by_kind) > 1:
        facts += [
            (f"by {kind}", show_amounts(usage.as_dict()) or "nothing") for kind, usage in details.usage_by_kind.items()
        ]
    show_facts(terminal, details.goal, facts)
    show_checks(terminal, details.goal, details.checks)
    if details.sum.uncertain.holds:
        terminal.hint(f"nobody said what expired holds consumed: telic holds {details.goal.id} shows them")


def _details_to_json(details: Details) -> dict[str, Any]:
    return goal_to_json(details.goal) | {
        "lease": lease_state_to_json(details.lease),
        "held": asdict(details.sum.held),
        "uncertain": asdict(details.sum.uncertain),
        "usage_by_kind": {kind: usage.as_dict() for kind, usage in details.usage_by_kind.items()},
        "checks": [check.as_dict() for check in details.checks],
    }


def _driver(lease: LeaseState) -> str:
    if lease.holder is None:
        rest = lease.due_in_microseconds // 1_000_000
        return f"nobody; its next step is due in {show_duration(rest)}" if rest else "nobody"
    return f"{lease.holder} for another {show_duration(lease.expires_in_microseconds // 1_000_000)}"


def _reserved(reserved: Reserved, state: str) -> str:
    noun = "hold" if reserved.holds == 1 else "holds"
    return f"{reserved.holds:,} {state} {noun}: {show_amounts(asdict(reserved)) or 'one turn'}"


def show_hold(terminal: Terminal, hold: Hold) -> None:
    """The hold in full."""
    if terminal.as_json:
        terminal.json(hold_to_json(hold))
        return
    terminal.line(f"{hold.state}: {show_amounts(hold.reserved.as_dict())}")
    for name, value in (
        ("goal", hold.goal_id),
        ("key", hold.key),
        ("placed", show_time(hold.placed_at)),
        ("until", _until(hold)),
    ):
        terminal.line(f"  {name:<10} {value}")


def _until(hold: Hold) -> str:
    return "" if hold.expires_at is None else show_time(hold.expires_at)


def show_holds(terminal: Terminal, holds: Sequence[Hold]) -> None:
    """The holds as a table."""
    rows = [
        [
            hold.state,
            *(show_amount(name, amount) for name, amount in hold.reserved.as_dict().items()),
            show_time(hold.placed_at),
            _until(hold),
            hold.turn_key or "",
            hold.key,
        ]
        for hold in holds
    ]
    amounts = [LIMIT_NAMES[name] for name in Reservation().as_dict()]
    terminal.table(["state", *amounts, "placed", "until", "turn key", "key"], rows, numbers=amounts)


def show_lease(terminal: Terminal, lease: Lease) -> None:
    """The lease, with the goal that it is for."""
    if terminal.as_json:
        terminal.json(lease_to_json(lease))
        return
    show_facts(terminal, lease.goal, [("holder", lease.holder), ("token", str(lease.token))])


def show_leases(terminal: Terminal, leases: Sequence[Lease]) -> None:
    """The leases as a table."""
    ids = short_ids([lease.goal.id for lease in leases])
    rows = [
        [goal_id, lease.goal.scope, lease.holder, str(lease.token), first_words(lease.goal.text)]
        for goal_id, lease in zip(ids, leases, strict=True)
    ]
    terminal.table(["id", "scope", "holder", "token", "text"], rows)
