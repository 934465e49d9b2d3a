"""Every error Telic raises, on one screen.

    GoalError
    ├── GoalNotFound · AmbiguousId · InvalidTransition · StaleUpdate · BudgetExceeded
    ├── PriceUnknown · WouldReplace
    ├── KeyConflict ── TurnConflict
    ├── GoalNotActive · LeaseHeld · LeaseLost · HoldLost · NotAllowed
    ├── InvalidInput ── InvalidText (EmptyText, TextTooLong) · InvalidNumber · InvalidCursor · InvalidCommand
    ├── AgentFailure ── AgentNotRunnable · AgentPromptTooLarge · AgentExited · AgentTimedOut
    │                   · AgentSaidNothing · AgentOutputBroken · AgentTurnFailed · AgentConversationLost
    │                   · AgentCostUnknown
    ├── WorkspaceMissing · MissingExtra
    └── StoreError
        ├── StoreBusy · StoreUnavailable        (retryable)
        ├── OutcomeUnknown                      (retry with the same key)
        └── StoreFull · StoreMoved · StoreCorrupt · StoreMisconfigured · SchemaMismatch · StoreClosed

Each docstring says what happened, whether anything was written, and whether a retry is safe.
"""

from telic.domain.errors.agents import (
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
    WorkspaceMissing,
)
from telic.domain.errors.base import (
    EmptyText,
    GoalError,
    InvalidCommand,
    InvalidCursor,
    InvalidInput,
    InvalidNumber,
    InvalidText,
    MissingExtra,
    TextTooLong,
)
from telic.domain.errors.goals import (
    AmbiguousId,
    BudgetExceeded,
    GoalNotActive,
    GoalNotFound,
    HoldLost,
    InvalidTransition,
    KeyConflict,
    LeaseHeld,
    LeaseLost,
    NotAllowed,
    PriceUnknown,
    StaleUpdate,
    TurnConflict,
    WouldReplace,
)
from telic.domain.errors.stores import (
    PASSING,
    OutcomeUnknown,
    SchemaMismatch,
    StoreBusy,
    StoreClosed,
    StoreCorrupt,
    StoreError,
    StoreFull,
    StoreMisconfigured,
    StoreMoved,
    StoreUnavailable,
)

__all__ = [
    "PASSING",
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
    "BudgetExceeded",
    "EmptyText",
    "GoalError",
    "GoalNotActive",
    "GoalNotFound",
    "HoldLost",
    "InvalidCommand",
    "InvalidCursor",
    "InvalidInput",
    "InvalidNumber",
    "InvalidText",
    "InvalidTransition",
    "KeyConflict",
    "LeaseHeld",
    "LeaseLost",
    "MissingExtra",
    "NotAllowed",
    "OutcomeUnknown",
    "PriceUnknown",
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
    "TextTooLong",
    "TurnConflict",
    "WorkspaceMissing",
    "WouldReplace",
]
