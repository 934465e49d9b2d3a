"""A till: what a purchase costs. Not finished yet."""


def total(prices: list[int]) -> int:
    """The sum of the prices, in cents."""
    raise NotImplementedError


def with_tax(cents: int, percent: int) -> int:
    """The amount with tax, rounded to the cent."""
    raise NotImplementedError


def shown(cents: int) -> str:
    """The amount as a customer reads it."""
    raise NotImplementedError
