"""What a turn costs, where its agent tells tokens and no money: by the table of prices, if it is installed."""

from dataclasses import replace

from telic.domain.budget import ModelUsage
from telic.domain.goal import Goal
from telic.loop.agents.cumulative import used_since
from telic.pricing import cost_microunits


class RunningCost:
    """Prices a turn's growing usage piece by piece: some models cost more above a length of one request."""

    def __init__(self, goal: Goal) -> None:
        self._is_wanted = goal.budget.cost_microunits is not None
        self._priced = ModelUsage()
        self._cost = 0

    def added_to(self, usage: ModelUsage, model: str | None) -> ModelUsage:
        """Return the turn's usage so far with its cost; unchanged where the agent told it, or nobody limits money.

        What a model costs that the table does not know stays out, and so does all of it without the table.
        """
        if not self._is_wanted or usage.cost_microunits or model is None:
            return usage
        self._cost += cost_microunits(model, used_since(self._priced, usage)) or 0
        self._priced = usage
        return replace(usage, cost_microunits=self._cost)
