"""`telic worker` as a process of its own, on SQLite and on PostgreSQL."""

from pathlib import Path

import pytest

import telic
from telic import GoalStatus
from tests.interfaces.running import Runs, lives, until


@pytest.fixture
def runs(location: str, tmp_path: Path) -> Runs:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    with telic.connect(location):
        pass
    return Runs(location, workspace)


def _folders(runs: Runs, *scopes: str) -> Path:
    root = runs.workspace / "root"
    for scope in scopes:
        (root / scope).mkdir(parents=True)
    return root


def test_it_works_on_goals_of_every_scope(runs: Runs) -> None:
    """Several at once, each in its scope's folder; goals that come later, and those that wake, as well."""
    root = _folders(runs, "a", "b", "c", "late")
    with telic.connect(runs.store) as store:
        first = [store.create("Take two steps", scope=scope) for scope in ("a", "b", "c")]
        process = runs.start("worker", *runs.agent, "--workspace-root", str(root), "--concurrency", "2", "--json")
        until(lambda: all(store.get(goal.id).is_finished for goal in first))
        late = store.create("Take two steps", scope="late")
        until(lambda: store.get(late.id).is_finished)
        assert {store.get(goal.id).turns_used for goal in (*first, late)} == {2}
    assert sorted(path.parent.name for path in root.glob("*/step-2")) == ["a", "b", "c", "late"]
    process.terminate()
    runs.end(process, expect=0)


def test_sigterm_gives_the_goals_back(runs: Runs) -> None:
    """Turns are cancelled, goals stay active and free, and another worker goes on at once."""
    root = _folders(runs, "a", "b")
    arguments = ("worker", *runs.agent, "--workspace-root", str(root), "--concurrency", "2", "--json")
    with telic.connect(runs.store) as store:
        goals = [store.create("Take two steps", scope=scope) for scope in ("a", "b")]
        process = runs.start(*arguments, AGENT_SECONDS="60")
        logs = [root / scope / "started" for scope in ("a", "b")]
        until(lambda: all(log.exists() and log.read_text() for log in logs))
        agents = [int(log.read_text().split()[1]) for log in logs]
        process.terminate()
        runs.end(process, expect=0)
        assert not any(lives(agent) for agent in agents)
        states = [store.lease(goal.id) for goal in goals]
        assert [(state.worker, state.goal.status) for state in states] == [(None, GoalStatus.ACTIVE)] * 2
        another = runs.start(*arguments)
        until(lambda: all(store.get(goal.id).is_finished for goal in goals))
        another.terminate()
        runs.end(another, expect=0)


def test_scopes_that_lead_out_of_the_root_are_refused(runs: Runs) -> None:
    """Each such goal is paused as failed and says why; the worker goes on with the others."""
    root = _folders(runs, "good")
    (root / "link").symlink_to(runs.workspace)
    with telic.connect(runs.store) as store:
        bad = [
            store.create("Take two steps", scope=scope) for scope in ("..", "a/b", "/etc", "link", "missing", ".git")
        ]
        good = store.create("Take two steps", scope="good")
        process = runs.start("worker", *runs.agent, "--workspace-root", str(root), "--json")
        until(lambda: store.get(good.id).is_finished)
        until(lambda: all(store.get(goal.id).status is GoalStatus.PAUSED for goal in bad))
        reasons = {(str(store.get(goal.id).reason), store.lease(goal.id).worker) for goal in bad}
        notes = [store.get(goal.id).note or "" for goal in bad]
    process.terminate()
    runs.end(process, expect=0)
    assert reasons == {("failed", None)}
    assert all("root" in note or "is not there" in note or "no plain name" in note for note in notes), notes
    assert not (runs.workspace / "step-1").exists()


def test_a_worker_says_where_it_works(runs: Runs) -> None:
    """One folder for all, or a root; neither and both are refused."""
    for arguments in ((), ("--workspace", ".", "--workspace-root", ".")):
        process = runs.start("worker", *runs.agent, *arguments)
        _, errors = process.communicate(timeout=240)
        assert process.returncode == 2
        assert "one of them" in errors
