"""What a shell offers for a word that is being typed."""

import os
import subprocess
from pathlib import Path

import pytest

import telic
from telic.interfaces.cli import app
from tests.interfaces.shell import TELIC, Shell


def offered(shell: Shell, *words: str, store: str | None = None) -> list[str]:
    """The words that bash is offered for the last of these."""
    line = {
        "COMP_WORDS": " ".join(("telic", *words)),
        "COMP_CWORD": str(len(words)),
        "_TELIC_COMPLETE": "bash_complete",
    }
    environment = os.environ | {"TELIC_STORE": store or shell.store} | line
    environment.pop("TELIC_SCOPE", None)
    result = subprocess.run([TELIC], env=environment, capture_output=True, text=True, check=True)
    assert result.stderr == ""
    return [line.partition(",")[2] for line in result.stdout.splitlines() if line]


@pytest.fixture
def goals(shell: Shell) -> dict[str, telic.Goal]:
    """Goals of two scopes, one of which is driven."""
    with telic.connect(shell.store) as store:
        made = {scope: store.create(f"goal of {scope}", scope=scope) for scope in ("shop/web", "shop/api", "docs")}
        store.claim(made["docs"].id, worker="host-1/worker-7")
    return made


def test_goals_complete_by_both_ends_of_their_ids(shell: Shell, goals: dict[str, telic.Goal]) -> None:
    api = goals["shop/api"].id
    assert offered(shell, "show", api[-12:-6]) == [api[-12:]]
    assert offered(shell, "show", "--scope", "shop/api", api[:8]) == [api]
    assert set(offered(shell, "pause", "")) == {goal.id[-12:] for goal in goals.values()}
    assert offered(shell, "show", "zzz") == []


def test_scopes_and_workers_complete(shell: Shell, goals: dict[str, telic.Goal]) -> None:
    assert goals
    assert offered(shell, "list", "--scope", "shop/") == ["shop/api", "shop/web"]
    assert offered(shell, "renew", "--worker", "") == ["host-1/worker-7"]


def test_every_scope_worker_and_goal_completes(shell: Shell, goals: dict[str, telic.Goal]) -> None:
    """Of all commands, also where an id is one of the things that can be typed; `hook` and `install` name none."""
    docs = goals["docs"].id[-12:]
    for name in set(app.every_command()) - {"hook", "install"}:
        for parameter in app.every_command()[name].params:
            if {"--scope", "--worker"} & set(parameter.opts) or "ID" in (parameter.metavar or ""):
                assert parameter._custom_shell_complete is not None, (name, parameter.name)
    assert docs in offered(shell, "budget", "")
    assert docs in offered(shell, "run", "")
    assert offered(shell, "top", "--scope", "do") == ["docs"]


def test_a_store_that_cannot_be_read_offers_nothing(shell: Shell, tmp_path: Path) -> None:
    """A shell has no place for an error, and completion makes no store."""
    missing = tmp_path / "missing.db"
    assert offered(shell, "show", "", store=str(missing)) == []
    assert not missing.exists()
    assert offered(shell, "show", "", store="nonsense://x") == []
