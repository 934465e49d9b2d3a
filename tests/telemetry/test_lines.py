"""Log lines: one for each thing that happens, which programs can read, nothing can forge, and no secret is in."""

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import telic
from telic.observe import LineForm, LineFormatter, Logging
from telic.testing import FakeClock
from tests.loop_driver.world import DONE_IS_THERE, ScriptedAgent, World, makes
from tests.telemetry.telescope import MARKER

HOSTILE = f'{MARKER}" level=error\n{{"event":"forged"}}\x1b[31m\u202e\u2028'


class Log:
    """What the logger `telic` has written."""

    def __init__(self, form: str) -> None:
        self._stream = io.StringIO()
        self.handler = logging.StreamHandler(self._stream)
        self.handler.setFormatter(LineFormatter(form))

    @property
    def lines(self) -> list[str]:
        return self._stream.getvalue().splitlines()

    @property
    def objects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]


def logging_to(form: str, level: int) -> Iterator[Log]:
    log, logger = Log(form), logging.getLogger("telic")
    logger.addHandler(log.handler)
    logger.setLevel(level)
    yield log
    logger.setLevel(logging.NOTSET)
    logger.removeHandler(log.handler)


@pytest.fixture
def log() -> Iterator[Log]:
    yield from logging_to("json", logging.INFO)


@pytest.fixture
def debug_log() -> Iterator[Log]:
    yield from logging_to("logfmt", logging.DEBUG)


async def test_each_change_is_one_line(location: str, log: Log, clock: FakeClock) -> None:
    """What happened, to which goal, at which revision; without text, note or message."""
    async with telic.connect_async(location, observer=Logging(), clock=clock) as store:
        goal = await store.create(MARKER, scope="s", token_budget=10)
        await store.record_turn(goal.id, tokens=10, model="m")
        with pytest.raises(telic.BudgetExceeded):
            await store.resume(goal.id)
        await store.clear(goal.id, note=MARKER)
    for line in log.objects:
        assert line.pop("time").endswith("Z")
        assert (line.pop("logger"), line.pop("level")) == ("telic.store", "info")
        line.pop("milliseconds", None)
    about = {"goal": goal.id, "scope": "s"}
    counts = dict.fromkeys(("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_tokens"), 0)
    counts |= {"active_microseconds": 0, "cost_microunits": 0, "tokens": 10}
    expected = [
        {"event": "created", **about, "revision": 1, "status": "active"},
        {"event": "usage", **about, "revision": 2, "kind": "work", "model": "m", **counts},
        {"event": "paused", **about, "revision": 2, "status": "paused", "reason": "budget"},
        {"event": "failed", "call": "resume", "goal": goal.id, "error": "budget_exceeded"},
        {"event": "cleared", **about, "revision": 3, "status": "cleared", "reason": "dismissed"},
    ]
    found = [
        {k: v for k, v in line.items() if k not in ("time", "logger", "level", "milliseconds")} for line in log.objects
    ]
    assert found == expected
    assert MARKER not in "".join(log.lines)


async def test_a_loop_has_a_line_for_each_turn_and_verification(world: World, log: Log) -> None:
    goal = await world.store.create("x", criteria=[DONE_IS_THERE])
    await world.run(goal, ScriptedAgent([makes("done")]))
    told = [(line["event"], line.get("outcome")) for line in log.objects if line["logger"] == "telic.loop"]
    assert told == [("turn", "complete"), ("verification", "passed")]


def test_hostile_words_stay_in_their_value(tmp_path: Path, log: Log, debug_log: Log) -> None:
    """In both forms a line is a line, and a scope or model gives back what it was."""
    with telic.connect(tmp_path / "goals.db", observer=Logging()) as store:
        goal = store.create("x", scope=HOSTILE)
        store.record_turn(goal.id, tokens=1, model=HOSTILE)
    created, usage = [line for line in log.objects if line["level"] == "info"]
    assert created["scope"] == usage["model"] == HOSTILE
    assert created["event"] == "created"
    for line in [*log.lines, *debug_log.lines]:
        assert line.isascii()
        assert line.isprintable()
    plain = next(line for line in debug_log.lines if "event=created" in line)
    quoted = plain.partition("scope=")[2].partition(" revision=")[0]
    assert json.loads(quoted) == HOSTILE


SECRETS = [
    "cannot reach postgresql://user:hunter2@db.example/goals",
    "postgresql://user:hunter2:with@colon@db.example/goals is away",
    "host=db user=u password=hunter2 dbname=goals",
    "host=db PASSWORD='hunter2 with space' dbname=goals",
    "postgresql://db/goals?user=u&password=hunter2&x=1",
]


@pytest.mark.parametrize("text", SECRETS)
@pytest.mark.parametrize("form", list(LineForm))
def test_no_password_is_in_a_line(text: str, form: LineForm) -> None:
    """Whoever logs it, as a message or in a traceback."""
    log = next(logging_to(form, logging.INFO))
    logger = logging.getLogger("telic.accounting")
    try:
        logger.warning("the store takes no turns: %s", text)
        try:
            raise OSError(text)
        except OSError:
            logger.exception("trouble")
    finally:
        logging.getLogger("telic").removeHandler(log.handler)
    assert len(log.lines) == 2
    assert "hunter2" not in "".join(log.lines)
    assert "***" in log.lines[0]
    assert "traceback" in log.lines[1]


async def test_a_store_that_cannot_be_reached_logs_no_secret(postgres_url: str, log: Log) -> None:
    """The URL of a real server, which then goes away, is in no line."""
    with telic.connect(":memory:", observer=Logging()) as store:
        store.close()
        with pytest.raises(telic.errors.StoreClosed):
            store.active()
    (line,) = log.objects
    assert (line["level"], line["event"], line["error"]) == ("warning", "failed", "store_closed")


def test_a_form_must_be_known() -> None:
    with pytest.raises(telic.InvalidInput):
        LineFormatter("xml")


def test_calls_that_change_nothing_are_for_debugging(tmp_path: Path, debug_log: Log) -> None:
    with telic.connect(tmp_path / "goals.db", observer=Logging()) as store:
        store.active()
    (line,) = debug_log.lines
    assert " level=debug logger=telic.store event=called call=active milliseconds=" in line
