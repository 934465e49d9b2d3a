"""Telic: durable goals for AI agents."""

from importlib import import_module
from typing import TYPE_CHECKING

from telic.domain.budget import BillingPolicy, Budget, ModelUsage, TurnUsage, Usage, UsageKind
from telic.domain.clock import Clock, Instant, SystemClock, from_datetime, to_datetime
from telic.domain.criteria import Criterion, CriterionKind
from telic.domain.errors import (
    AgentConversationLost,
    AgentCostUnknown,
    AgentExited,
    AgentFailure,
    AgentNotRunnable,
    AgentOutputBroken,
    AgentPromptTooLarge,
    AgentSaidNothing,
    AgentTimedOut,
    AgentTurnFailed,
    AmbiguousId,
    BudgetExceeded,
    EmptyText,
    GoalError,
    GoalNotActive,
    GoalNotFound,
    HoldLost,
    InvalidCommand,
    InvalidCursor,
    InvalidInput,
    InvalidNumber,
    InvalidText,
    InvalidTransition,
    KeyConflict,
    LeaseHeld,
    LeaseLost,
    MissingExtra,
    NotAllowed,
    OutcomeUnknown,
    PriceUnknown,
    SchemaMismatch,
    StaleUpdate,
    StoreBusy,
    StoreClosed,
    StoreCorrupt,
    StoreError,
    StoreFull,
    StoreMisconfigured,
    StoreMoved,
    StoreUnavailable,
    TextTooLong,
    TurnConflict,
    WorkspaceMissing,
    WouldReplace,
)
from telic.domain.events import Event, EventKind, Turn, TurnResult
from telic.domain.feed import EventPage, FeedEvent
from telic.domain.goal import DEFAULT_SCOPE, Actor, Goal, GoalPage, GoalStatus, Reason
from telic.domain.hold import Hold, HoldState, Reservation
from telic.domain.lease import Lease, LeaseState
from telic.domain.listing import GoalCounts, GoalListing, GoalOrder
from telic.domain.overview import CriterionStanding, GoalGlance, GoalOverview, UsagePoint
from telic.domain.report import Reserved, UsageGroup, UsageGrouping, UsageReport, UsageSum
from telic.domain.snapshot import GoalSnapshot
from telic.storage.options import Durability
from telic.store.connect import connect, connect_async
from telic.store.goal_store import GoalStore

if TYPE_CHECKING:
    from telic import observe as observe
    from telic.accounting.async_accounting import AsyncGoalAccounting
    from telic.accounting.blocking import GoalAccounting
    from telic.domain.decision import LoopPolicy
    from telic.loop.goal_loop import GoalLoop
    from telic.loop.settings import LoopSettings
    from telic.loop.verification.verifier import Verifier
    from telic.store.async_store import AsyncGoalStore

__all__ = [
    "DEFAULT_SCOPE",
    "Actor",
    "AgentConversationLost",
    "AgentCostUnknown",
    "AgentExited",
    "AgentFailure",
    "AgentNotRunnable",
    "AgentOutputBroken",
    "AgentPromptTooLarge",
    "AgentSaidNothing",
    "AgentTimedOut",
    "AgentTurnFailed",
    "AmbiguousId",
    "AsyncGoalAccounting",
    "AsyncGoalStore",
    "BillingPolicy",
    "Budget",
    "BudgetExceeded",
    "Clock",
    "Criterion",
    "CriterionKind",
    "CriterionStanding",
    "Durability",
    "EmptyText",
    "Event",
    "EventKind",
    "EventPage",
    "FeedEvent",
    "Goal",
    "GoalAccounting",
    "GoalCounts",
    "GoalError",
    "GoalGlance",
    "GoalListing",
    "GoalLoop",
    "GoalNotActive",
    "GoalNotFound",
    "GoalOrder",
    "GoalOverview",
    "GoalPage",
    "GoalSnapshot",
    "GoalStatus",
    "GoalStore",
    "Hold",
    "HoldLost",
    "HoldState",
    "Instant",
    "InvalidCommand",
    "InvalidCursor",
    "InvalidInput",
    "InvalidNumber",
    "InvalidText",
    "InvalidTransition",
    "KeyConflict",
    "Lease",
    "LeaseHeld",
    "LeaseLost",
    "LeaseState",
    "LoopPolicy",
    "LoopSettings",
    "MissingExtra",
    "ModelUsage",
    "NotAllowed",
    "OutcomeUnknown",
    "PriceUnknown",
    "Reason",
    "Reservation",
    "Reserved",
    "SchemaMismatch",
    "StaleUpdate",
    "StoreBusy",
    "StoreClosed",
    "StoreCorrupt",
    "StoreError",
    "StoreFull",
    "StoreMisconfigured",
    "StoreMoved",
    "StoreUnavailable",
    "SystemClock",
    "TextTooLong",
    "Turn",
    "TurnConflict",
    "TurnResult",
    "TurnUsage",
    "Usage",
    "UsageGroup",
    "UsageGrouping",
    "UsageKind",
    "UsagePoint",
    "UsageReport",
    "UsageSum",
    "Verifier",
    "WorkspaceMissing",
    "WouldReplace",
    "connect",
    "connect_async",
    "from_datetime",
    "to_datetime",
]


def __getattr__(name: str) -> object:
    """What not every program needs is imported when it is first asked for."""
    places = {
        "AsyncGoalAccounting": "telic.accounting.async_accounting",
        "AsyncGoalStore": "telic.store.async_store",
        "GoalAccounting": "telic.accounting.blocking",
        "GoalLoop": "telic.loop.goal_loop",
        "LoopPolicy": "telic.domain.decision",
        "LoopSettings": "telic.loop.settings",
        "Verifier": "telic.loop.verification.verifier",
    }
    if name == "observe":
        return import_module("telic.observe")
    if name not in places:
        raise AttributeError(f"module 'telic' has no attribute {name!r}")
    return getattr(import_module(places[name]), name)
