"""A claim at a session's stop: its criteria are checked once, and their failure is told to the model."""

import pytest

from telic.domain.criteria import Criterion
from telic.domain.goal import GoalStatus
from tests.hooks.conftest import HostProgram

_COUNTED = 'echo checked >> checks; echo "the last line of the check"; exit 1'


@pytest.mark.parametrize("knows_goal", [False, True], ids=["unknown goal", "known goal"])
def test_a_claim_is_checked_once_and_its_failure_is_told(program: HostProgram, *, knows_goal: bool) -> None:
    """Whether the model is told the whole goal or a few lines; and what it said is not told to it as if forgotten."""
    goal = program.goal(criteria=[Criterion.command(["sh", "-c", _COUNTED])])
    if knows_goal:
        program.call("session_start")
    told = program.stop("Done.\nTELIC: complete")
    assert "criterion 1" in told
    assert "the last line of the check" in told
    assert "remember nothing" not in told
    assert (program.folder / "checks").read_text() == "checked\n"
    assert program.store.get(goal.id).status is GoalStatus.ACTIVE


def test_a_stop_without_a_claim_checks_nothing(program: HostProgram) -> None:
    """A session's stop follows work, so that it is no first turn, before which commands are checked."""
    program.goal(criteria=[Criterion.command(["sh", "-c", _COUNTED])])
    assert "Continue with the goal" in program.stop("I have looked at the code.")
    assert not (program.folder / "checks").exists()
