"""Sees everything that the real SDK exports, kept in memory."""

from collections.abc import Iterator, Mapping
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from telic.observe import OpenTelemetry

MARKER = "ZANZIBAR-4711"
"""Stands in texts that must not come out."""

Labels = Mapping[str, Any]


class Telescope:
    """Providers, an observer on them, and what they have exported so far."""

    def __init__(self, **options: Any) -> None:
        self._exporter = InMemorySpanExporter()
        self._reader = InMemoryMetricReader()
        self.tracing = TracerProvider()
        self.tracing.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.metering = MeterProvider([self._reader])
        self.tracer = self.tracing.get_tracer("test")
        self.observer = OpenTelemetry(self.tracing, self.metering, **options)

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        return self._exporter.get_finished_spans()

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.spans if span.name == name]

    def one(self, name: str) -> ReadableSpan:
        (span,) = self.named(name)
        return span

    def forget(self) -> None:
        self._exporter.clear()

    def points(self) -> Iterator[tuple[str, Labels, Any]]:
        """Each metric's name, labels, and value: its sum, where it is a histogram."""
        data = self._reader.get_metrics_data()
        for resource in () if data is None else data.resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    for point in metric.data.data_points:
                        value = getattr(point, "value", getattr(point, "sum", None))
                        yield metric.name, dict(point.attributes or {}), value

    def values(self, name: str) -> dict[tuple[Any, ...], Any]:
        """The metric's values by the values of its labels, in the order of the labels' names."""
        return {tuple(labels[key] for key in sorted(labels)): value for n, labels, value in self.points() if n == name}

    def exported(self) -> str:
        """All that would leave the process, as one text."""
        return "\n".join([*(span.to_json() for span in self.spans), *(str(point) for point in self.points())])


def parent_of(span: ReadableSpan) -> int | None:
    return None if span.parent is None else span.parent.span_id


def id_of(span: Any) -> int:
    return int(span.get_span_context().span_id)


def changes_in(span: ReadableSpan) -> list[tuple[Any, ...]]:
    """Kind, version and reason of each change of a status that the span tells of."""
    names = ("telic.goal.event", "gen_ai.execution.state.version", "telic.goal.reason")
    told = [event for event in span.events if event.name == "gen_ai.execution.state.changed"]
    return [tuple((event.attributes or {}).get(name) for name in names) for event in told]
