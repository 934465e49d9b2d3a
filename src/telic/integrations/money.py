"""A budget of money: which calls need a known price, how much is held for one, and what happens without one."""

from contextlib import suppress
from typing import TYPE_CHECKING

from telic.domain.budget import ModelUsage
from telic.domain.errors import GoalNotActive, InvalidTransition, PriceUnknown
from telic.domain.goal import Actor, Goal, GoalStatus, Reason
from telic.domain.ids import new_key
from telic.integrations.calls import ModelCall
from telic.integrations.settings import SessionSettings
from telic.pricing import cost_microunits, has_price_table, is_priced

if TYPE_CHECKING:
    from telic.integrations.session import GoalSession


def is_price_needed(settings: SessionSettings, goal: Goal) -> bool:
    """Return whether a call for the goal may not be made, or go on, without a known price."""
    return goal.budget.cost_microunits is not None and not settings.allow_unknown_price


def require_price(settings: SessionSettings, goal: Goal, call: ModelCall) -> None:
    """Raise PriceUnknown if the goal has a budget of money and the call's cost could not be told afterwards.

    A model whose name only its response tells is looked at then.
    """
    if not is_price_needed(settings, goal):
        return
    is_known = (
        settings.prices is not None or has_price_table()
        if call.model is None
        else is_priced(call.model, call.provider, prices=settings.prices)
    )
    if not is_known:
        raise PriceUnknown(call.model, has_table=has_price_table())


def cost_to_hold(settings: SessionSettings, goal: Goal, call: ModelCall) -> int:
    """Return how much money is held for the call: the price of `held_tokens` of input, at most what is left."""
    limit = goal.budget.cost_microunits
    if limit is None:
        return 0
    price = cost_microunits(
        call.model, ModelUsage(input_tokens=settings.held_tokens), call.provider, prices=settings.prices
    )
    return min(price, max(limit - goal.usage.cost_microunits, 1)) if price else 0


def cost_of(
    settings: SessionSettings, call: ModelCall, model: str | None, spent: ModelUsage, cache_write_tokens: int
) -> int | None:
    """Return what the response cost: as its usage tells, else by its model's price; None where that is unknown.

    A call of which nothing is known may have cost what was held for it.
    """
    if spent.cost_microunits:
        return spent.cost_microunits
    if not spent.input_tokens + spent.output_tokens:
        return call.held.cost_microunits or None
    return cost_microunits(model, spent, call.provider, cache_write_tokens=cache_write_tokens, prices=settings.prices)


async def stop_unpriced(session: "GoalSession", goal: Goal, model: str | None) -> Goal:
    """Return the goal, paused: what its budget of money has left is not known any more."""
    if goal.status is not GoalStatus.ACTIVE:
        return goal
    note, key = str(PriceUnknown(model, has_table=has_price_table())), new_key()
    with suppress(GoalNotActive, InvalidTransition):
        return await session.patiently(
            lambda: session.store.pause(goal.id, reason=Reason.FAILED, note=note, actor=Actor.SYSTEM, key=key)
        )
    return await session.patiently(lambda: session.store.get(goal.id))
