"""The async front door."""

from collections.abc import Sequence

from telic.domain.budget import Budget, TurnUsage
from telic.domain.criteria import Criterion
from telic.domain.events import Event, Turn, TurnResult
from telic.domain.goal import DEFAULT_SCOPE, Actor, Goal, GoalPage, GoalStatus, Reason
from telic.domain.ids import check_id
from telic.domain.limits import DEFAULT_MAX_CHARS, check_name
from telic.services.context import Context
from telic.storage.operations import definition, goals, ledger, transitions
from telic.storage.records import goal_from_row
from telic.storage.transaction import AsyncDriver, Mode


class AsyncGoalStore:
    """Goals in one database, for any number of tasks of one event loop, processes and machines.

    Made by `connect_async`. Every mutating call takes a `key`: the same call with the same key happens once, and
    is the safe retry after `OutcomeUnknown`. Every call may raise a `StoreError`; each says what was written.
    """

    def __init__(self, driver: AsyncDriver, context: Context) -> None:
        self._driver = driver
        self._context = context

    async def __aenter__(self) -> "AsyncGoalStore":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def create(
        self,
        text: str,
        *,
        scope: str = DEFAULT_SCOPE,
        token_budget: int | None = None,
        budget: Budget | None = None,
        criteria: Sequence[Criterion] = (),
        max_chars: int = DEFAULT_MAX_CHARS,
        actor: Actor = Actor.USER,
        key: str | None = None,
    ) -> Goal:
        """The scope's active goal is this new one; the former one is paused as superseded, atomically.

        `token_budget` is short for `Budget(tokens=…)` and may not be given with `budget`. `max_chars` is at
        most 20,000. A call with a `key` that has already created this goal gives that goal as it stands.

        Raises:
            EmptyText, TextTooLong, InvalidText, InvalidNumber, InvalidInput: an argument is unusable.
            NotAllowed: the actor may not create goals, or a model would replace an unfinished one.
            KeyConflict: the key has created another goal in this scope.
        """
        new = self._context.new_goal(text, scope, token_budget, budget, criteria, max_chars)
        call = self._context.call(actor, key)
        return await self._driver.run(lambda tx: goals.create(tx, call, new), Mode.SINGLE, call.key)

    async def get(self, goal_id: str) -> Goal:
        """The goal with this id.

        Raises:
            GoalNotFound: there is none.
        """
        return goals.found(await self._driver.point("goals.get", {"id": check_id(goal_id)}), goal_id)

    async def find(self, prefix: str) -> Goal:
        """The one goal whose id begins with these 8 or more characters, as a person types them.

        Raises:
            GoalNotFound, AmbiguousId: there is none, or there are several.
            InvalidText: the prefix is too short, or cannot begin an id.
        """
        return await self._driver.run(lambda tx: goals.find(tx, prefix), Mode.READ, None)

    async def active(self, scope: str = DEFAULT_SCOPE) -> Goal | None:
        """The scope's active goal, or None."""
        row = await self._driver.point("goals.active", {"scope": check_name("scope", scope)})
        return None if row is None else goal_from_row(row)

    async def list(
        self,
        *,
        scope: str | None = None,
        status: GoalStatus | None = None,
        text: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> GoalPage:
        """One page of at most `limit` (1 to 1,000) goals that match all filters, newest first.

        `text` is found anywhere in a goal's text; ASCII letters match in either case. `cursor` is the page
        before's `next_cursor`.

        Raises:
            InvalidCursor, InvalidText, InvalidNumber: an argument is unusable.
        """
        return await self._driver.run(
            lambda tx: goals.list_goals(tx, scope=scope, status=status, text=text, cursor=cursor, limit=limit),
            Mode.READ,
            None,
        )

    async def transition(
        self,
        goal_id: str,
        to: GoalStatus,
        *,
        expected_revision: int | None = None,
        reason: Reason | None = None,
        note: str | None = None,
        actor: Actor = Actor.USER,
        key: str | None = None,
    ) -> Goal:
        """The goal has the status `to`, by one move of the state machine.

        A completion's reason follows from the actor and the criteria, so `reason` is not used for it.

        Raises:
            GoalNotFound, InvalidTransition, NotAllowed, KeyConflict, InvalidInput: nothing changed.
            StaleUpdate: the goal is no longer at `expected_revision`; the error carries it.
            BudgetExceeded: a goal that has used up its budget cannot become active.
        """
        call = self._context.call(actor, key, expected_revision)
        return await self._driver.run(
            lambda tx: transitions.transition(tx, call, goal_id, to=to, reason=reason, note=note),
            Mode.SINGLE,
            call.key,
        )

    async def pause(
        self,
        goal_id: str,
        *,
        expected_revision: int | None = None,
        reason: Reason = Reason.USER,
        note: str | None = None,
        actor: Actor = Actor.USER,
        key: str | None = None,
    ) -> Goal:
        """The active goal is paused for this reason. Raises as `transition`."""
        return await self.transition(
            goal_id,
            GoalStatus.PAUSED,
            expected_revision=expected_revision,
            reason=reason,
            note=note,
            actor=actor,
            key=key,
        )

    async def resume(
        self,
        goal_id: str,
        *,
        budget: Budget | None = None,
        expected_revision: int | None = None,
        note: str | None = None,
        actor: Actor = Actor.USER,
        key: str | None = None,
    ) -> Goal:
        """The paused goal is active; the scope's former active goal is paused as superseded, atomically.

        With `budget`, the goal's budget is first set to exactly that. Raises as `transition`.
        """
        call = self._context.call(actor, key, expected_revision)
        if budget is None:
            return await self._driver.run(
                lambda tx: transitions.transition(tx, call, goal_id, to=GoalStatus.ACTIVE, reason=None, note=note),
                Mode.SINGLE,
                call.key,
            )
        return await self._driver.run(
            lambda tx: definition.resume_with_budget(tx, call, goal_id, budget=budget, note=note),
            Mode.ATOMIC,
            call.key,
        )

    async def complete(
        self,
        goal_id: str,
        *,
        expected_revision: int | None = None,
        note: str | None = None,
        actor: Actor = Actor.USER,
        key: str | None = None,
    ) -> Goal:
        """The goal is completed; a paused one is resumed and completed in one step.

        Its reason is `asserted` without criteria; with criteria it is `verified` by the verifier and
        `accepted` by a user or operator, and others may not complete it. Raises as `transition`.
        """
        call = self._context.call(actor, key, expected_revision)
        return await self._driver.run(
            lambda tx: transitions.complete(tx, call, goal_id, note=note), Mode.ATOMIC, call.key
        )

    async def clear(
        self,
        goal_id: str,
        *,
        expected_revision: int | None = None,
        reason: Reason = Reason.DISMISSED,
        note: str | None = None,
        actor: Actor = Actor.USER,
        key: str | None = None,
    ) -> Goal:
        """The unfinished goal is cleared, for good. Raises as `transition`."""
        return await self.transition(
            goal_id,
            GoalStatus.CLEARED,
            expected_revision=expected_revision,
            reason=reason,
            note=note,
            actor=actor,
            key=key,
        )

    async def edit(
        self,
        goal_id: str,
        *,
        text: str | None = None,
        criteria: Sequence[Criterion] | None = None,
        max_chars: int = DEFAULT_MAX_CHARS,
        expected_revision: int | None = None,
        actor: Actor = Actor.USER,
        key: str | None = None,
    ) -> Goal:
        """The unfinished goal has this text and these criteria; what is None stays. Usage is kept.

        Raises:
            GoalNotFound, StaleUpdate, NotAllowed, KeyConflict, InvalidInput: nothing changed.
        """
        call = self._context.call(actor, key, expected_revision)
        return await self._driver.run(
            lambda tx: definition.edit(tx, call, goal_id, text=text, criteria=criteria, max_chars=max_chars),
            Mode.ATOMIC,
            call.key,
        )

    async def set_budget(
        self,
        goal_id: str,
        budget: Budget,
        *,
        expected_revision: int | None = None,
        actor: Actor = Actor.USER,
        key: str | None = None,
    ) -> Goal:
        """The unfinished goal has exactly this budget; an active one that has used it up is paused.

        Raises:
            GoalNotFound, StaleUpdate, NotAllowed, KeyConflict, InvalidInput: nothing changed.
        """
        call = self._context.call(actor, key, expected_revision)
        return await self._driver.run(
            lambda tx: definition.set_budget(tx, call, goal_id, budget=budget), Mode.ATOMIC, call.key
        )

    async def record_turn(
        self,
        goal_id: str,
        *,
        tokens: int | None = None,
        usage: TurnUsage | None = None,
        actor: Actor = Actor.HOST,
        key: str | None = None,
    ) -> TurnResult:
        """The turn is counted exactly once, whatever the goal's status; a reached budget pauses the goal.

        Give `tokens`, or a whole `usage`. The same key with the same usage gives the same turn and counts
        nothing; the goal's revision does not rise unless its budget is reached.

        Raises:
            TurnConflict: the key was recorded with other usage.
            GoalNotFound, InvalidNumber, InvalidInput, NotAllowed: nothing changed.
        """
        turn = self._context.turn_usage(tokens, usage)
        call = self._context.call(actor, key)
        return await self._driver.run(
            lambda tx: ledger.record_turn(tx, call, goal_id, usage=turn), Mode.SINGLE, call.key
        )

    async def events(self, goal_id: str, *, after: int = 0, limit: int = 1000) -> Sequence[Event]:
        """The goal's events numbered above `after`, in order, at most `limit` (1 to 1,000). Raises as `get`."""
        return await self._driver.run(lambda tx: ledger.events(tx, goal_id, after=after, limit=limit), Mode.READ, None)

    async def turns(self, goal_id: str, *, after: int = 0, limit: int = 1000) -> Sequence[Turn]:
        """The goal's turns numbered above `after`, in order, at most `limit` (1 to 1,000). Raises as `get`."""
        return await self._driver.run(lambda tx: ledger.turns(tx, goal_id, after=after, limit=limit), Mode.READ, None)

    async def close(self) -> None:
        """The database is let go; calls already made are finished first. Idempotent."""
        await self._driver.close()
