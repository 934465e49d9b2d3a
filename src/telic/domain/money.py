"""Money as people write and read it; everywhere else it is whole microunits."""

from decimal import ROUND_HALF_UP, Context, Decimal, Inexact, InvalidOperation
from typing import Final

from telic.domain.base_errors import InvalidNumber
from telic.domain.clock import MICRO
from telic.domain.limits import MAX_COUNTER

_CENT: Final = 10_000
_MOST_DIGITS_OF_MONEY: Final = 11
# Arithmetic that refuses to round.
_EXACT: Final = Context(prec=40, traps=[Inexact, InvalidOperation])


def money_digits(microunits: int) -> str:
    """Return the amount, of at least 0, with at least two decimals: `5.00`, `0.2417`.

    From a cent on it is rounded to four; what is less is shown exactly, since it would look like nothing else.
    """
    exact = Decimal(microunits) / MICRO
    shown = exact if microunits < _CENT else exact.quantize(Decimal("0.0001"), ROUND_HALF_UP)
    whole, _, decimals = f"{shown:,f}".partition(".")
    return f"{whole}.{decimals.rstrip('0'):0<2}"


def show_money(microunits: int) -> str:
    """Return the amount with its sign: `$5.00`."""
    return f"{'-' if microunits < 0 else ''}${money_digits(abs(microunits))}"


def money_of(microunits: int) -> Decimal:
    """Return the exact amount, in units of the currency."""
    return Decimal(microunits) / MICRO


def microunits_of(cost: object) -> int:
    """Return the microunits of a cost of at least 0, with at most six decimals; else raise InvalidNumber."""
    if isinstance(cost, bool) or not isinstance(cost, Decimal | str | int):
        raise InvalidNumber(f"a cost must be a text, a Decimal or an integer, not {type(cost).__name__}")
    try:
        money = Decimal(cost)
    except (ArithmeticError, ValueError):
        money = Decimal("NaN")
    # Whole numbers with a huge exponent would take seconds and gigabytes to write out.
    if not money.is_finite() or money.adjusted() >= _MOST_DIGITS_OF_MONEY:
        raise InvalidNumber(f"{cost!a:.50} is no amount of money: write 5 or 0.25")
    try:
        microunits = int(_EXACT.to_integral_exact(_EXACT.multiply(money, MICRO)))
    except ArithmeticError:
        raise InvalidNumber(f"{cost!a:.50} has more than six decimals") from None
    if not 0 <= microunits <= MAX_COUNTER:
        raise InvalidNumber(f"a cost must be from 0 to {money_of(MAX_COUNTER):,}, not {cost!a:.50}")
    return microunits
