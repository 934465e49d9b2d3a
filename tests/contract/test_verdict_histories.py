"""Verdicts and approvals survive export, import and the doctor, and are read as strictly as everything else."""

import asyncio
import json
from pathlib import Path

import pytest

import telic
from telic.domain.verdict import Outcome
from telic.services.transfer.histories import export_lines, import_histories, read_lines
from telic.store.doctor import Level, examine
from telic.testing.contract.verdicts import LOOKS, TESTS, verdicts_on
from tests.support.raw import drop_checks, execute


def checked_goal(location: str) -> telic.Goal:
    """A goal that was checked, approved, rejected and verified, and another that was only checked."""
    with telic.connect(location) as store:
        goal = store.create("verify", criteria=[TESTS, LOOKS])
        store.approve(goal.id, 1, decided_by="Ada")
        store.verify(goal.id, verdicts_on(goal, Outcome.FAILED))
        store.approve(goal.id, 1, decided_by="Ada", is_approved=False, note="no")
        store.verify(goal.id, verdicts_on(goal, Outcome.PASSED, Outcome.PASSED))
        open_goal = store.create("open", criteria=[TESTS, LOOKS])
        store.approve(open_goal.id, 1, decided_by="Ada")
        store.verify(open_goal.id, verdicts_on(open_goal, Outcome.FAILED))
        return open_goal


def test_remarks_are_exported_and_imported(location: str, tmp_path: Path) -> None:
    """The copy is equal and healthy, and its verdicts still count."""
    goal = checked_goal(location)
    copy = str(tmp_path / "copy.db")
    with telic.connect(location) as store:
        lines = list(export_lines(store))
    with telic.connect(copy) as store:
        import_histories(store, read_lines(lines))
        assert list(export_lines(store)) == lines
        assert store.verification(goal.id) == verdicts_on(goal, Outcome.FAILED)
        assert [answer.decided_by for answer in store.approvals(goal.id)] == ["Ada"]
    for place in (location, copy):
        assert [finding for finding in examine(place) if finding.level is Level.PROBLEM] == []


@pytest.mark.parametrize("kind", ["checked", "approved"])
def test_the_doctor_notices_an_altered_remark(location: str, kind: str) -> None:
    """What a shell changed in a verdict or an answer is found."""
    goal = checked_goal(location)
    execute(location, f"UPDATE events SET data = '{{}}' WHERE kind = '{kind}' AND goal_id = '{goal.id}'")
    assert any(finding.level is Level.PROBLEM and goal.id in finding.message for finding in examine(location))
    with telic.connect(location) as store, pytest.raises(telic.errors.StoreCorrupt, match=goal.id):
        store.approvals(goal.id)


@pytest.mark.parametrize("data", [{"revision": 1}, {"revision": 1, "criterion_hashes": [], "verdicts": [7]}])
def test_verdicts_that_cannot_be_understood_are_named(location: str, data: dict[str, object]) -> None:
    """Never a default, never «not checked»."""
    goal = checked_goal(location)
    drop_checks(location, "events")
    execute(location, f"UPDATE events SET data = '{json.dumps(data)}' WHERE kind = 'checked' AND goal_id = '{goal.id}'")
    with telic.connect(location) as store, pytest.raises(telic.errors.StoreCorrupt, match=goal.id):
        store.verification(goal.id)


async def test_many_verifiers_at_once_complete_a_goal_once(location: str) -> None:
    """One wins; the others find the goal changed."""
    async with telic.connect_async(location) as store:
        goal = await store.create("verify", criteria=[TESTS])
        found = verdicts_on(goal, Outcome.PASSED)
        results = await asyncio.gather(*(store.verify(goal.id, found) for _ in range(8)), return_exceptions=True)
        assert sum(isinstance(result, telic.Goal) for result in results) == 1
        assert sum(isinstance(result, telic.StaleUpdate) for result in results) == 7
        assert [event.kind.value for event in await store.events(goal.id)] == ["created", "checked", "completed"]
