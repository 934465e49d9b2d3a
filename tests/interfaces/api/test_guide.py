"""What the page about the HTTP API shows is carried out."""

import os
import re
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import telic
from telic.services.outcomes import HTTP_REFUSALS, OUTCOMES, http_status
from tests.support.dashboards import TOKEN, running_dashboard

PAGE = (Path(__file__).parents[3] / "docs" / "howto" / "http-api.md").read_text()


def test_the_commands_run(place: str, tmp_path: Path) -> None:
    """All of them in one shell, from the first to the last; each request is answered well."""
    blocks = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
    lines = "".join(blocks).replace("$ curl", "curl").splitlines()
    telic.connect(place).close()
    with running_dashboard(place, "--allow-write") as dashboard:
        script = "\n".join(line.removeprefix("$ ") for line in lines)
        script = script.replace("http://127.0.0.1:8137", dashboard.address)
        assert dashboard.address in script
        result = subprocess.run(
            ["bash", "-ec", script],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=os.environ | {"TELIC_DASHBOARD_TOKEN": TOKEN},
        )
    assert result.returncode == 0, result.stdout + result.stderr
    with telic.connect(place) as store:
        (goal,) = store.list().goals
        assert (goal.status, goal.budget.turns, goal.usage.tokens) == (telic.GoalStatus.ACTIVE, 50, 1500)
        assert [hold.turn_key for hold in store.holds(goal.id)] == ["turn-1"]
        assert store.lease(goal.id).worker == "host-1"
    assert '"kind": "created"' not in result.stdout
    assert "retry: 1000\nid: " in result.stdout


def _ask(address: str, path: str, **headers: str) -> tuple[int, str]:
    request = urllib.request.Request(f"{address}/api/v1{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=240) as answer:
            return answer.status, answer.headers["Content-Type"]
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.headers["Content-Type"]


def test_the_dashboard_serves_it_behind_its_guard(place: str) -> None:
    """To whoever shows the token; a dashboard of one scope serves none, since the API knows every scope."""
    telic.connect(place).close()
    shown = {"Authorization": f"Bearer {TOKEN}"}
    with running_dashboard(place) as dashboard:
        assert _ask(dashboard.address, "/goals", **shown) == (200, "application/json")
        assert _ask(dashboard.address, "/goals") == (401, "application/problem+json")
        assert _ask(dashboard.address, "/goals", Authorization="Bearer wrong") == (401, "application/problem+json")
        assert _ask(dashboard.address, "/goals", Host="elsewhere.example", **shown)[0] == 421
    with running_dashboard(place, "--scope", "shop") as pinned:
        assert _ask(pinned.address, "/goals", **shown)[0] == 404


def test_the_table_of_statuses_is_whole() -> None:
    told = {
        int(status)
        for line in PAGE.splitlines()
        if line.startswith("| ")
        for status in re.findall(r"\b\d{3}\b", line.split("|")[1])
    }
    assert told == {http_status(code) for code in (*OUTCOMES, *HTTP_REFUSALS)}
