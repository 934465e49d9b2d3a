"""Progress is what can be observed: criteria newly passing, a workspace never seen like this, new tool effects.

What an agent says of its progress is no part of it, so that rewording cannot pass for work.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from telic.domain.errors import InvalidInput
from telic.domain.limits import check_counter
from telic.domain.verdict import check_sha256


class ProgressKind(StrEnum):
    """What progress was made of."""

    CRITERION = "criterion"
    WORKSPACE = "workspace"
    TOOL_EFFECT = "tool_effect"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What could be observed after a turn.

    `passed_hashes` are those of the criteria that passed (`Verification.passed_hashes`); `workspace_hash` is None
    where it was not looked at; `tool_effects` counts all of the goal's turns so far, so it never falls.

    Raises:
        InvalidInput: a hash is none, or the count is no count.
    """

    passed_hashes: frozenset[str] = frozenset()
    workspace_hash: str | None = None
    tool_effects: int = 0

    def __post_init__(self) -> None:
        for passed in self.passed_hashes:
            check_sha256(passed)
        if self.workspace_hash is not None:
            check_sha256(self.workspace_hash)
        check_counter("tool_effects", self.tool_effects)

    def as_dict(self) -> dict[str, Any]:
        """The observation as JSON keeps it."""
        return {
            "passed_hashes": sorted(self.passed_hashes),
            "workspace_hash": self.workspace_hash,
            "tool_effects": self.tool_effects,
        }


def observation_from_dict(data: Any) -> Observation:
    """The observation that `as_dict` gave.

    Raises:
        InvalidInput: the data is anything else.
    """
    if not isinstance(data, dict) or set(data) != {"passed_hashes", "workspace_hash", "tool_effects"}:
        raise InvalidInput("an observation has passed_hashes, workspace_hash and tool_effects")
    if not isinstance(data["passed_hashes"], list):
        raise InvalidInput("passed_hashes is a list")
    for passed in data["passed_hashes"]:
        check_sha256(passed)
    return Observation(
        passed_hashes=frozenset(data["passed_hashes"]),
        workspace_hash=data["workspace_hash"],
        tool_effects=data["tool_effects"],
    )


def progress_since(history: Sequence[Observation], now: Observation) -> frozenset[ProgressKind]:
    """What is new in `now` against all of the history; nothing where there is none to compare with.

    A criterion that passes again, or a workspace put back to an earlier state, is not new.
    """
    if not history:
        return frozenset()
    passed = frozenset[str]().union(*(past.passed_hashes for past in history))
    workspaces = {past.workspace_hash for past in history} - {None}
    found = {
        ProgressKind.CRITERION: bool(now.passed_hashes - passed),
        ProgressKind.WORKSPACE: bool(workspaces) and now.workspace_hash not in workspaces | {None},
        ProgressKind.TOOL_EFFECT: now.tool_effects > max(past.tool_effects for past in history),
    }
    return frozenset(kind for kind, is_new in found.items() if is_new)
