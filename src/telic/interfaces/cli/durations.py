"""Durations as people type them: `90`, `90s`, `30m`, `2h`."""

from typing import Any, Final

import click

from telic.domain.errors import InvalidNumber
from telic.wording.amounts import parse_amount

_MICRO: Final = 1_000_000


class _Duration(click.ParamType[float]):
    """Seconds, from a number of them or an amount of time."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The seconds that the text means."""
        if isinstance(value, int | float):
            return float(value)
        try:
            return float(value)
        except ValueError:
            pass
        try:
            return parse_amount("active_microseconds", str(value)) / _MICRO
        except InvalidNumber as error:
            self.fail(str(error), param, ctx)


DURATION: Final = _Duration()
