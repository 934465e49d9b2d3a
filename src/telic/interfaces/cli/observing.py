"""Log lines and telemetry of a command, where its options or the environment ask for them."""

import logging
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

import click

from telic.domain.base_errors import needs_extra
from telic.domain.errors import GoalError
from telic.observability.observer import Observer

_ASKING: Final = (
    "OTEL_TRACES_EXPORTER",
    "OTEL_METRICS_EXPORTER",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
)


def observing_options(group: Callable[..., Any]) -> Callable[..., Any]:
    """The group has the options that say what is told of its commands' work."""
    level = click.option(
        "--log-level",
        type=click.Choice(["debug", "info", "warning", "error"]),
        envvar="TELIC_LOG_LEVEL",
        help="Write log lines of this gravity and above to standard error, also TELIC_LOG_LEVEL.",
    )
    form = click.option(
        "--log-format",
        type=click.Choice(["logfmt", "json"]),
        default="logfmt",
        show_default=True,
        envvar="TELIC_LOG_FORMAT",
        help="How they are written, also TELIC_LOG_FORMAT.",
    )
    telemetry = click.option(
        "--telemetry/--no-telemetry",
        default=None,
        envvar="TELIC_TELEMETRY",
        help="Export spans and metrics as OTEL_* says, also TELIC_TELEMETRY.  [default: where OTEL_* names a place]",
    )
    return level(form(telemetry(group)))


def observe(context: click.Context, log_level: str | None, log_format: str, telemetry: bool | None) -> None:
    """The context's object is what observes the stores that its command opens, if anything."""
    if log_level is not None:
        context.call_on_close(_log(log_level, log_format))
    if telemetry:
        context.obj = _telemetry()
    elif telemetry is None and _is_asked_for(os.environ):
        # Variables may be meant for other programs: they make no command fail.
        with suppress(GoalError):
            context.obj = _telemetry()
    if context.obj is None and log_level is not None:
        from telic.observability.log_lines import Logging

        context.obj = Logging()


def observer_of(context: click.Context) -> Observer | None:
    """What `observe` has put there."""
    found = context.find_root().obj
    return found if isinstance(found, Observer) else None


def _log(level: str, form: str) -> Callable[[], None]:
    """Lines are written from now on, until the function that this gives is called."""
    from telic.observability.log_lines import LineFormatter

    logger, handler = logging.getLogger("telic"), logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter(form))
    logger.addHandler(handler)
    logger.setLevel(level.upper())
    return lambda: logger.removeHandler(handler)


def _is_asked_for(environment: Mapping[str, str]) -> bool:
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    return any(environment.get(name, "none") not in ("", "none") for name in _ASKING)


def _telemetry() -> Observer:
    with needs_extra("telemetry", "--telemetry", also="opentelemetry-sdk opentelemetry-exporter-otlp"):
        from telic.observability.exporting import set_up_providers
        from telic.observability.telemetry import OpenTelemetry
    set_up_providers(os.environ)
    return OpenTelemetry()
