"""What a turn costs, where its agent tells tokens and no money: by the table of prices, if it is installed."""

from dataclasses import replace

from telic.domain.budget import ModelUsage
from telic.domain.goal import Goal
from telic.loop.agents.json_reader import Parsed
from telic.loop.agents.usage_delta import used_since
from telic.pricing import cost_microunits, has_price_table


class RunningCost:
    """Prices a turn's growing usage piece by piece: some models cost more above a length of one request."""

    def __init__(self, goal: Goal) -> None:
        self._is_wanted = goal.budget.cost_microunits is not None
        self._priced = ModelUsage()
        self._cost = 0
        self._unknown = ""

    @property
    def unknown(self) -> str:
        """Why the turn's cost is not known, and how it could be; empty where it is known, or nobody limits money."""
        return self._unknown

    def added_to(self, usage: ModelUsage, model: str | None) -> ModelUsage:
        """Return the turn's usage so far with its cost; unchanged where the agent told it, or nobody limits money.

        What a model costs that the table does not know stays out, and so does all of it without the table; `unknown`
        says so as long as the agent does not tell it either.
        """
        if not self._is_wanted:
            return usage
        is_known = bool(usage.cost_microunits) or self._add(usage, model)
        self._unknown = "" if is_known else _unknown_price(model)
        return usage if usage.cost_microunits else replace(usage, cost_microunits=self._cost)

    def added_to_lines(self, parsed: Parsed) -> ModelUsage | None:
        """As `added_to`, where the output's format tells which of its responses came without their cost."""
        if parsed.usage is None or parsed.without_cost is None:
            return None if parsed.usage is None else self.added_to(parsed.usage, parsed.model)
        if not self._is_wanted:
            return parsed.usage
        if not self._add(parsed.without_cost, parsed.model):
            self._unknown = _unknown_price(parsed.model)
        return replace(parsed.usage, cost_microunits=parsed.usage.cost_microunits + self._cost)

    def _add(self, usage: ModelUsage, model: str | None) -> bool:
        """Price what was used since the last time, and return whether its price is known."""
        added = used_since(self._priced, usage)
        cost = cost_microunits(model, added) if added.input_tokens or added.output_tokens else 0
        if cost is None:
            return False
        self._priced = usage
        self._cost += cost
        return True


def _unknown_price(model: str | None) -> str:
    whose = "a response that names no model" if model is None else f"the model {model!a}"
    table = "" if has_price_table() else "install the table of prices (pip install 'telic[pricing]'), "
    return (
        f"the goal has a budget of money, but the price of {whose} is unknown: {table}name a model that has a price, "
        "or cost_microunits, with the usage, take the budget of money away, or say --allow-unknown-usage"
    )
