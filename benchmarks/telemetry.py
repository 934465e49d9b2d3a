"""What observation costs, and that it costs nothing where nobody asked for it."""

import logging
from collections.abc import Iterator
from functools import partial

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

import telic
from benchmarks import hot
from benchmarks.bench import Bench
from benchmarks.hot import Hot, Targets
from benchmarks.measure import Result, Work, interleave, slower, time_each
from benchmarks.populate import goals_of_sqlite, populate_sqlite
from telic.observe import Logging, Observer, OpenTelemetry
from telic.store.goal_store import GoalStore

GOALS = 1_000
WARM_UP_COMMITS = 1_000


class Sink(SpanExporter):
    """Takes what is exported, in the background as in production, and lets it go."""

    def export(self, _: object) -> SpanExportResult:
        return SpanExportResult.SUCCESS


def run(bench: Bench) -> Iterator[Result]:
    """Spans and metrics by the SDK, log lines that nobody reads, and no observer, each against no observer."""
    logging.getLogger("telic").setLevel(logging.WARNING)
    tracing = TracerProvider()
    tracing.add_span_processor(BatchSpanProcessor(Sink()))
    metering = MeterProvider([InMemoryMetricReader()])
    telemetry = OpenTelemetry(tracing, metering, counts_goals=False)
    observers: list[tuple[str, Observer | None, float | None]] = [
        ("no observer", None, 1.1),
        ("log lines off", Logging(), None),
        ("OpenTelemetry", telemetry, None),
    ]
    path = bench.new_file("telemetry")
    populate_sqlite(path, GOALS)
    targets = Targets(goals_of_sqlite(path, GOALS))
    with telic.connect(path) as plain:
        interleave([_work(plain, hot.record_turn, targets, 250)], WARM_UP_COMMITS // 250 + 1)
        for name, observer, bar in observers:
            with telic.connect(path, observer=observer) as store:
                for operation, size in ((hot.record_turn, bench.size(250, 100)), (hot.get, bench.size(5_000, 1_000))):
                    works = [_work(each, operation, targets, size) for each in (store, plain)]
                    interleave(works, 1)
                    rounds = interleave(works, bench.repetitions)
                    yield slower(f"SQLite, blocking: {operation.__name__}, {name}", "no observer", rounds, at_most=bar)
    tracing.shutdown()
    metering.shutdown()


def _work(store: GoalStore, operation: Hot, targets: Targets, size: int) -> Work:
    return lambda: time_each(partial(operation, store), targets.take(size))
