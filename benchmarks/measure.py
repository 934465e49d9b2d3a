"""Interleaved repetitions, their medians and ratios, and the bars that ratios are held to."""

import gc
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

FEWEST_REPETITIONS: Final = 9

T = TypeVar("T")

Work = Callable[[], float]
"""Does one repetition's share of the work and gives the seconds that one operation took."""

Round = tuple[float, ...]
"""What each of the interleaved works took in one repetition."""


@dataclass(frozen=True, slots=True)
class Spread:
    """A median and the quartiles around it."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread":
        """The spread of at least two values."""
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median, low, high)


@dataclass(frozen=True, slots=True)
class Bar:
    """What a ratio must reach, or must not pass."""

    value: float
    is_floor: bool

    def is_met_by(self, value: float) -> bool:
        """Whether the value is on the right side."""
        return value >= self.value if self.is_floor else value <= self.value

    def margin(self, value: float) -> float:
        """How many times better than the bar the value is; below 1 it misses."""
        ratio = value / self.value if self.is_floor else self.value / value
        return max(ratio, 1e-3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One line of the table. Times are in seconds per operation."""

    work: str
    reference: str
    ratio: Spread
    unit: str = "×"
    bar: Bar | None = None
    telic: Spread | None = None
    other: Spread | None = None

    @property
    def is_reached(self) -> bool:
        """Whether the median is on the right side of the bar, where there is one."""
        return self.bar is None or self.bar.is_met_by(self.ratio.median)


def interleave(works: Sequence[Work], repetitions: int) -> list[Round]:
    """A, B, …, A, B, …: whatever disturbs the machine disturbs all works alike."""
    return [tuple(work() for work in works) for _ in range(repetitions)]


def time_each(function: Callable[[T], object], arguments: Sequence[T]) -> float:
    """The seconds that one call took."""
    gc.collect()
    started = time.perf_counter()
    for argument in arguments:
        function(argument)
    return (time.perf_counter() - started) / len(arguments)


def faster(work: str, reference: str, rounds: Sequence[Round], at_least: float | None = None) -> Result:
    """How many times the reference's speed Telic has; each round is (Telic, reference)."""
    bar = None if at_least is None else Bar(at_least, is_floor=True)
    return _compared(work, reference, rounds, [other / telic for telic, other in rounds], bar, "×")


def slower(work: str, reference: str, rounds: Sequence[Round], at_most: float | None = None, unit: str = "×") -> Result:
    """How many times the reference's time Telic takes; each round is (Telic, reference)."""
    ratios = [telic / other for telic, other in rounds]
    bar = None if at_most is None else Bar(at_most, is_floor=False)
    return _compared(work, reference, rounds, ratios, bar, unit)


def _compared(
    work: str, reference: str, rounds: Sequence[Round], ratios: Sequence[float], bar: Bar | None, unit: str
) -> Result:
    telic, other = (Spread.of(times) for times in zip(*rounds, strict=True))
    return Result(work=work, reference=reference, ratio=Spread.of(ratios), unit=unit, bar=bar, telic=telic, other=other)
