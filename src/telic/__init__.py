"""Telic: durable goals for AI agents.

The names that most programs need are here. All errors are in `telic.errors`, all values in `telic.types`.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from telic import errors, types
from telic.errors import (
    BudgetExceeded,
    GoalError,
    GoalNotActive,
    GoalNotFound,
    InvalidInput,
    InvalidTransition,
    LeaseLost,
    NotAllowed,
    OutcomeUnknown,
    StaleUpdate,
    StoreError,
    WouldReplace,
)
from telic.store.connect import connect, connect_async
from telic.store.goal_store import GoalStore
from telic.types import (
    DEFAULT_SCOPE,
    Actor,
    BillingPolicy,
    Budget,
    Criterion,
    CriterionKind,
    Durability,
    Event,
    EventKind,
    FeedEvent,
    Goal,
    GoalOrder,
    GoalPage,
    GoalSnapshot,
    GoalStatus,
    Hold,
    Lease,
    ModelUsage,
    Reason,
    Turn,
    TurnResult,
    TurnUsage,
    Usage,
    UsageKind,
)

if TYPE_CHECKING:
    from telic import observe as observe
    from telic.accounting.async_accounting import AsyncGoalAccounting
    from telic.accounting.blocking import GoalAccounting
    from telic.domain.decision import LoopPolicy
    from telic.loop.goal_loop import GoalLoop
    from telic.loop.run_context import LoopSettings
    from telic.loop.verification.verifier import Verifier
    from telic.store.async_store import AsyncGoalStore

__all__ = [
    "DEFAULT_SCOPE",
    "Actor",
    "AsyncGoalAccounting",
    "AsyncGoalStore",
    "BillingPolicy",
    "Budget",
    "BudgetExceeded",
    "Criterion",
    "CriterionKind",
    "Durability",
    "Event",
    "EventKind",
    "FeedEvent",
    "Goal",
    "GoalAccounting",
    "GoalError",
    "GoalLoop",
    "GoalNotActive",
    "GoalNotFound",
    "GoalOrder",
    "GoalPage",
    "GoalSnapshot",
    "GoalStatus",
    "GoalStore",
    "Hold",
    "InvalidInput",
    "InvalidTransition",
    "Lease",
    "LeaseLost",
    "LoopPolicy",
    "LoopSettings",
    "ModelUsage",
    "NotAllowed",
    "OutcomeUnknown",
    "Reason",
    "StaleUpdate",
    "StoreError",
    "Turn",
    "TurnResult",
    "TurnUsage",
    "Usage",
    "UsageKind",
    "Verifier",
    "WouldReplace",
    "connect",
    "connect_async",
    "errors",
    "types",
]


def __getattr__(name: str) -> object:
    """Import a rarely used name when it is first used.

    A name that is only in `telic.errors` or `telic.types` is found here too.
    """
    modules = {
        "AsyncGoalAccounting": "telic.accounting.async_accounting",
        "AsyncGoalStore": "telic.store.async_store",
        "GoalAccounting": "telic.accounting.blocking",
        "GoalLoop": "telic.loop.goal_loop",
        "LoopPolicy": "telic.domain.decision",
        "LoopSettings": "telic.loop.run_context",
        "Verifier": "telic.loop.verification.verifier",
    }
    if name == "observe":
        return import_module("telic.observe")
    if name in modules:
        return getattr(import_module(modules[name]), name)
    for module in (errors, types):
        if name in module.__all__:
            return getattr(module, name)
    raise AttributeError(f"module 'telic' has no attribute {name!r}")
