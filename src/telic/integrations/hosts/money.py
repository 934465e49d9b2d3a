"""A budget of money: what a session's response costs, by its model's price, and what follows where nobody knows it."""

from dataclasses import replace

from telic.domain.budget import ModelUsage, TurnUsage
from telic.integrations.hosts.usage import Response


def with_cost(response: Response) -> ModelUsage | TurnUsage | None:
    """Return the response's usage with its cost; None where its price, or what it used, is unknown."""
    # Loaded only here: a hook of a goal without a budget of money must load little.
    from telic.pricing import cost_microunits

    usage = response.usage
    if usage.cost_microunits:
        return usage
    if isinstance(usage, TurnUsage):
        return None
    if not usage.input_tokens + usage.output_tokens:
        return usage
    cost = cost_microunits(response.model, usage, cache_write_tokens=response.cache_write_tokens)
    return None if cost is None else replace(usage, cost_microunits=cost)


def unknown_price(model: str | None) -> str:
    """Return why the goal cannot go on, and how it could."""
    from telic.pricing import has_price_table

    whose = "its model" if model is None else f"the model {model!a}"
    how = "" if has_price_table() else "install the table of prices (pip install 'telic[pricing]'), or "
    why = f"the budget of money cannot be measured, since the price of {whose} is unknown"
    return f"{why}: {how}take it away (telic budget)"
