"""Every value that the stores take and give: goals, budgets, usage, events, leases, reports."""

from telic.domain.budget import BillingPolicy, Budget, ModelUsage, TurnUsage, Usage, UsageKind
from telic.domain.clock import Clock, Instant, SystemClock, from_datetime, to_datetime
from telic.domain.criteria import Criterion, CriterionKind
from telic.domain.events import Event, EventKind, EventPage, FeedEvent, Turn, TurnResult
from telic.domain.goal import DEFAULT_SCOPE, Actor, Goal, GoalStatus, Reason
from telic.domain.lease import Hold, HoldState, Lease, LeaseState, Reservation
from telic.domain.lifecycle import NamedActor
from telic.domain.report import Reserved, UsageGroup, UsageGrouping, UsageReport, UsageSum
from telic.domain.views import (
    CriterionStanding,
    GoalCounts,
    GoalOrder,
    GoalOverview,
    GoalPage,
    GoalPeek,
    GoalSnapshot,
    UsagePoint,
)
from telic.storage.transaction import Durability

__all__ = [
    "DEFAULT_SCOPE", "Actor", "BillingPolicy", "Budget", "Clock", "Criterion", "CriterionKind", "CriterionStanding",
    "Durability", "Event", "EventKind", "EventPage", "FeedEvent", "Goal", "GoalCounts", "GoalOrder", "GoalOverview",
    "GoalPage", "GoalPeek", "GoalSnapshot", "GoalStatus", "Hold", "HoldState", "Instant", "Lease", "LeaseState",
    "ModelUsage", "NamedActor", "Reason", "Reservation", "Reserved", "SystemClock", "Turn", "TurnResult", "TurnUsage",
    "Usage", "UsageGroup", "UsageGrouping", "UsageKind", "UsagePoint", "UsageReport", "UsageSum", "from_datetime",
    "to_datetime",
]  # fmt: skip
