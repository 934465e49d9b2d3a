"""Amounts as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telic import Budget
from telic.domain.budget import LIMITS
from telic.domain.errors import BudgetExceeded
from telic.errors import InvalidNumber
from telic.wording.amounts import parse_budget, parse_limit, show_amount, write_limit


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("1500", ("tokens", 1500)),
        ("1,500", ("tokens", 1500)),
        ("2M", ("tokens", 2_000_000)),
        ("500k", ("tokens", 500_000)),
        ("0.5M", ("tokens", 500_000)),
        ("1.25k", ("tokens", 1250)),
        ("$5", ("cost_microunits", 5_000_000)),
        ("5usd", ("cost_microunits", 5_000_000)),
        ("0.25 USD", ("cost_microunits", 250_000)),
        ("$0.000001", ("cost_microunits", 1)),
        ("$2k", ("cost_microunits", 2_000_000_000)),
        ("90m", ("active_microseconds", 5_400_000_000)),
        ("1.5h", ("active_microseconds", 5_400_000_000)),
        ("30s", ("active_microseconds", 30_000_000)),
        ("2d", ("active_microseconds", 172_800_000_000)),
        ("40turns", ("turns", 40)),
        ("1 turn", ("turns", 1)),
    ],
)
def test_an_amount_is_understood(text: str, meant: tuple[str, int]) -> None:
    """The unit tells which budget; M is a million tokens, m a minute."""
    assert parse_limit(text) == meant


@pytest.mark.parametrize(
    "text", ["", "M", "-5", "1e6", "5€", "$5m", "5x", "1.5", "0.5turns", "$0.0000001", "٣", "1 000"]
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    """Nothing is guessed, rounded or ignored."""
    with pytest.raises(InvalidNumber):
        parse_limit(text)


def test_a_budget_keeps_what_is_not_named() -> None:
    """Limits are laid over the present ones; `none` lifts all; twice the same is refused."""
    base = Budget(tokens=5, turns=7)
    assert parse_budget(("2k", "$1"), base) == Budget(tokens=2000, turns=7, cost_microunits=1_000_000)
    assert parse_budget(("none",), base) == Budget()
    with pytest.raises(InvalidNumber):
        parse_budget(("1k", "2k"), base)


@pytest.mark.parametrize(
    ("name", "amount", "shown"),
    [
        ("tokens", 1_234_567, "1,234,567"),
        ("cost_microunits", 0, "$0.00"),
        ("cost_microunits", 1, "$0.000001"),
        ("cost_microunits", 1_000, "$0.001"),
        ("cost_microunits", 9_999, "$0.009999"),
        ("cost_microunits", 15_000, "$0.015"),
        ("cost_microunits", 241_749, "$0.2417"),
        ("cost_microunits", 5_250_000, "$5.25"),
        ("cost_microunits", 1_005_000_000, "$1,005.00"),
        ("cost_microunits", 2**53 - 1, "$9,007,199,254.741"),
        ("cost_microunits", -1_500, "-$0.0015"),
        ("active_microseconds", 42_000_000, "42s"),
        ("active_microseconds", 5_400_000_000, "1h30m"),
        ("active_microseconds", 90_000_000, "1m30s"),
    ],
)
def test_an_amount_is_shown_as_people_read_it(name: str, amount: int, shown: str) -> None:
    """With separators and units."""
    assert show_amount(name, amount) == shown


@given(st.sampled_from(LIMITS), st.integers(min_value=0, max_value=2**53 - 1))
def test_a_written_limit_reads_back(name: str, amount: int) -> None:
    """To the last microsecond and microunit."""
    assert parse_limit(write_limit(name, amount)) == (name, amount)


@pytest.mark.parametrize(
    ("name", "amount", "written"),
    [
        ("tokens", 2_000_000, "2M"),
        ("tokens", 1500, "1500"),
        ("tokens", 2_500_000, "2500k"),
        ("cost_microunits", 5_250_000, "$5.25"),
        ("active_microseconds", 5_400_000_000, "90m"),
        ("active_microseconds", 1_500_000, "1.5s"),
        ("turns", 40, "40turns"),
    ],
)
def test_a_limit_is_written_as_people_type_it(name: str, amount: int, written: str) -> None:
    """In the shortest unit that keeps it whole."""
    assert write_limit(name, amount) == written


def test_a_refusal_tells_money_as_money() -> None:
    """Not in millionths."""
    assert "the budget of cost is used up: $0.001 of $0.001" in str(BudgetExceeded("cost_microunits", 1_000, 1_000))
    told = str(BudgetExceeded("cost_microunits", 0, 5_000_000, 10_000, 4_995_000))
    assert "the budget of cost has no room for $4.995: $0.00 used and $0.01 held of $5.00" in told
