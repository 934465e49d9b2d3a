"""Goals, events, turns and reports as JSON: the one shape that the command, exports and programs share."""

from dataclasses import asdict, fields
from datetime import datetime
from typing import Any, Final

from telic.domain.budget import TurnUsage, UsageKind, UsageTakenBack
from telic.domain.clock import Instant, from_datetime, time_to_json
from telic.domain.errors import GoalError, StoreCorrupt
from telic.domain.events import Event, EventKind, FeedEvent, Turn
from telic.domain.goal import Actor
from telic.domain.history import GoalHistory, replay
from telic.domain.ids import plain_fields
from telic.domain.lease import Hold, Lease, LeaseState
from telic.domain.report import UsageReport, UsageSum

# Not raised where a key is added: what an older export lacks is filled in below.
FORMAT_VERSION = 1
_TIMES: Final = frozenset({"at", "placed_at", "expires_at"})


def time_from_json(text: str) -> Instant:
    """Return the instant that `time_to_json` wrote."""
    return from_datetime(datetime.fromisoformat(text))


def event_to_json(event: Event) -> dict[str, Any]:
    """Return the event under its field names."""
    return _with_times(event) | {"data": dict(event.data)}


def turn_to_json(turn: Turn) -> dict[str, Any]:
    """Return the turn under its field names."""
    return _with_times(turn)


def hold_to_json(hold: Hold) -> dict[str, Any]:
    """Return the hold under its field names."""
    return _with_times(hold)


def _with_times(value: Event | Turn | Hold) -> dict[str, Any]:
    return {name: time_to_json(each) if name in _TIMES else each for name, each in plain_fields(value).items()}


def lease_to_json(lease: Lease) -> dict[str, Any]:
    """Return the lease under its field names."""
    return {"goal": lease.goal.to_json(), "worker": lease.worker, "token": lease.token}


def lease_state_to_json(state: LeaseState) -> dict[str, Any]:
    """Return who drives a goal, without the goal itself."""
    return {field.name: getattr(state, field.name) for field in fields(state)[1:]}


def feed_event_to_json(event: FeedEvent) -> dict[str, Any]:
    """Return the event with its goal's scope and the cursor that continues after it."""
    return {"cursor": event.cursor, "scope": event.scope, "event": event_to_json(event.event)}


def usage_sum_to_json(sum: UsageSum) -> dict[str, Any]:
    """Return the sum under its field names."""
    return asdict(sum) | {"usage": sum.usage.as_dict()}


def report_to_json(report: UsageReport) -> dict[str, Any]:
    """Return the report under its field names."""
    return {
        "by": report.by.value,
        "groups": [{"name": group.name, **usage_sum_to_json(group.sum)} for group in report.groups],
        "left_out": report.left_out,
        "total": usage_sum_to_json(report.total),
    }


def history_to_json(history: GoalHistory) -> dict[str, Any]:
    """Return one line of an export."""
    return {
        "telic": FORMAT_VERSION,
        "goal": history.goal.to_json(),
        "events": [event_to_json(event) for event in history.events],
        "turns": [turn_to_json(turn) for turn in history.turns],
    }


def history_from_json(data: Any) -> GoalHistory:
    """Return the history that `history_to_json` wrote, replayed and compared with the goal beside it.

    Raises:
        StoreCorrupt: it is something else, was altered, or comes from a newer Telic.
    """
    try:
        if data["telic"] != FORMAT_VERSION:
            raise StoreCorrupt(f"the export has format {data['telic']!r}, this Telic reads {FORMAT_VERSION}")
        events = [_event_from_json(line) for line in data["events"]]
        turns = [_turn_from_json(line) for line in data["turns"]]
        history = replay(data["goal"]["id"], events, turns)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, GoalError):
            raise
        raise StoreCorrupt(f"not a line of an export: {type(error).__name__}: {error!s:.200}") from error
    # An export from before goals counted their estimates does not say how many it has.
    if history.goal.to_json() != {"estimated_lines": history.goal.estimated_lines} | data["goal"]:
        raise StoreCorrupt(f"goal {history.goal.id}: its history does not make the goal beside it")
    return history


def _event_from_json(line: Any) -> Event:
    kind, actor = EventKind(line["kind"]), Actor(line["actor"])
    at = time_from_json(line["at"])
    number, revision = line["number"], line["revision"]
    return Event(line["goal_id"], number, revision, kind, actor, at, line["key"], line["data"], line["hash"])


def _turn_from_json(line: Any) -> Turn:
    # An export from before there were estimates does not say that it has none.
    is_estimate, takes_back = line.get("is_estimate", False), line.get("takes_back")
    usage = (TurnUsage if takes_back is None else UsageTakenBack)(**line["usage"])
    at, kind, key = time_from_json(line["at"]), UsageKind(line["kind"]), line["key"]
    if not isinstance(is_estimate, bool) or type(takes_back) not in (int, type(None)):
        raise TypeError("is_estimate must be true or false, takes_back a number or null")
    return Turn(
        line["goal_id"], line["number"], key, at, usage, line["hash"], kind, line["model"], is_estimate, takes_back
    )
