"""Without OpenTelemetry everything works; without an observer nothing of it is loaded, and calls are as ever."""

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes as gen_ai
from opentelemetry.semconv.attributes import db_attributes as db
from opentelemetry.semconv.attributes import error_attributes
from opentelemetry.semconv.metrics import db_metrics

import telic
from telic.observability import instruments as names
from telic.observe import Logging
from telic.storage.drivers.postgres import PostgresDriver
from telic.storage.drivers.postgres_queue import QueuedPostgresDriver
from telic.storage.drivers.sqlite import SqliteDriver
from telic.storage.drivers.sqlite_async import AsyncSqliteDriver
from tests.support.missing import hiding

BLOCKED = hiding("opentelemetry")


def run(script: str, folder: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | variables
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=folder, env=environment)


def test_everything_works_without_the_package(tmp_path: Path) -> None:
    """Stores, accounting and log lines; what needs it says which extra to install."""
    script = f"""{BLOCKED}
import logging, telic
from telic.observe import Logging
logging.basicConfig(level=logging.INFO)
with telic.connect("goals.db", observer=Logging()) as store:
    goal = store.create("x")
    with telic.GoalAccounting(store, journal_folder="journals") as accounting:
        accounting.on_turn_complete(5)
        assert accounting.flush()
    assert store.get(goal.id).tokens_used == 5
try:
    telic.observe.OpenTelemetry
except ModuleNotFoundError as error:
    print(error)
"""
    result = run(script, tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout == "telic.observe.OpenTelemetry needs its extra: pip install 'telic[telemetry]'\n"
    assert "event=created" in result.stderr


def test_a_command_says_what_is_missing_only_when_asked_for_it(tmp_path: Path) -> None:
    """`--telemetry` is refused in one line; variables that are meant for other programs change nothing."""
    script = f"{BLOCKED}\nfrom telic.interfaces.cli.__main__ import main\nsys.argv[1:] = ARGUMENTS\nmain()"
    asked = run(script.replace("ARGUMENTS", "['--telemetry', 'list']"), tmp_path, TELIC_STORE="goals.db")
    assert asked.returncode == 2
    assert "pip install 'telic[telemetry]' opentelemetry-sdk opentelemetry-exporter-otlp" in asked.stderr
    assert "Traceback" not in asked.stderr
    variables = {"TELIC_STORE": "goals.db", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"}
    by_chance = run(script.replace("ARGUMENTS", "['create', 'x']"), tmp_path, **variables)
    assert by_chance.returncode == 0, by_chance.stderr


def test_nothing_is_loaded_that_was_not_asked_for(tmp_path: Path) -> None:
    """Neither by the import nor by an unobserved store, its accounting or a command."""
    script = """
import sys, telic
with telic.connect("goals.db") as store:
    goal = store.create("x")
    store.record_turn(goal.id, tokens=1)
    with telic.GoalAccounting(store, journal_folder="journals") as accounting:
        accounting.on_turn_complete(5)
        accounting.flush()
import telic.loop.worker, telic.interfaces.cli.app
telic.interfaces.cli.app.run(["list", "--store", "goals.db"])
observing = "telic.observability."
print(sorted(n for n in sys.modules if n.startswith("opentelemetry")))
print(sorted(n.removeprefix(observing) for n in sys.modules if n.startswith(observing)))
"""
    result = run(script, tmp_path)
    assert result.returncode == 0, result.stderr
    foreign, own = result.stdout.splitlines()[-2:]
    assert foreign == "[]"
    assert own == "['observer']"


async def test_an_observer_is_found_once_when_the_store_is_opened(
    tmp_path: Path, new_postgres_database: Callable[[], str]
) -> None:
    """What is observed is decided once, when a store is opened, and not in each call."""
    url = new_postgres_database()
    for place, plain, waiting in (
        (str(tmp_path / "goals.db"), SqliteDriver, AsyncSqliteDriver),
        (url, PostgresDriver, QueuedPostgresDriver),
    ):
        for observer in (None, Logging()):
            with telic.connect(place, observer=observer) as store:
                assert type(store._driver) is plain
                assert (store._call_observer is None) is (observer is None)
            async with telic.connect_async(place, observer=observer) as awaited:
                assert type(awaited._driver) is waiting
                assert (awaited._call_observer is None) is (observer is None)


def functions_of(call: Callable[[], Any]) -> list[str]:
    """The files and functions that the call enters, in order."""
    entered: list[str] = []

    def profile(frame: Any, event: str, _: Any) -> None:
        if event == "call":
            entered.append(f"{frame.f_code.co_filename}:{frame.f_code.co_name}")

    sys.setprofile(profile)
    try:
        call()
    finally:
        sys.setprofile(None)
    return entered


def test_hot_calls_of_an_unobserved_store_enter_nothing_that_observes(tmp_path: Path) -> None:
    """`get`, `active` and `record_turn`, function by function; the same look sees it where a store is observed."""
    for observer, is_seen in ((None, False), (Logging(), True)):
        with telic.connect(tmp_path / "goals.db", observer=observer) as store:
            goal_id = store.create("x").id
            calls: list[Callable[[], Any]] = [
                partial(store.get, goal_id),
                store.active,
                partial(store.record_turn, goal_id, tokens=1),
            ]
            for call in calls:
                call()
                entered = functions_of(call)
                assert len(entered) > 5
                assert any("observe" in name or "logging" in name for name in entered) is is_seen


def test_a_library_says_nothing_unless_its_host_wants_it(tmp_path: Path) -> None:
    """A warning of an unconfigured program is not on standard error."""
    script = """
import telic
from telic.observe import Logging
store = telic.connect("goals.db", observer=Logging())
store.close()
try:
    store.active()
except telic.errors.StoreClosed:
    pass
"""
    result = run(script, tmp_path)
    assert (result.returncode, result.stderr) == (0, "")


def test_names_are_those_of_the_conventions() -> None:
    """Of OpenTelemetry's own package, which is not needed to run."""
    assert names.SYSTEM == db.DB_SYSTEM_NAME
    assert names.CALL == db.DB_OPERATION_NAME
    assert names.ERROR == error_attributes.ERROR_TYPE
    assert names.DURATION == db_metrics.DB_CLIENT_OPERATION_DURATION
    assert names.OPERATION == gen_ai.GEN_AI_OPERATION_NAME
    assert gen_ai.GenAiOperationNameValues.INVOKE_AGENT.value == names.INVOKE_AGENT
    assert names.RESPONSE_MODEL == gen_ai.GEN_AI_RESPONSE_MODEL
    assert names.INPUT_TOKENS == gen_ai.GEN_AI_USAGE_INPUT_TOKENS
    assert names.CACHED_INPUT_TOKENS == gen_ai.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS
    assert names.OUTPUT_TOKENS == gen_ai.GEN_AI_USAGE_OUTPUT_TOKENS
    assert names.REASONING_TOKENS == gen_ai.GEN_AI_USAGE_REASONING_OUTPUT_TOKENS
    assert names.DIRECTION == gen_ai.GEN_AI_TOKEN_TYPE
    assert {each.value for each in gen_ai.GenAiTokenTypeValues} >= {"input", "output"}
    assert names.EVALUATION_NAME == gen_ai.GEN_AI_EVALUATION_NAME
    assert names.EVALUATION_LABEL == gen_ai.GEN_AI_EVALUATION_SCORE_LABEL


@pytest.mark.parametrize("name", ["Nothing"])
def test_an_unknown_name_is_an_attribute_error(name: str) -> None:
    with pytest.raises(AttributeError):
        getattr(telic.observe, name)
