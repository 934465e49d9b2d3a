"""The cost of a model's usage: by prices of your own, else by the table of `genai-prices` (the extra `pricing`)."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from importlib import import_module
from types import ModuleType
from typing import Final

from telic.domain.budget import ModelUsage
from telic.domain.clock import MICRO
from telic.domain.errors import InvalidNumber
from telic.domain.limits import MAX_COUNTER

_BEDROCK: Final = "aws"

Amount = Decimal | int | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """The price of a million tokens of a model, in whole units of the currency: `Price(input="2.50", output=10)`.

    Cached input and input that is written to a cache cost what other input costs unless they have a price of their own.
    Give decimals as texts; a float is not exact and is refused.

    Raises:
        InvalidNumber: a price is negative or no number.
    """

    input: Amount
    output: Amount
    cached_input: Amount | None = None
    cache_write: Amount | None = None

    def __post_init__(self) -> None:
        for name in ("input", "output", "cached_input", "cache_write"):
            given = getattr(self, name)
            if given is not None or name in ("input", "output"):
                object.__setattr__(self, name, _price(name, given))

    def cost_microunits(self, usage: ModelUsage, *, cache_write_tokens: int = 0) -> int:
        """Return the cost of the usage in millionths of the currency, rounded up."""
        written = _written(usage, cache_write_tokens)
        plain = usage.input_tokens - usage.cached_input_tokens - written
        cached = self.input if self.cached_input is None else self.cached_input
        cache_write = self.input if self.cache_write is None else self.cache_write
        # A price for a million tokens in units is the price of one token in millionths.
        return _whole(
            plain * Decimal(self.input)
            + usage.cached_input_tokens * Decimal(cached)
            + written * Decimal(cache_write)
            + usage.output_tokens * Decimal(self.output)
        )


Prices = Mapping[str, Price] | Callable[[str | None, ModelUsage], int | None]
"""Prices of your own: by the model's name, or a function that gives a usage's cost in millionths, None if unknown."""


def cost_microunits(
    model: str | None,
    usage: ModelUsage,
    provider: str | None = None,
    *,
    cache_write_tokens: int = 0,
    prices: Prices | None = None,
) -> int | None:
    """Return what the usage cost in millionths of the currency, rounded up; None where no price is known, never 0 then.

    Your own `prices` come first. Of the usage's input, `cache_write_tokens` were written to the provider's cache. The
    table's prices are in US dollars and for one request: some models cost more above a length of the prompt. A model
    may be named as routers and frameworks do: `openai/gpt-4o`, `anthropic:claude-sonnet-4-5`.
    """
    own = _own_cost(prices, model, usage, cache_write_tokens)
    if own is not None or model is None:
        return own
    table = _table()
    if table is None:
        return None
    counted = table.Usage(
        input_tokens=usage.input_tokens,
        cache_read_tokens=usage.cached_input_tokens,
        cache_write_tokens=_written(usage, cache_write_tokens),
        output_tokens=usage.output_tokens,
    )
    for name, asked in _names(model, provider):
        with suppress(LookupError, ValueError):
            return _whole(table.calc_price(counted, name, provider_id=asked).total_price * MICRO)
    return None


def is_priced(model: str | None, provider: str | None = None, *, prices: Prices | None = None) -> bool:
    """Return whether a price of the model is known."""
    return cost_microunits(model, ModelUsage(input_tokens=1, output_tokens=1), provider, prices=prices) is not None


def has_price_table() -> bool:
    """Return whether the extra `pricing` is installed."""
    return _table() is not None


# The library of prices is large, so it is loaded at its first use.
def _table() -> ModuleType | None:
    try:
        return import_module("genai_prices")
    except ImportError:
        return None


def _own_cost(prices: Prices | None, model: str | None, usage: ModelUsage, written: int) -> int | None:
    if prices is None:
        return None
    if not isinstance(prices, Mapping):
        cost = prices(model, usage)
        return None if cost is None else _whole(Decimal(cost))
    price = prices.get(model) if model is not None else None
    return None if price is None else price.cost_microunits(usage, cache_write_tokens=written)


def _names(model: str, provider: str | None) -> Iterator[tuple[str, str | None]]:
    """Give the ways to look a model up, the surest first."""
    if provider:
        yield model, provider
    yield model, None
    # Routers write provider/model, some frameworks provider:model.
    for separator in ("/", ":"):
        first, found, rest = model.partition(separator)
        if found:
            yield rest, first
            yield rest, None
    if "anthropic." in model:
        yield model, _BEDROCK


def _written(usage: ModelUsage, cache_write_tokens: int) -> int:
    return max(min(cache_write_tokens, usage.input_tokens - usage.cached_input_tokens), 0)


def _whole(microunits: Decimal) -> int:
    return min(max(int(microunits.to_integral_value(ROUND_CEILING)), 0), MAX_COUNTER)


def _price(name: str, given: object) -> Decimal:
    try:
        price = Decimal(given) if isinstance(given, Decimal | int | str) and type(given) is not bool else None
    except InvalidOperation:
        price = None
    if price is None or not price.is_finite() or price < 0:
        raise InvalidNumber(f"the price of {name} must be a number of at least 0, given as a text, an int or a Decimal")
    return price
