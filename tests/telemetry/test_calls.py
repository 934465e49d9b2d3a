"""A span for each call of a store: its name, its attributes, what it committed, and how it failed."""

import asyncio
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind, StatusCode

import telic
from telic import Budget, Criterion, GoalStatus, ModelUsage, Reason
from telic.observe import Observer, OpenTelemetry, Work
from telic.testing import FakeClock
from tests.telemetry.telescope import MARKER, Telescope, changes_in, id_of, parent_of


async def test_each_call_is_one_span(store: Any, telescope: Telescope, request: pytest.FixtureRequest) -> None:
    """Named after the operation, on the right database, about the right goal; none is inside another."""
    system = {"sqlite": "sqlite", "postgres": "postgresql"}[request.node.callspec.params["store"].split("-")[0]]
    goal = await store.create("x")
    await store.get(goal.id)
    await store.active()
    await store.list()
    await store.record_turn(goal.id, tokens=5)
    await store.hold(goal.id, key="h")
    await store.release(goal.id, "h")
    lease = await store.claim(goal.id, worker="w")
    await store.release_lease(await store.renew(lease))
    await store.transition(goal.id, GoalStatus.PAUSED)
    await store.resume(goal.id)
    await store.edit(goal.id, text="y")
    await store.set_budget(goal.id, Budget(tokens=100))
    await store.complete(goal.id)
    await store.events(goal.id)
    await store.turns(goal.id)
    await store.usage()
    about = {"db.system.name": system, "telic.goal.id": goal.id}
    names = "create get active list record_turn hold release claim renew release_lease transition resume edit"
    names += " set_budget complete events turns usage"
    assert [span.name for span in telescope.spans] == [f"telic.{name}" for name in names.split()]
    for span in telescope.spans:
        name = span.name.removeprefix("telic.")
        is_about = name not in ("list", "events", "turns", "usage")
        expected = (about if is_about else {"db.system.name": system}) | {"db.operation.name": name}
        assert dict(span.attributes or {}) == expected
        assert (span.kind, span.status.status_code, parent_of(span)) == (SpanKind.CLIENT, StatusCode.UNSET, None)


async def test_changes_of_status_are_told_with_their_revision(
    store: Any, telescope: Telescope, clock: FakeClock
) -> None:
    """Each once, by the call that made it; repeated calls and other changes tell none."""
    goal = await store.create("x", criteria=[Criterion.command(["true"])], token_budget=10, key="create")
    clock.advance(1)
    await store.create("x", criteria=[Criterion.command(["true"])], token_budget=10, key="create")
    await store.edit(goal.id, text="y")
    await store.pause(goal.id, key="pause")
    await store.pause(goal.id, key="pause")
    await store.resume(goal.id)
    await store.record_turn(goal.id, tokens=9)
    clock.advance(1)
    await store.record_turn(goal.id, tokens=1, key="last")
    clock.advance(1)
    await store.record_turn(goal.id, tokens=1, key="last")
    await store.record_turn(goal.id, tokens=1, key="late")
    await store.complete(goal.id, actor=telic.Actor.USER)
    told = [(span.name.removeprefix("telic."), changes_in(span)) for span in telescope.spans]
    assert told == [
        ("create", [("created", "1", None)]),
        ("create", []),
        ("edit", []),
        ("transition", [("paused", "3", "user")]),
        ("transition", []),
        ("resume", [("resumed", "4", None)]),
        ("record_turn", []),
        ("record_turn", [("paused", "5", "budget")]),
        ("record_turn", []),
        ("record_turn", []),
        ("complete", [("resumed", "6", None), ("completed", "7", "accepted")]),
    ]
    exact = {
        "telic.goal.id": goal.id,
        "gen_ai.execution.state.version": "3",
        "gen_ai.execution.state.changed_key.count": 2,
        "telic.goal.event": "paused",
        "telic.goal.status": "paused",
        "telic.goal.reason": "user",
    }
    assert dict(telescope.spans[3].events[0].attributes or {}) == exact


async def test_goals_that_are_woken_and_budgets_that_are_lowered_tell_it(store: Any, telescope: Telescope) -> None:
    goal = await store.create("x")
    await store.pause(goal.id, wake_at=telic.types.Instant(telic.types.SystemClock().now() - 1))
    await store.claim_due(worker="w")
    await store.record_turn(goal.id, tokens=5)
    await store.set_budget(goal.id, Budget(tokens=5))
    assert changes_in(telescope.one("telic.claim_due")) == [("resumed", "3", None)]
    assert changes_in(telescope.one("telic.set_budget")) == [("paused", "5", "budget")]


async def test_errors_are_codes_without_words(store: Any, telescope: Telescope) -> None:
    """Neither the message nor a traceback is exported: both may quote what somebody wrote."""
    goal = await store.create(f"first {MARKER}", scope=MARKER, key="a")
    missing = "0" * 36
    calls = [
        (store.get(missing), "goal_not_found", missing),
        (store.pause(missing), "goal_not_found", missing),
        (store.create(f"other {MARKER}", scope=MARKER, key="a"), "key_conflict", None),
        (store.pause(goal.id, expected_revision=7), "stale_update", goal.id),
        (store.hold(goal.id, tokens=1, key=MARKER, lease=telic.Lease(goal, MARKER, 9)), "lease_lost", goal.id),
        (store.find(MARKER), "invalid_text", None),
    ]
    telescope.forget()
    for call, _, _ in calls:
        with pytest.raises(telic.GoalError):
            await call
    assert len(telescope.spans) == len(calls)
    for span, (_, code, goal_id) in zip(telescope.spans, calls, strict=True):
        attributes = dict(span.attributes or {})
        assert attributes["error.type"] == code, span.name
        assert span.status.status_code is StatusCode.ERROR
        assert span.status.description == code
        assert not span.events
        if goal_id is not None:
            assert attributes["telic.goal.id"] == goal_id
    assert MARKER not in telescope.exported()


async def test_texts_are_exported_only_when_asked_for(tmp_path: Path) -> None:
    """And then escaped: a text is one JSON string."""
    hostile = f"{MARKER}\n</active_goal>\x1b[2J\u202e"
    for records, is_there in ((False, False), (True, True)):
        telescope = Telescope(records_text=records)
        async with telic.connect_async(tmp_path / "goals.db", observer=telescope.observer) as store:
            criteria = [Criterion.judge(f"is it {MARKER}?")]
            goal = await store.create(hostile, scope=f"s-{MARKER}", criteria=criteria, key=f"k-{MARKER}-{records}")
            await store.pause(goal.id, note=MARKER, key=f"p-{MARKER}-{records}")
            await store.edit(goal.id, text=f"{hostile} 2")
            await store.list(text=MARKER)
            with store.observer.turn(goal, 1, "turn"), store.observer.check(goal):
                pass
        assert (MARKER in telescope.exported()) is is_there
        if is_there:
            text = str((telescope.one("invoke_agent").attributes or {})["telic.goal.text"])
            assert text.startswith(f'"{MARKER}\\u000a\\u003c/active_goal\\u003e\\u001b[2J\\u202e')


async def test_concurrent_callers_keep_their_own_context(location: str, telescope: Telescope) -> None:
    """Each call is inside the span of the task that made it, also where one commit serves many."""

    async def caller(store: telic.AsyncGoalStore, number: int) -> tuple[int, str]:
        with telescope.tracer.start_as_current_span(f"caller-{number}") as span:
            goal = await store.create("x", scope=f"s{number}")
            await asyncio.gather(*(store.record_turn(goal.id, tokens=1) for _ in range(3)))
            await store.get(goal.id)
            assert trace.get_current_span() is span
            return id_of(span), goal.id

    async with telic.connect_async(location, observer=telescope.observer) as store:
        callers = dict(await asyncio.gather(*(caller(store, number) for number in range(20))))
    inside = [span for span in telescope.spans if span.name.startswith("telic.")]
    assert len(inside) == 20 * 5
    assert all(callers[parent_of(span) or 0] == (span.attributes or {})["telic.goal.id"] for span in inside)


def test_threads_keep_their_own_context(location: str, telescope: Telescope) -> None:
    found: list[tuple[int, str]] = []

    def caller(number: int) -> None:
        with telescope.tracer.start_as_current_span("caller") as span:
            goal = store.create("x", scope=f"s{number}")
            store.record_turn(goal.id, tokens=1)
            found.append((id_of(span), goal.id))

    with telic.connect(location, observer=telescope.observer) as store:
        threads = [threading.Thread(target=caller, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    callers = dict(found)
    inside = [span for span in telescope.spans if span.name.startswith("telic.")]
    assert len(inside) == 16
    assert all(callers[parent_of(span) or 0] == (span.attributes or {})["telic.goal.id"] for span in inside)


class BrokenExporter(SpanExporter):
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        raise OSError("the collector is away")


class BrokenProcessor(SpanProcessor):
    """Fails where the SDK catches nothing."""

    def __init__(self, *, at_start: bool) -> None:
        self._at_start = at_start

    def on_start(self, span: Span, parent_context: Any = None) -> None:
        if self._at_start:
            raise RuntimeError("on_start")

    def on_end(self, span: ReadableSpan) -> None:
        raise RuntimeError("on_end")


class BrokenObserver(Observer):
    def begin(self, work: Work) -> None:
        raise RuntimeError("begin")

    def end(self, work: Work) -> None:
        raise RuntimeError("end")


def broken(kind: str) -> Observer:
    if kind == "observer":
        return BrokenObserver()
    provider = TracerProvider()
    if kind == "exporter":
        provider.add_span_processor(SimpleSpanProcessor(BrokenExporter()))
    else:
        provider.add_span_processor(BrokenProcessor(at_start=kind == "start"))
    return OpenTelemetry(provider)


@pytest.mark.parametrize("kind", ["exporter", "start", "end", "observer"])
async def test_what_observes_may_fail_and_harms_nothing(kind: str, location: str) -> None:
    """The calls go on, with their results and their own errors, and the context is as it was."""
    before = trace.get_current_span()
    async with telic.connect_async(location, observer=broken(kind)) as store:
        goal = await store.create("x", token_budget=10)
        assert (await store.record_turn(goal.id, tokens=10, key="t")).goal.reason is Reason.BUDGET
        with pytest.raises(telic.InvalidTransition):
            await store.pause(goal.id)
    with telic.connect(location, observer=broken(kind)) as blocking:
        assert blocking.get(goal.id).tokens_used == 10
        with pytest.raises(telic.errors.TurnConflict):
            blocking.record_turn(goal.id, tokens=11, key="t")
    assert trace.get_current_span() is before


async def test_a_cancelled_call_ends_its_span(location: str, telescope: Telescope) -> None:
    async with telic.connect_async(location, observer=telescope.observer) as store:
        goal = await store.create("x")
        task = asyncio.create_task(store.record_turn(goal.id, tokens=1, key="k"))
        await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    if task.cancelled():
        attributes = telescope.one("telic.record_turn").attributes or {}
        assert attributes["error.type"] == "CancelledError"


async def test_accounting_is_observed_in_both_colours(location: str, telescope: Telescope, tmp_path: Path) -> None:
    """What its writer stores is seen as any other call, and counted once."""
    usage = ModelUsage(input_tokens=7, output_tokens=2)
    with telic.connect(location, observer=telescope.observer) as store:
        store.create("x")
        with telic.GoalAccounting(store, journal_folder=tmp_path / "a") as accounting:
            accounting.on_turn_complete(usage, model="m", key="1")
            assert accounting.flush()
    async with (
        telic.connect_async(location, observer=telescope.observer) as waiting,
        telic.AsyncGoalAccounting(waiting, journal_folder=tmp_path / "b") as awaited,
    ):
        awaited.on_turn_complete(usage, model="m", key="2")
        assert await awaited.flush()
    assert len(telescope.named("telic.record_turn")) == 2
    assert telescope.values("telic.tokens") == {("m", "input", "work"): 14, ("m", "output", "work"): 4}
