"""What usage costs: by one's own prices, by the table, or unknown."""

import sys
from decimal import Decimal
from typing import Any

import pytest

import telic
from telic.pricing import Price, cost_microunits, has_price_table, is_priced

USED = telic.ModelUsage(input_tokens=100_000, cached_input_tokens=40_000, output_tokens=1_000)


def test_the_table_prices_cached_input_cache_writes_and_output() -> None:
    """Claude Sonnet 4.5: $3, cached $0.30, written $3.75, output $15 a million."""
    assert cost_microunits("claude-sonnet-4-5", USED) == 60_000 * 3 + 12_000 + 15_000
    written = cost_microunits("claude-sonnet-4-5", USED, cache_write_tokens=20_000)
    assert written == 40_000 * 3 + 12_000 + 75_000 + 15_000


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("gpt-4o", None),
        ("GPT-4o", "openai"),
        ("gpt-4o-2024-08-06", "a gateway of our own"),
        ("openai/gpt-4o", None),
        ("openai:gpt-4o", None),
        ("openai-chat:gpt-4o", None),
        ("litellm/openai/gpt-4o", None),
    ],
)
def test_a_model_is_found_under_the_names_that_routers_and_frameworks_use(model: str, provider: str | None) -> None:
    assert cost_microunits(model, telic.ModelUsage(input_tokens=1_000_000), provider) == 2_500_000


@pytest.mark.parametrize(
    "model",
    [
        "models/gemini-2.5-pro",
        "anthropic.claude-sonnet-4-5-20250929-v1:0",
        "us.anthropic.claude-haiku-4-5-20251001-v1:0",
    ],
)
def test_other_clouds_names_have_prices(model: str) -> None:
    assert is_priced(model)


@pytest.mark.parametrize(
    "model", [None, "", "a-model-of-our-own", "gpt-of-nobody", "/", ":", "a/b:c", "x" * 10_000, "\0"]
)
def test_an_unknown_price_is_not_0(model: str | None) -> None:
    assert cost_microunits(model, USED) is None
    assert not is_priced(model)


def test_without_the_extra_the_price_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    assert not has_price_table()
    assert cost_microunits("gpt-4o", USED) is None
    assert cost_microunits("gpt-4o", USED, prices={"gpt-4o": Price(input=0, output=0)}) == 0


def test_a_price_of_ones_own_is_rounded_up() -> None:
    price = Price(input="0.15", output="0.6", cached_input="0.075", cache_write=Decimal("0.2"))
    assert price.cost_microunits(telic.ModelUsage(input_tokens=1)) == 1
    assert price.cost_microunits(USED) == 9_000 + 3_000 + 600
    assert price.cost_microunits(USED, cache_write_tokens=10_000) == 7_500 + 2_000 + 3_000 + 600
    assert Price(input=1, output=1).cost_microunits(USED) == 101_000


def test_more_cache_writes_than_input_are_taken_as_the_input() -> None:
    assert cost_microunits("claude-sonnet-4-5", USED, cache_write_tokens=10**9) == 12_000 + 225_000 + 15_000


@pytest.mark.parametrize("given", [-1, "-0.1", "much", "NaN", "Infinity", 1.5, True, None, []])
def test_what_is_no_price_is_refused(given: Any) -> None:
    with pytest.raises(telic.errors.InvalidNumber):
        Price(input=given, output=1)


def test_no_cost_passes_what_a_counter_holds() -> None:
    most = 2**53 - 1
    used = telic.ModelUsage(input_tokens=most, output_tokens=most)
    assert Price(input=10**9, output=1).cost_microunits(used) == most
    assert cost_microunits("gpt-4o", used) == most
