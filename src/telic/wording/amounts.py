"""Amounts as people write and read them, `2M`, `$5`, `90m`, `40turns`, and what is left of a budget; times and ages."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Final

from telic.domain.budget import LIMIT_NAMES, LIMITS, Budget
from telic.domain.clock import MICRO, Instant, to_datetime
from telic.domain.errors import InvalidNumber
from telic.domain.goal import Goal
from telic.domain.limits import MAX_COUNTER
from telic.domain.money import money_digits, show_money

_JOINERS: Final = "\u200c\u200d"
_AGES: Final = (("d", 86_400), ("h", 3_600), ("m", 60))
_AMOUNT: Final = re.compile(r"(\$)?([0-9][0-9_,]*(?:\.[0-9]+)?)\s*([a-zA-Z]*)")
_MULTIPLES: Final = {"": 1, "k": 1_000, "K": 1_000, "M": 1_000_000, "G": 1_000_000_000, "B": 1_000_000_000}
_SECONDS: Final = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}
_SIZES: Final = ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k"))
_TURNS: Final = frozenset({"turn", "turns"})
# What may be unknown; turns are counted and time is measured here.
_TOLD_BY_MODELS: Final = ("tokens", "cost_microunits")
BUDGET_STEPS: Final = 20
"""In how many steps a limit runs down in a prompt's block."""

_FIGURES: Final = {
    "tokens": "tokens",
    "turns": "turns",
    "active_microseconds": "seconds of active time",
    "cost_microunits": "in money",
}
_HELP: Final = "write 2M or 500k (tokens), $5 (cost), 90m or 2h (active time), or 40turns"
_BARE: Final = re.compile(r"[0-9][0-9_,]*(?:\.[0-9]+)?[kKMGB]?")
_SECONDS_ALONE: Final = re.compile(r"[0-9][0-9_,]*(?:\.[0-9]+)?")
# How a number without its unit is meant where only this can be meant.
_MEANT: Final = {"turns": "{}turns", "cost_microunits": "${}"}
_KINDS: Final = {
    "tokens": ("number of tokens", "1500, 500k or 2M"),
    "turns": ("number of turns", "40"),
    "active_microseconds": ("time", "90s, 90m or 2h"),
    "cost_microunits": ("amount of money", "0.25 or $0.25"),
}
"""The word for the subject of each limit."""


class InvalidAmount(InvalidNumber):
    """A text means no amount, or one of another kind. Nothing was written."""


def parse_limit(text: str) -> tuple[str, int]:
    """The budget that the text means, and its amount in that budget's unit.

    `M` is a million tokens, and `m` a minute. Raise InvalidAmount if it means none, or no whole number of the unit.
    """
    match = _AMOUNT.fullmatch(text.strip())
    if match is None:
        raise InvalidAmount(f"{text!r} is no budget: {_HELP}")
    dollar, digits, unit = match.groups()
    number = Decimal(digits.replace(",", "").replace("_", ""))
    if dollar and unit in _MULTIPLES:
        return "cost_microunits", _whole(text, number * _MULTIPLES[unit] * MICRO)
    if unit.lower() == "usd":
        return "cost_microunits", _whole(text, number * MICRO)
    if not dollar and unit in _MULTIPLES:
        return "tokens", _whole(text, number * _MULTIPLES[unit])
    if not dollar and unit in _SECONDS:
        return "active_microseconds", _whole(text, number * _SECONDS[unit] * MICRO)
    if not dollar and unit in _TURNS:
        return "turns", _whole(text, number)
    raise InvalidAmount(f"{text!r} is no budget: {_HELP}")


def _whole(text: str, number: Decimal) -> int:
    if number != number.to_integral_value():
        raise InvalidAmount(f"{text!r} is no whole number")
    return int(number)


def parse_amount(name: str, text: str) -> int:
    """Return the amount of this kind, in its unit: a time needs its unit. Raise InvalidAmount for another kind."""
    kind, examples = _KINDS[name]
    typed = _MEANT.get(name, "{}").format(text.strip()) if _BARE.fullmatch(text.strip()) else text
    try:
        meant, amount = parse_limit(typed)
    except InvalidAmount:
        meant, amount = "", 0
    if meant != name:
        raise InvalidAmount(f"{text!r} is no {kind}: write {examples}")
    return amount


def parse_duration(text: str) -> int:
    """Return the microseconds of `90s`, `5m`, `2h`, or of a bare number of seconds; else raise InvalidAmount."""
    return parse_amount("active_microseconds", f"{text}s" if _SECONDS_ALONE.fullmatch(text.strip()) else text)


def parse_budget(limits: tuple[str, ...], base: Budget) -> Budget:
    """The base with each of the limits in it; `none` lifts all.

    Raises:
        InvalidNumber: a limit is none, or the same budget is given twice.
    """
    if limits == ("none",):
        return Budget()
    parsed = [parse_limit(text) for text in limits]
    for text, (name, limit) in zip(limits, parsed, strict=True):
        if not 0 < limit <= MAX_COUNTER:
            most = show_amount(name, MAX_COUNTER)
            raise InvalidNumber(f"{text!r} must be above 0 and at most {most}; without it there is no limit")
    if len({name for name, _ in parsed}) < len(parsed):
        raise InvalidNumber("the same budget is given twice")
    return replace(base, **dict(parsed))


def write_limit(name: str, amount: int) -> str:
    """The budget and its amount, in its unit, as a person would type them: `parse_limit` reads it back."""
    if name == "turns":
        return f"{amount}turns"
    if name == "cost_microunits":
        return f"${Decimal(amount) / MICRO:f}"
    if name == "active_microseconds":
        minutes, rest = divmod(amount, 60 * MICRO)
        return f"{Decimal(amount) / MICRO:f}s" if rest else f"{minutes}m"
    divisor, unit = next(((of, unit) for unit, of in (("M", 1_000_000), ("k", 1_000)) if amount % of == 0), (1, ""))
    return f"{amount // divisor}{unit}"


def show_amount(name: str, amount: int) -> str:
    """Return the amount as a person reads it; no amount that is more than nothing looks like nothing."""
    if name == "cost_microunits":
        return show_money(amount)
    if name == "active_microseconds":
        return show_duration(amount)
    return f"{amount:,}"


def show_short(name: str, amount: int) -> str:
    """Return the amount in three digits or so: `1.5M`."""
    if name not in ("tokens", "turns"):
        return show_amount(name, amount)
    for size, unit in _SIZES:
        if amount >= size:
            return f"{amount / size:.3g}{unit}" if amount < 1_000 * size else f"{amount // size:,}{unit}"
    return str(amount)


def show_amounts(amounts: Mapping[str, int]) -> str:
    """Return the amounts that are not 0, with their nouns: `1,500 tokens, 1m30s, $0.25`; empty where all are."""
    return ", ".join(_with_noun(name, amount) for name, amount in amounts.items() if amount and name in LIMIT_NAMES)


def _with_noun(name: str, amount: int) -> str:
    return counted(amount, name[:-1]) if name in ("tokens", "turns") else show_amount(name, amount)


def show_used(
    name: str,
    used: int,
    limit: int | None = None,
    *,
    estimated_lines: int,
    noun: str = "",
    show: Callable[[str, int], str] | None = None,
) -> str:
    """Return what was used, and of what limit; of tokens and money also that some of it is estimated.

    `1,000 of 5,000 tokens (some estimated)`. Where nothing is known to be used, and a line of the ledger is an
    estimate, it is `unknown`.
    """
    show = show or show_amount
    is_uncertain = estimated_lines > 0 and name in _TOLD_BY_MODELS
    amount = "unknown" if is_uncertain and not used else show(name, used)
    of = "" if limit is None else f" of {show(name, limit)}"
    return f"{amount}{of}{noun and f' {noun}'}{' (some estimated)' if is_uncertain and used else ''}"


def show_percent(fraction: float) -> str:
    """Return the fraction in whole percents, never rounded up; what no line has room for is `>999%`."""
    return f"{int(fraction * 100)}%" if fraction < 10 else ">999%"


def left_at_least(goal: Goal) -> dict[str, int]:
    """Return what is left at least of each limit that is set; active time in seconds, cost in microunits.

    What is used is rounded up to a twentieth of the limit, so that it seldom changes and never promises too much.
    """
    left = {name: limit - _stepwise(used, limit) for name, used, limit in _limits(goal)}
    if "active_microseconds" in left:
        left["active_seconds"] = left.pop("active_microseconds") // MICRO
    return left


def _stepwise(used: int, limit: int) -> int:
    step = max(1, limit // BUDGET_STEPS)
    return min(limit, -(-used // step) * step)


def left_exactly(goal: Goal) -> str:
    """Return a sentence on what is left of each limit that is set, for models."""
    left = [
        f"{_figure(name, max(0, limit - used))} of {_figure(name, limit)} {_FIGURES[name]}"
        for name, used, limit in _limits(goal)
    ]
    return f"Budget left: {', '.join(left)}." if left else "No budget is set."


def _limits(goal: Goal) -> list[tuple[str, int, int]]:
    used, limits = goal.usage.as_dict(), goal.budget.as_dict()
    return [(name, used[name], limit) for name in LIMITS if (limit := limits[name]) is not None]


# Return the amount in one unit, whatever its size, so that a model can compare.
def _figure(name: str, amount: int) -> str:
    if name == "cost_microunits":
        return money_digits(amount)
    return f"{amount // MICRO if name == 'active_microseconds' else amount:,}"


def first_words(text: str, max_chars: int = 60) -> str:
    """Return the text on one line of at most `max_chars` characters; an ellipsis stands for the rest."""
    line = " ".join(text.split())
    # A joiner that has lost what it joins would be shown as a number.
    return line if len(line) <= max_chars else line[: max_chars - 1].rstrip(_JOINERS) + "…"


def humanize(name: object) -> str:
    """Return a name of the domain as a person says it: `usage limit`."""
    return str(name).replace("_", " ")


def counted(number: int, noun: str) -> str:
    """Return the number with its noun: `1 hold`, `2 holds`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def show_time(instant: Instant) -> str:
    """Return the instant to the second, in UTC."""
    return to_datetime(instant).strftime("%Y-%m-%d %H:%M:%SZ")


def show_duration(microseconds: int) -> str:
    """Return the duration in its two largest units; one that is not over yet is never 0, and none is negative."""
    # An instant of another machine may lie before this one's clock, so a difference can be negative.
    seconds, rest = divmod(max(0, microseconds), MICRO)
    if not seconds:
        return f"{rest / MICRO:.1g}s" if rest else "0s"
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{hours}h{minutes:02}m" if hours else f"{minutes}m{seconds:02}s" if minutes else f"{seconds}s"


def show_age(microseconds: int) -> str:
    """Return the age in its largest unit; clocks that disagree make none negative."""
    seconds = max(0, microseconds) // MICRO
    return next((f"{seconds // size}{unit}" for unit, size in _AGES if seconds >= size), f"{seconds}s")
