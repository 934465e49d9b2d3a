"""Durations as people type them: `90`, `90s`, `30m`, `2h`."""

from typing import Any, Final

import click

from telic.domain.amounts import parse_limit
from telic.domain.errors import InvalidNumber

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
            meant, amount = parse_limit(str(value))
        except InvalidNumber:
            meant, amount = "", 0
        if meant != "active_microseconds":
            self.fail(f"{value!a} is no duration: write 90s, 30m or 2h", param, ctx)
        return amount / _MICRO


DURATION: Final = _Duration()
