"""What the page about the HTTP API shows is carried out."""

import os
import re
import subprocess
from pathlib import Path

import telic
from telic.interfaces.web.api.problems import STATUSES
from tests.interfaces.api.serving import serving

PAGE = (Path(__file__).parents[3] / "docs" / "howto" / "http-api.md").read_text()


def test_the_commands_run(place: str, tmp_path: Path) -> None:
    """All of them in one shell, from the first to the last; each request is answered well."""
    blocks = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
    lines = "".join(blocks).replace("$ curl", "curl").splitlines()
    with serving(place, token="sesame") as client:
        script = "\n".join(line.removeprefix("$ ") for line in lines)
        script = script.replace("http://127.0.0.1:8420/api/v1", client.url)
        assert client.url in script
        result = subprocess.run(
            ["bash", "-ec", script],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=os.environ | {"TELIC_TOKEN": "sesame"},
        )
    assert result.returncode == 0, result.stdout + result.stderr
    with telic.connect(place) as store:
        (goal,) = store.list().goals
        assert (goal.status, goal.budget.turns, goal.usage.tokens) == (telic.GoalStatus.ACTIVE, 50, 1500)
        assert [hold.turn_key for hold in store.holds(goal.id)] == ["turn-1"]
        assert store.lease(goal.id).holder == "host-1"
    assert '"kind": "created"' not in result.stdout
    assert "retry: 1000\nid: " in result.stdout


def test_the_table_of_statuses_is_whole() -> None:
    told = {
        int(status)
        for line in PAGE.splitlines()
        if line.startswith("| ")
        for status in re.findall(r"\b\d{3}\b", line.split("|")[1])
    }
    assert told == set(STATUSES.values()) | {401, 421}
