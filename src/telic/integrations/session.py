"""One conversation of a model about its scope's goal: what every framework's adapter does, written once."""

import asyncio
from contextlib import suppress
from copy import copy
from dataclasses import replace
from functools import partial
from typing import Final, cast

from telic.domain.budget import ModelUsage, UsageKind
from telic.domain.decision import is_nearly_spent
from telic.domain.errors import GoalNotActive, HoldLost, TurnConflict
from telic.domain.goal import DEFAULT_SCOPE, Goal, GoalStatus, Reason
from telic.domain.ids import new_key
from telic.domain.lease import Reservation
from telic.domain.limits import check_name
from telic.domain.loop_state import Claim
from telic.integrations.model_calls import ModelCall, estimate, model_name, turn_key, was_free
from telic.integrations.reservations import (
    cost_of,
    cost_to_hold,
    hold_room,
    is_price_needed,
    require_price,
    stop_unpriced,
)
from telic.integrations.settings import AnyStore, SessionSettings, StoreAccess
from telic.prompt import continuation, render, wind_down

SPENT: Final = (Reason.BUDGET, Reason.FAILED)
"""The reasons of a goal that the usage of its own calls has paused."""


class GoalSession(StoreAccess):
    """A model's conversation in one scope. Its calls follow one another; give each conversation a session of its own.

    The host names the scope; the model never does, nor any goal or revision: it acts on the goal that its last
    request showed, at the revision that it showed.
    """

    def __init__(self, store: AnyStore, *, scope: str = DEFAULT_SCOPE, settings: SessionSettings | None = None) -> None:
        super().__init__(store, settings)
        self.scope = check_name("scope", scope)
        self.seen: Goal | None = None
        self.claim = Claim.WORKING
        self.tools_at_work = 0
        self._caller: GoalSession | None = None
        self._former: ModelUsage | None = None
        self._continues = False
        self._accounting: set[asyncio.Task[object]] = set()

    def sub_agent(self) -> "GoalSession":
        """A session for a sub-agent of this conversation: its calls are billed to the same goal, as a sub-agent's.

        They count as no turns. Its model is shown no goal, has no tools for it, and does not go on by itself: its
        caller says what it is to do, and waits for its answer.
        """
        session = copy(self)
        session._caller, session._former = self, None
        return session

    @property
    def is_sub_agent(self) -> bool:
        """This is a sub-agent's session."""
        return self._caller is not None

    @property
    def kind(self) -> UsageKind:
        """The kind that the session's calls are billed as."""
        return UsageKind.SUB_AGENT if self.is_sub_agent else UsageKind.WORK

    @property
    def conversation(self) -> "GoalSession":
        """The session of the conversation itself."""
        return self if self._caller is None else self._caller.conversation

    async def start(self, *, continues: bool = False) -> Goal | None:
        """Begin a run of the agent, and return the goal that it works on, if any.

        A run that `continues` the goal by itself says so with each request.

        Raises:
            GoalNotActive: there is none, and the model may not create one; the error has the last one.
        """
        goal = await self.with_retries(lambda: self.store.active(self.scope))
        if goal is None and not self.settings.model_may_create:
            raise await self._stopped()
        self.seen, self.claim, self._continues = goal, Claim.WORKING, continues
        return goal

    async def begin(
        self,
        key: str | None = None,
        *,
        is_shown: bool = True,
        model: object = None,
        provider: str | None = None,
        request_bytes: int = 0,
    ) -> ModelCall:
        """The model may be called now, and budget is held for it. `key` names the call where the framework does.

        Where the call's request shows another prompt than the one given here, `is_shown` is off. Tell as much of the
        request as is known: the model, its provider, and how many bytes of text are sent.

        Raises:
            GoalNotActive: the goal was paused or has ended; the error has it as it stands.
            PriceUnknown: the goal has a budget of money, and the model has no price.
            BudgetExceeded: the budget is used up, or other calls held what is left for longer than the settings wait.
        """
        call = ModelCall(
            None, None, key or new_key(), None, model=model_name(model), provider=provider, request_bytes=request_bytes
        )
        # Looked up for each call: an operator may have changed the goal since the last one.
        goal = await self.with_retries(lambda: self.store.active(self.scope))
        if goal is None:
            if self.seen is None and self.settings.model_may_create:
                return call
            raise await self._stopped()
        require_price(self.settings, goal, call)
        held = await hold_room(self, goal, hold := new_key(), self._wanted(goal, call))
        call = replace(call, hold=hold if any(held.as_dict().values()) else None, held=held)
        if is_shown or self.is_sub_agent:
            self.seen = goal
        prompt = None if self.is_sub_agent else await self._prompt(goal)
        return replace(
            call, goal=goal, prompt=prompt, request_bytes=request_bytes and request_bytes + len(prompt or "")
        )

    def _wanted(self, goal: Goal, call: ModelCall) -> Reservation:
        tokens = 0
        if goal.token_budget is not None and self.settings.held_tokens:
            tokens = max(min(self.settings.held_tokens, goal.token_budget - goal.tokens_used), 1)
        cost = cost_to_hold(self.settings, goal, call)
        return Reservation(tokens=tokens, turns=int(self.kind is UsageKind.WORK), cost_microunits=cost)

    def call_without_begin(self, request_bytes: int = 0) -> ModelCall:
        """Return a call for which `begin` was not called; it belongs to the goal that was worked on last."""
        return ModelCall(self.seen, None, new_key(), None, request_bytes=request_bytes)

    async def _stopped(self) -> GoalNotActive:
        goal = await self.latest()
        if goal is None:
            return GoalNotActive("the scope has no active goal")
        return GoalNotActive(f"goal {goal.id} is {goal.status}: the model is not called", goal)

    async def latest(self) -> Goal | None:
        """Return the goal that was worked on last, as it is now; None if there was none."""
        seen = self.seen
        return None if seen is None else await self.with_retries(lambda: self.store.get(seen.id))

    async def _prompt(self, goal: Goal) -> str:
        block = render(goal, secret=await self.with_retries(self.store.secret))
        if is_nearly_spent(goal, self.settings.policy):
            return f"{block}\n\n{wind_down(goal)}"
        return f"{block}\n\n{continuation(goal)}" if self._continues else block

    async def record_response(
        self,
        call: ModelCall,
        usage: ModelUsage | None,
        *,
        model: object = None,
        response_id: object = None,
        kind: UsageKind | None = None,
        cost_microunits: int | None = None,
        cache_write_tokens: int = 0,
        seen_bytes: int = 0,
        told: ModelUsage | None = None,
    ) -> Goal | None:
        """The response is billed once, however often it is reported, to the goal that was active when the call began.

        Its cost is the host's own, where that is given (0 too), else what its model's price makes it. Of unknown usage
        (None) an estimate is recorded: what the response had `told` before it broke off, else by the request and by the
        bytes that were seen, at most what was held. Where a goal with a budget of money gets a response without a known
        cost, it is paused.
        """
        if call.goal is None:
            return None
        name, key = model_name(model) or call.model, turn_key(call.key, response_id)
        spent = estimate(call, self._former, seen_bytes, told) if usage is None else usage
        cost = cost_microunits
        if cost is None:
            cost = cost_of(self.settings, call, name, spent, cache_write_tokens)
        took = spent.active_microseconds or call.elapsed_microseconds
        spent = replace(spent, active_microseconds=took, cost_microunits=cost or 0)
        self._former = usage or self._former
        try:
            goal = await self._record(call, spent, kind or self.kind, name, key, is_estimate=usage is None)
        except TurnConflict:
            # It was reported before, with another time: the first record stands.
            return await self.with_retries(lambda: self.store.get(cast("Goal", call.goal).id))
        if cost is None and is_price_needed(self.settings, goal):
            goal = await stop_unpriced(self, goal, name)
        self.note_budget_pause(goal)
        return goal

    async def _record(
        self, call: ModelCall, spent: ModelUsage, kind: UsageKind, model: str | None, key: str, *, is_estimate: bool
    ) -> Goal:
        record = partial(
            self.store.record_turn,
            cast("Goal", call.goal).id,
            usage=spent,
            kind=kind,
            model=model,
            key=key,
            is_estimate=is_estimate,
        )
        try:
            return (await self.with_retries(lambda: record(hold=call.hold))).goal
        except HoldLost:
            # The hold expired before the call ended: what was used is counted all the same.
            return (await self.with_retries(record)).goal

    def note_budget_pause(self, goal: Goal) -> None:
        """Accept that the budget has paused the goal: the model may still report on it without seeing it again."""
        seen = self.seen
        is_known = seen is not None and (goal.id, goal.revision) == (seen.id, seen.revision + 1)
        if is_known and goal.status is GoalStatus.PAUSED and goal.reason in SPENT:
            self.seen = goal
        if self._caller is not None:
            self._caller.note_budget_pause(goal)

    async def record_failed_call(
        self,
        call: ModelCall,
        error: BaseException,
        *,
        seen_bytes: int = 0,
        told: ModelUsage | None = None,
        kind: UsageKind | None = None,
    ) -> None:
        """The call came to nothing: its hold is released where it surely cost nothing, else an estimate is recorded."""
        # Shielded: a caller that is cancelled, once or again and again, leaves the record to its task.
        is_free = was_free(error) and not seen_bytes and told is None
        lost = partial(self.record_response, usage=None, kind=kind, seen_bytes=seen_bytes, told=told)
        self._accounting.add(task := asyncio.ensure_future(self.cancel_call(call) if is_free else lost(call)))
        task.add_done_callback(self._accounting.discard)
        await asyncio.shield(task)

    async def wait_until_recorded(self) -> None:
        """Wait until the estimates of all failed and cancelled calls are in the ledger."""
        if self._accounting:
            await asyncio.wait(self._accounting)

    async def cancel_call(self, call: ModelCall) -> None:
        """The call cost nothing, and its hold is released."""
        if call.goal is None or call.hold is None:
            return
        goal_id, hold = call.goal.id, call.hold
        # An expired hold is free, or an estimate, already.
        with suppress(HoldLost):
            await self.with_retries(lambda: self.store.release(goal_id, hold))

    async def goes_on(self) -> Goal | None:
        """Return the active goal if its model is to go on; None if it stopped, or waits for the host's check.

        A sub-agent never goes on by itself.
        """
        if self.claim is not Claim.WORKING or self.is_sub_agent:
            return None
        return await self.with_retries(lambda: self.store.active(self.scope))
