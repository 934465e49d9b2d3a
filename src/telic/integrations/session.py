"""One conversation of a model about its scope's goal: what every framework's adapter does, written once."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, TypeVar, cast

from telic.domain.budget import ModelUsage, TurnUsage, UsageKind
from telic.domain.claim import Claim
from telic.domain.decision import is_nearly_spent
from telic.domain.errors import PASSING, BudgetExceeded, GoalNotActive, HoldLost, KeyConflict, TurnConflict
from telic.domain.events import TurnResult
from telic.domain.goal import DEFAULT_SCOPE, Goal, GoalStatus, Reason
from telic.domain.ids import new_key
from telic.domain.limits import check_name
from telic.integrations.settings import SessionSettings
from telic.integrations.usage import model_name, turn_key
from telic.prompt import continuation, render, wind_down
from telic.services.async_face import Awaited
from telic.services.async_store import AsyncGoalStore
from telic.services.store import GoalStore

T = TypeVar("T")

_RETRY_SECONDS: Final = 0.5
_DAY_SECONDS: Final = 86_400.0
_OWN_REASONS: Final = (Reason.ASSERTED, Reason.VERIFIED, Reason.BLOCKED, Reason.WAITING)
"""Why a goal stops by its model's report."""


@dataclass(frozen=True, slots=True)
class ModelCall:
    """A call of the model that has begun: the goal that it is billed to, and what the model is told of it.

    `prompt` goes to the end of the request, and nowhere else. Both are None where the scope has no goal yet.
    """

    goal: Goal | None
    prompt: str | None
    key: str
    hold: str | None
    started_nanoseconds: int

    @property
    def elapsed_microseconds(self) -> int:
        """How long ago it began."""
        return (time.monotonic_ns() - self.started_nanoseconds) // 1000


class GoalSession:
    """A model's conversation in one scope. Its calls follow one another; give each conversation a session of its own.

    The host names the scope; the model never does, nor any goal or revision: it acts on the goal that its last
    request showed, at the revision that it showed.
    """

    def __init__(
        self,
        store: AsyncGoalStore | GoalStore,
        *,
        scope: str = DEFAULT_SCOPE,
        settings: SessionSettings | None = None,
    ) -> None:
        self.scope = check_name("scope", scope)
        self.settings = settings or SessionSettings()
        self.is_blocking = isinstance(store, GoalStore)
        self.store = cast("AsyncGoalStore", Awaited(store)) if isinstance(store, GoalStore) else store
        self.seen: Goal | None = None
        self.claim = Claim.WORKING
        self.tools_at_work = 0
        self._continues = False
        self._accounting: set[asyncio.Task[object]] = set()

    async def start(self, *, continues: bool = False) -> Goal | None:
        """A run of the agent begins; here is the goal that it works on, if any.

        A run that `continues` the goal by itself is told so with each request.

        Raises:
            GoalNotActive: there is none, and the model may not create one; the error has the last one.
        """
        goal = await self.patiently(lambda: self.store.active(self.scope))
        if goal is None and not self.settings.model_may_create:
            raise await self._stopped()
        self.seen, self.claim, self._continues = goal, Claim.WORKING, continues
        return goal

    async def begin(self, key: str | None = None, *, is_shown: bool = True) -> ModelCall:
        """The model may be called now, and budget is held for it. `key` names the call where the framework does.

        Where the call's request shows another prompt than the one given here, `is_shown` is off.

        Raises:
            GoalNotActive: the goal was paused or has ended, whoever did it; the error has it as it stands.
            BudgetExceeded: what is left of the budget is held by other calls, or by some whose usage is unknown.
        """
        key, started = key or new_key(), time.monotonic_ns()
        goal = await self.patiently(lambda: self.store.active(self.scope))
        if goal is None:
            if self.seen is None and self.settings.model_may_create:
                return ModelCall(None, None, key, None, started)
            raise await self._stopped()
        hold = new_key()
        await self._hold(goal, hold, self.settings.call_timeout_seconds, turns=1)
        if is_shown:
            self.seen = goal
        return ModelCall(goal, await self._prompt(goal), key, hold, started)

    def unannounced(self) -> ModelCall:
        """A call whose beginning nobody told of; it belongs to the goal that was worked on last."""
        return ModelCall(self.seen, None, new_key(), None, time.monotonic_ns())

    async def _stopped(self) -> GoalNotActive:
        goal = await self.latest()
        if goal is None:
            return GoalNotActive("the scope has no active goal")
        return GoalNotActive(f"goal {goal.id} is {goal.status}: the model is not called", goal)

    async def latest(self) -> Goal | None:
        """The goal that was worked on last, as it stands now; None where there was none."""
        seen = self.seen
        return None if seen is None else await self.patiently(lambda: self.store.get(seen.id))

    async def _hold(self, goal: Goal, key: str, ttl_seconds: float, *, turns: int) -> None:
        left = 0 if goal.token_budget is None else max(goal.token_budget - goal.tokens_used, 0)
        tokens = min(self.settings.held_tokens, left)
        if tokens or turns:
            await self.patiently(
                lambda: self.store.hold(goal.id, tokens=tokens, turns=turns, ttl_seconds=ttl_seconds, key=key)
            )

    async def _prompt(self, goal: Goal) -> str:
        block = render(goal, secret=await self.patiently(self.store.secret))
        if is_nearly_spent(goal, self.settings.policy):
            return f"{block}\n\n{wind_down(goal)}"
        return f"{block}\n\n{continuation(goal)}" if self._continues else block

    async def answered(
        self,
        call: ModelCall,
        usage: ModelUsage | None,
        *,
        model: object = None,
        response_id: object = None,
        kind: UsageKind = UsageKind.WORK,
    ) -> Goal | None:
        """The response is billed once, however often it is told of, to the goal that was active when the call began.

        Of unknown usage (None) the turn has the time only, and a day's hold keeps what it may have cost.
        """
        if call.goal is None:
            return None
        name, key = model_name(model), turn_key(call.key, response_id)
        spent = TurnUsage() if usage is None else usage
        spent = replace(spent, active_microseconds=spent.active_microseconds or call.elapsed_microseconds)
        try:
            result = await self._record(call.goal, spent, kind, name, key, call.hold)
        except TurnConflict:
            # It was told of before, with another time: the first record stands.
            return await self.patiently(lambda: self.store.get(cast("Goal", call.goal).id))
        if usage is None:
            await self._keep_uncertain(result.goal, key)
        self.note_spent(result.goal)
        return result.goal

    async def _record(
        self,
        goal: Goal,
        spent: TurnUsage | ModelUsage,
        kind: UsageKind,
        model: str | None,
        key: str,
        hold: str | None,
    ) -> TurnResult:
        record = partial(self.store.record_turn, goal.id, usage=spent, kind=kind, model=model, key=key)
        try:
            return await self.patiently(lambda: record(hold=hold))
        except HoldLost:
            return await self.patiently(record)

    async def _keep_uncertain(self, goal: Goal, key: str) -> None:
        """Silence cannot overspend a budget."""
        with suppress(BudgetExceeded, GoalNotActive, KeyConflict):
            await self._hold(goal, turn_key(key, "unknown"), _DAY_SECONDS, turns=0)

    def note_spent(self, goal: Goal) -> None:
        """That the budget has paused the goal is no change that its model must see before it may report."""
        seen = self.seen
        is_known = seen is not None and (goal.id, goal.revision) == (seen.id, seen.revision + 1)
        if is_known and goal.status is GoalStatus.PAUSED and goal.reason is Reason.BUDGET:
            self.seen = goal

    async def unanswered(self, call: ModelCall, error: BaseException) -> None:
        """The call came to nothing. Refused by the provider it cost nothing; else what it cost is unknown.

        It is accounted for also where whoever waits for this is cancelled, once or again and again.
        """
        accounting = self.never_made(call) if _was_refused(error) else self.answered(call, None)
        task: asyncio.Task[object] = asyncio.create_task(accounting)
        self._accounting.add(task)
        task.add_done_callback(self._accounting.discard)
        await asyncio.shield(task)

    async def never_made(self, call: ModelCall) -> None:
        """The call cost nothing, and what was held for it is free again."""
        if call.goal is None or call.hold is None:
            return
        goal_id, hold = call.goal.id, call.hold
        with suppress(HoldLost):
            await self.patiently(lambda: self.store.release(goal_id, hold))

    async def goes_on(self) -> Goal | None:
        """The scope's active goal where its model is to go on; None where it stopped, or waits for the host's check."""
        if self.claim is not Claim.WORKING:
            return None
        return await self.patiently(lambda: self.store.active(self.scope))

    async def guard(self, work: Coroutine[Any, Any, T]) -> T:
        """What the work gave, unless somebody stopped the goal meanwhile: then the work was cancelled, and has ended.

        A budget that was reached, or the model's own report, cancels nothing: no other call begins then.

        Raises:
            GoalNotActive: somebody paused, cleared or replaced the goal; the error has it.
        """
        task = asyncio.ensure_future(work)
        try:
            while not task.done():
                await asyncio.wait({task}, timeout=self.settings.heartbeat_seconds)
                goal = None if task.done() else await self._stopped_by_somebody()
                if goal is not None:
                    raise GoalNotActive(f"goal {goal.id} is {goal.status}: its run was cancelled", goal)
        finally:
            if not task.done():
                task.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await task
            if self._accounting:
                await asyncio.wait(self._accounting)
        return task.result()

    async def _stopped_by_somebody(self) -> Goal | None:
        seen = self.seen
        if seen is None or seen.status is not GoalStatus.ACTIVE:
            return None
        goal = await self.patiently(lambda: self.store.get(seen.id))
        is_spent = goal.reason is Reason.BUDGET
        # The model's own report may be in the store before whoever made it has heard so.
        is_own = self.tools_at_work > 0 and goal.reason in _OWN_REASONS
        return None if goal.status is GoalStatus.ACTIVE or is_spent or is_own or self.seen is not seen else goal

    async def patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        """What the call gives, made again while the store is away; it must be repeatable.

        Raises:
            StoreBusy, StoreUnavailable, StoreFull, OutcomeUnknown: the store stayed away, or full, for longer than the
                settings say.
        """
        until = time.monotonic() + self.settings.patience_seconds
        while True:
            try:
                return await call()
            except PASSING:
                if time.monotonic() >= until:
                    raise
                await asyncio.sleep(_RETRY_SECONDS)


def _was_refused(error: BaseException) -> bool:
    """Whether the provider answered with an HTTP status that says no, as every client's error tells in one of these."""
    status = next((found for name in ("status_code", "code") if type(found := getattr(error, name, None)) is int), 0)
    return 400 <= status <= 599
