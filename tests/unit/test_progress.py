"""What counts as progress, and what only looks like it."""

from typing import Any

import pytest

from telic.domain.errors import InvalidInput
from telic.loop.progress import Observation, ProgressKind, progress_since

A, B, C = "a" * 64, "b" * 64, "c" * 64


def seen(workspace: str | None = A, passed: str = "", effects: int = 0) -> Observation:
    return Observation(
        passed_hashes=frozenset(letter * 64 for letter in passed), workspace_hash=workspace, tool_effects=effects
    )


@pytest.mark.parametrize(
    ("history", "now", "found"),
    [
        ([], seen(B, "a", 3), set()),
        ([seen()], seen(), set()),
        ([seen()], seen(B), {ProgressKind.WORKSPACE}),
        ([seen()], seen(A, "a"), {ProgressKind.CRITERION}),
        ([seen(A, "a")], seen(A, "b"), {ProgressKind.CRITERION}),
        ([seen()], seen(A, "", 1), {ProgressKind.TOOL_EFFECT}),
        ([seen()], seen(B, "a", 1), set(ProgressKind)),
        ([seen(A, "a")], seen(A), set()),
        ([seen(A), seen(B)], seen(A), set()),
        ([seen(A, "a"), seen(A)], seen(A, "a"), set()),
        ([seen(A), seen(B), seen(A)], seen(C), {ProgressKind.WORKSPACE}),
        ([seen(A, "", 5), seen(A, "", 2)], seen(A, "", 4), set()),
        ([seen(None)], seen(A), set()),
        ([seen(A)], seen(None), set()),
    ],
)
def test_progress_is_what_was_never_seen_before(
    history: list[Observation], now: Observation, found: set[ProgressKind]
) -> None:
    assert progress_since(history, now) == found


@pytest.mark.parametrize("parts", [{"passed_hashes": frozenset({"x"})}, {"workspace_hash": "a"}, {"tool_effects": -1}])
def test_an_observation_of_nothing_that_is_possible_is_refused(parts: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        Observation(**parts)
