"""OpenTelemetry's SDK, set up as its environment variables say: for commands, which have no host to do it."""

from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any, Final

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from telic.domain.errors import InvalidInput

# A command waits at its end for what is not exported; a collector that is away must not keep it for long.
_PATIENCE_SECONDS: Final = 2
_OTLP: Final = {"http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc"}


def set_up_providers(environment: Mapping[str, str]) -> None:
    """This process exports spans and metrics, until its end, to where `OTEL_*` says; by OTLP where it does not say.

    Where providers are there already, as under `opentelemetry-instrument`, they stay.

    Raises:
        InvalidInput: an exporter is asked for that is not installed.
    """
    if not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return
    resource = Resource.create()
    if "OTEL_SERVICE_NAME" not in environment and SERVICE_NAME not in environment.get("OTEL_RESOURCE_ATTRIBUTES", ""):
        resource = resource.merge(Resource({SERVICE_NAME: "telic"}))
    spans = _exporters(environment, "OTEL_TRACES_EXPORTER", "opentelemetry_traces_exporter")
    readers = [
        each if isinstance(each, MetricReader) else PeriodicExportingMetricReader(each)
        for each in _exporters(environment, "OTEL_METRICS_EXPORTER", "opentelemetry_metrics_exporter")
    ]
    tracing = TracerProvider(resource=resource)
    for exporter in spans:
        tracing.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(tracing)
    metrics.set_meter_provider(MeterProvider(readers, resource=resource))


def _exporters(environment: Mapping[str, str], variable: str, group: str) -> list[Any]:
    asked = [name.strip() for name in (environment.get(variable) or "otlp").split(",")]
    return [_exporter(environment, group, name) for name in asked if name not in ("", "none")]


def _exporter(environment: Mapping[str, str], group: str, asked: str) -> Any:
    protocol = environment.get("OTEL_EXPORTER_OTLP_PROTOCOL", "")
    names = [_OTLP[protocol]] if protocol in _OTLP else list(_OTLP.values())
    for name in names if asked == "otlp" else [asked]:
        for found in entry_points(group=group, name=name):
            return found.load()(**_patience(environment, name))
    raise InvalidInput(f"no exporter {asked!a} is installed; pip install opentelemetry-exporter-otlp has otlp")


def _patience(environment: Mapping[str, str], name: str) -> dict[str, int]:
    is_said = any(variable.startswith("OTEL_EXPORTER_OTLP") and "TIMEOUT" in variable for variable in environment)
    return {"timeout": _PATIENCE_SECONDS} if name in _OTLP.values() and not is_said else {}
