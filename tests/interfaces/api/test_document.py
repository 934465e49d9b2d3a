"""The document says what the server does: schemathesis tries it, and the table of routes is the same."""

import os
import subprocess
import sysconfig
from collections.abc import Sequence
from pathlib import Path

import pytest
from starlette.routing import Route

import telic
from telic.domain.jsonable import (
    event_to_json,
    feed_event_to_json,
    hold_to_json,
    lease_state_to_json,
    lease_to_json,
    report_to_json,
    turn_to_json,
)
from telic.interfaces.api.routes import api_routes
from telic.interfaces.api.schema import SHAPES, shape
from telic.services.insight import read_goal
from telic.store.connect import as_async_store, complete
from tests.interfaces.api.serving import Client, serving

SCHEMATHESIS = Path(sysconfig.get_path("scripts")) / "schemathesis"
SETTINGS = """
seed = 20260101
[parameters]
"path.goal_id" = "{goal_id}"
{pinned}
[generation]
database = "none"
[phases.fuzzing.generation]
max-examples = {examples}
[phases.stateful]
enabled = false
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "304", "403", "404", "409", "412", "422"]
[checks.missing_required_header]
expected-statuses = ["400", "401", "428"]
[checks.negative_data_rejection]
expected-statuses = ["400", "401", "403", "404", "405", "409", "412", "413", "415", "422", "428"]
# A stream does not end; it has tests of its own.
[[operations]]
include-path = "/events/stream"
enabled = false
"""


async def test_routes_and_document_are_one_table(tmp_path: Path) -> None:
    """Every path and method of the one is in the other."""
    async with telic.connect_async(tmp_path / "goals.db") as store:
        routes = api_routes(store, allow_write=True)
    served = {
        (route.path, method)
        for route in routes[:-1]
        if isinstance(route, Route)
        for method in route.endpoint.methods - {"HEAD"}
    }
    assert isinstance(routes[-1], Route)
    assert routes[-1].path == "/{anything:path}"
    with serving(str(tmp_path / "goals.db")) as client:
        document = client.get("/openapi.json").json
    told = {(path, method.upper()) for path, methods in document["paths"].items() for method in methods}
    assert told == served
    assert len(told) == 30
    names = [operation["operationId"] for methods in document["paths"].values() for operation in methods.values()]
    assert len(set(names)) == len(names)
    assert document["servers"] == [{"url": "/api/v1"}]


def test_shapes_have_the_fields_that_are_sent(tmp_path: Path) -> None:
    """Exactly those of the functions that the command and the exports use."""
    with telic.connect(tmp_path / "goals.db") as store:
        goal = store.create("x")
        hold = store.hold(goal.id, tokens=1)
        turn = store.record_turn(goal.id, tokens=1).turn
        lease = store.claim(goal.id, worker="h")
        event = store.events()[0]
        sent = {
            "goal": goal.to_json(),
            "hold": hold_to_json(hold),
            "turn": turn_to_json(turn),
            "lease": lease_to_json(lease),
            "lease_state": lease_state_to_json(store.lease(goal.id)),
            "event": event_to_json(event.event),
            "feed_event": feed_event_to_json(event),
            "report": report_to_json(store.usage()),
            "sum": report_to_json(store.usage())["total"],
        }
        details = complete(read_goal(as_async_store(store), goal.id)).as_dict()
    assert set(sent) == set(SHAPES) - {"problem", "details"}
    of_goal, more = SHAPES["details"]["allOf"]
    assert of_goal == shape("goal")
    # The members of a JSON object have no order.
    assert set(details) == {*SHAPES["goal"]["properties"], *more["properties"]}
    for name, value in sent.items():
        assert set(SHAPES[name]["properties"]) == set(value), name


def _try_everything(location: str, folder: Path, phases: str, examples: int) -> None:
    with serving(location, token="sesame") as guarded:
        with telic.connect(location) as store:
            criteria = [telic.Criterion.approval("ship it?")]
            goal_id = store.create("tried", criteria=criteria).id
        # Its phase of coverage tries "0" for a header with a pattern that 0 does not match.
        pinned = '"header.If-Match" = "*"' if "coverage" in phases else ""
        (folder / "schemathesis.toml").write_text(SETTINGS.format(goal_id=goal_id, examples=examples, pinned=pinned))
        document = f"{guarded.url}/openapi.json"
        _run(
            [
                "--config-file",
                "schemathesis.toml",
                "run",
                "--phases",
                phases,
                "-H",
                "Authorization: Bearer sesame",
                document,
            ],
            folder,
        )


def _run(arguments: Sequence[str], folder: Path) -> None:
    """All checks that it has, on every operation."""
    environment = os.environ | {"NO_COLOR": "1", "PYTHONWARNINGS": ""}
    result = subprocess.run(
        [SCHEMATHESIS, *arguments], capture_output=True, text=True, cwd=folder, env=environment, timeout=1_800
    )
    assert result.returncode == 0, result.stdout + result.stderr
    # All but the stream and the document itself.
    assert "28 selected / 29 total" in result.stdout


def test_schemathesis_finds_nothing(place: str, tmp_path: Path) -> None:
    _try_everything(place, tmp_path, "examples,fuzzing", examples=3)


@pytest.mark.long
def test_schemathesis_finds_nothing_however_long(location: str, tmp_path: Path) -> None:
    _try_everything(location, tmp_path, "examples,coverage,fuzzing", examples=20)


def test_whole_numbers_are_numbers_however_written(client: Client) -> None:
    """JSON knows one kind of number: some languages write 5.0."""
    created = client.raw(
        "POST",
        "/goals",
        b'{"text": "x", "budget": {"turns": 5.0, "tokens": 1e3}}',
        {"Content-Type": "application/json"},
    )
    assert (created.json["budget"]["turns"], created.json["budget"]["tokens"]) == (5, 1000)
    assert b"1000," in created.raw
