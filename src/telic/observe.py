"""Observers of a store, given to `telic.connect`: `OpenTelemetry`, `Logging` alone, or an `Observer` of one's own."""

from importlib import import_module
from typing import TYPE_CHECKING

from telic.domain.base_errors import needs_extra
from telic.observability.log_lines import LineForm, LineFormatter, Logging
from telic.observability.observer import (
    AgentTurn,
    EventsReceived,
    Fact,
    HoldMoved,
    LeaseRanOut,
    Observer,
    StatusSet,
    StoreCall,
    TurnCounted,
    VerificationRun,
    Work,
)

if TYPE_CHECKING:
    from telic.observability.telemetry import OpenTelemetry

__all__ = [
    "AgentTurn", "EventsReceived", "Fact", "HoldMoved", "LeaseRanOut", "LineForm", "LineFormatter", "Logging",
    "Observer", "OpenTelemetry", "StatusSet", "StoreCall", "TurnCounted", "VerificationRun", "Work",
]  # fmt: skip


def __getattr__(name: str) -> object:
    """OpenTelemetry is imported when it is first asked for.

    Raises:
        MissingExtra: its package is not installed.
    """
    if name != "OpenTelemetry":
        raise AttributeError(f"module 'telic.observe' has no attribute {name!r}")
    with needs_extra("telemetry", "telic.observe.OpenTelemetry"):
        return import_module("telic.observability.telemetry").OpenTelemetry
