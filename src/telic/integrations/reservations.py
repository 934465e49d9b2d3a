"""Holding a part of a goal's budget for one call: tokens, a turn and money, shared with the calls that go on."""

import asyncio
import time
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Final

from telic.domain.budget import ModelUsage
from telic.domain.clock import Instant
from telic.domain.errors import BudgetExceeded, GoalNotActive, InvalidTransition, PriceUnknown
from telic.domain.goal import Actor, Goal, GoalStatus, Reason
from telic.domain.ids import new_key
from telic.domain.lease import HoldState, Reservation
from telic.domain.limits import MAX_PAGE
from telic.integrations.model_calls import ModelCall
from telic.integrations.settings import SessionSettings, StoreAccess
from telic.pricing import cost_microunits, has_price_table, is_priced

_LOOK_SECONDS: Final = 0.2
_DIVISIBLE: Final = frozenset({"tokens", "cost_microunits"})
"""Of these a call may also hold less than it asked for."""


async def hold_room(access: StoreAccess, goal: Goal, key: str, wanted: Reservation) -> Reservation:
    """Hold what is free of `wanted`, for as long as a call may take, and return the amounts that are held.

    If other calls hold all that is left, wait for them.

    Raises:
        BudgetExceeded: the budget is used up, or others held all that is left for longer than the settings wait.
        GoalNotActive: the goal was stopped meanwhile.
    """
    if not any(wanted.as_dict().values()):
        return wanted
    until = time.monotonic() + access.settings.room_wait_seconds
    while True:
        try:
            return await _hold_what_is_left(access, goal, key, wanted)
        except BudgetExceeded as refusal:
            if not refusal.held:
                raise
            if time.monotonic() >= until:
                raise await _with_hold_expiry(access, goal, refusal) from refusal
        await asyncio.sleep(_LOOK_SECONDS)


async def _hold_what_is_left(access: StoreAccess, goal: Goal, key: str, wanted: Reservation) -> Reservation:
    asked, ttl = wanted, access.settings.call_timeout_seconds
    while True:
        place = partial(
            access.store.hold,
            goal.id,
            tokens=asked.tokens,
            turns=asked.turns,
            cost_microunits=asked.cost_microunits,
            ttl_seconds=ttl,
            key=key,
        )
        try:
            await access.with_retries(place)
        except BudgetExceeded as refusal:
            # Calls share the room (ADR 34): less than was asked for is better than no call.
            left = refusal.budget - refusal.used - refusal.held
            if refusal.limit not in _DIVISIBLE or not 0 < left < refusal.asked:
                raise
            asked = replace(asked, **{refusal.limit: left})
        else:
            return asked


async def _with_hold_expiry(access: StoreAccess, goal: Goal, refusal: BudgetExceeded) -> BudgetExceeded:
    open_until: list[Instant] = []
    after: str | None = ""
    while after is not None:
        page = await access.with_retries(partial(access.store.holds, goal.id, after=after, limit=MAX_PAGE))
        open_until += [hold.expires_at for hold in page if hold.state is HoldState.OPEN and hold.expires_at is not None]
        after = page[-1].key if len(page) == MAX_PAGE else None
    return BudgetExceeded(
        refusal.limit,
        refusal.used,
        refusal.budget,
        refusal.held,
        refusal.asked,
        held_until=min(open_until, default=None),
        goal_id=goal.id,
    )


def is_price_needed(settings: SessionSettings, goal: Goal) -> bool:
    """Return whether a call for the goal may not be made, or go on, without a known price."""
    return goal.budget.cost_microunits is not None and not settings.allow_unknown_price


def require_price(settings: SessionSettings, goal: Goal, call: ModelCall) -> None:
    """Raise PriceUnknown if the goal has a budget of money and nobody could tell the call's cost afterwards.

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
    # No token was told: its price would be 0, and a call that may have been made is never free.
    if not spent.input_tokens + spent.output_tokens:
        return call.held.cost_microunits or None
    return cost_microunits(model, spent, call.provider, cache_write_tokens=cache_write_tokens, prices=settings.prices)


async def stop_unpriced(access: StoreAccess, goal: Goal, model: str | None) -> Goal:
    """Return the goal, paused: what its budget of money has left is not known any more."""
    if goal.status is not GoalStatus.ACTIVE:
        return goal
    note, key = str(PriceUnknown(model, has_table=has_price_table())), new_key()
    with suppress(GoalNotActive, InvalidTransition):
        return await access.with_retries(
            lambda: access.store.pause(goal.id, reason=Reason.FAILED, note=note, actor=Actor.SYSTEM, key=key)
        )
    return await access.with_retries(lambda: access.store.get(goal.id))
