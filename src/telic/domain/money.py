"""Money as people read it; everywhere else it is whole microunits."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Final

_CENT: Final = 10_000
_MICRO: Final = 1_000_000


def money_digits(microunits: int) -> str:
    """Return the amount, of at least 0, with at least two decimals: `5.00`, `0.2417`.

    From a cent on it is rounded to four; what is less is shown exactly, since it would look like nothing else.
    """
    exact = Decimal(microunits) / _MICRO
    shown = exact if microunits < _CENT else exact.quantize(Decimal("0.0001"), ROUND_HALF_UP)
    whole, _, decimals = f"{shown:,f}".partition(".")
    return f"{whole}.{decimals.rstrip('0'):0<2}"


def show_money(microunits: int) -> str:
    """Return the amount with its sign: `$5.00`."""
    return f"{'-' if microunits < 0 else ''}${money_digits(abs(microunits))}"
