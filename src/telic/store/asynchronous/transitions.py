"""Transitions of a goal, its waking, the verdicts on its criteria, and people's approvals."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from telic.domain.budget import Budget
from telic.domain.clock import Instant
from telic.domain.goal import Actor, Goal, GoalStatus, Reason, Wake
from telic.domain.lease import Lease
from telic.domain.lifecycle import NamedActor, check_status
from telic.domain.verdict import Approval
from telic.domain.verification import Verification
from telic.storage.operations import leases, transitions, verdicts
from telic.storage.transaction import Mode
from telic.store.asynchronous.base import StoreBase


class TransitionMethods(StoreBase):
    """Transitions of a goal, its waking, the verdicts on its criteria, and people's approvals."""

    async def transition(
        self,
        goal_id: str,
        to: GoalStatus | str,
        *,
        expected_revision: int | None = None,
        reason: Reason | str | None = None,
        note: str | None = None,
        wake_at: Instant | datetime | None = None,
        wake_signal: str | None = None,
        lease: Lease | None = None,
        actor: Actor | NamedActor | str = Actor.USER,
        key: str | None = None,
    ) -> Goal:
        """The goal has the status `to`, by one move of the state machine.

        A completion's reason follows from the actor and the criteria, so `reason` is not used for it. A goal
        paused as waiting or for a provider's limit may wake by itself, at `wake_at` (an aware datetime, or
        microseconds since the epoch) or on the signal `wake_signal`; pausing such a goal once more replaces what it
        waits for. With `lease`, the lease is checked in the same statement.

        Raises:
            GoalNotFound, InvalidTransition, NotAllowed, KeyConflict, InvalidInput: nothing changed.
            StaleUpdate: the goal is no longer at `expected_revision`; the error carries it.
            BudgetExceeded: a goal that has used up its budget cannot become active.
            LeaseLost: the lease expired, was released, or is another worker's.
        """
        call = self._context.call(actor, key, expected_revision, lease)
        wake = Wake.of(wake_at, wake_signal)
        move = partial(transitions.transition, to=check_status(to), reason=reason, note=note, wake=wake)
        return await self.run("transition", lambda tx: move(tx, call, goal_id), Mode.SINGLE, call.key)

    async def pause(
        self,
        goal_id: str,
        *,
        expected_revision: int | None = None,
        reason: Reason | str | None = None,
        note: str | None = None,
        wake_at: Instant | datetime | None = None,
        wake_signal: str | None = None,
        lease: Lease | None = None,
        actor: Actor | NamedActor | str = Actor.USER,
        key: str | None = None,
    ) -> Goal:
        """The active goal is paused for this reason: `waiting` where it is to wake, else `user`.

        For `wake_at` and `wake_signal` see `transition`.

        Raises:
            GoalNotFound, InvalidTransition, NotAllowed, KeyConflict, InvalidInput: nothing changed.
            StaleUpdate: the goal is no longer at `expected_revision`; the error carries it.
            LeaseLost: the lease expired, was released, or is another worker's.
        """
        call = self._context.call(actor, key, expected_revision, lease)
        wake = Wake.of(wake_at, wake_signal)
        why = reason or (Reason.USER if wake is None else Reason.WAITING)
        pause = partial(transitions.transition, to=GoalStatus.PAUSED, reason=why, note=note, wake=wake)
        return await self.run("transition", lambda tx: pause(tx, call, goal_id), Mode.SINGLE, call.key)

    async def resume(
        self,
        goal_id: str,
        *,
        budget: Budget | None = None,
        expected_revision: int | None = None,
        note: str | None = None,
        replace: bool | str = True,
        actor: Actor | NamedActor | str = Actor.USER,
        key: str | None = None,
    ) -> Goal:
        """The paused goal is active; the scope's former active goal is paused as superseded, atomically.

        With `budget`, the goal's budget is first set to exactly that. With `replace` off no goal is paused for it; an
        id as `replace` lets that goal alone be paused.

        Raises:
            WouldReplace: another goal is active, which `replace` does not let be paused.
            BudgetExceeded: the budget is used up, also the given one.
            GoalNotFound, InvalidTransition, NotAllowed, KeyConflict, InvalidInput: nothing changed.
            StaleUpdate: the goal is no longer at `expected_revision`; the error carries it.
        """
        call = self._context.call(actor, key, expected_revision, replace=replace)
        if budget is None:
            resume = partial(transitions.transition, to=GoalStatus.ACTIVE, reason=None, note=note)
            return await self.run("resume", lambda tx: resume(tx, call, goal_id), Mode.SINGLE, call.key)
        both = partial(transitions.resume_with_budget, budget=budget, note=note)
        return await self.run("resume", lambda tx: both(tx, call, goal_id), Mode.ATOMIC, call.key)

    async def complete(
        self,
        goal_id: str,
        *,
        expected_revision: int | None = None,
        note: str | None = None,
        lease: Lease | None = None,
        actor: Actor | NamedActor | str = Actor.USER,
        key: str | None = None,
    ) -> Goal:
        """The goal is completed; a paused one is resumed and completed in one step.

        Its reason is `asserted` without criteria; with criteria it is `verified` by the verifier and
        `accepted` by a user or operator, and others may not complete it.

        Raises:
            GoalNotFound, InvalidTransition, NotAllowed, KeyConflict, InvalidInput: nothing changed.
            StaleUpdate: the goal is no longer at `expected_revision`; the error carries it.
            LeaseLost: the lease expired, was released, or is another worker's.
        """
        call = self._context.call(actor, key, expected_revision, lease)
        complete = partial(transitions.complete, call=call, goal_id=goal_id, note=note)
        return await self.run("complete", complete, Mode.ATOMIC, call.key)

    async def clear(
        self,
        goal_id: str,
        *,
        expected_revision: int | None = None,
        reason: Reason | str = Reason.DISMISSED,
        note: str | None = None,
        lease: Lease | None = None,
        actor: Actor | NamedActor | str = Actor.USER,
        key: str | None = None,
    ) -> Goal:
        """The unfinished goal is cleared, for good.

        Raises:
            GoalNotFound, InvalidTransition, NotAllowed, KeyConflict, InvalidInput: nothing changed.
            StaleUpdate: the goal is no longer at `expected_revision`; the error carries it.
            LeaseLost: the lease expired, was released, or is another worker's.
        """
        call = self._context.call(actor, key, expected_revision, lease)
        clear = partial(transitions.transition, to=GoalStatus.CLEARED, reason=reason, note=note)
        return await self.run("transition", lambda tx: clear(tx, call, goal_id), Mode.SINGLE, call.key)

    async def wake(
        self,
        goal_id: str,
        *,
        expected_revision: int | None = None,
        replace: bool | str = False,
        actor: Actor | NamedActor | str = Actor.USER,
        key: str | None = None,
    ) -> Goal:
        """The waiting goal is active, without waiting any longer.

        With `replace` the scope's active goal, if another, is paused for it; an id lets that goal alone be paused.
        Where the budget is used up, the goal is kept asleep instead, with that reason and an event that says so; it
        then waits no more.

        Raises:
            GoalNotActive: the goal waits for nothing.
            WouldReplace: another goal is active, which `replace` does not let be paused.
            GoalNotFound, StaleUpdate, NotAllowed, KeyConflict: nothing changed.
        """
        call = self._context.call(actor, key, expected_revision, replace=replace)
        return await self.run("wake", lambda tx: leases.wake(tx, call, goal_id), Mode.ATOMIC, call.key)

    async def signal(
        self, name: str, *, actor: Actor | NamedActor | str = Actor.USER, key: str | None = None
    ) -> list[Goal]:
        """Every goal that waits for the signal of this name was woken; here they are.

        Where another goal is active in the scope, or the budget is used up, one is kept asleep instead, with that
        reason and an event that says so; it then waits no more.
        At most 1,000 at a time. Only goals that wait now are woken: a signal is not kept for those that come later.

        Raises:
            NotAllowed, InvalidInput: nothing changed.
        """
        call = self._context.call(actor, key)
        return await self.run("signal", lambda tx: leases.signal(tx, call, name), Mode.ATOMIC, call.key)

    async def verify(
        self,
        goal_id: str,
        verification: Verification,
        *,
        expected_revision: int | None = None,
        lease: Lease | None = None,
        actor: Actor | str = Actor.VERIFIER,
        key: str | None = None,
    ) -> Goal:
        """The verdicts are in the goal's history; where all criteria passed, it is completed as verified, atomically.

        `expected_revision` is that of the verdicts where none is given. A goal that its budget has paused is
        completed too; one that was paused for another reason stays so. The revision rises only by completion.

        Raises:
            StaleUpdate: the goal is no longer at the revision that was checked.
            InvalidInput: the verdicts are about other criteria than the goal's.
            NotAllowed: the goal is finished, or the actor is no verifier.
            GoalNotFound, LeaseLost, KeyConflict: nothing changed.
        """
        revision = verification.revision if expected_revision is None else expected_revision
        call = self._context.call(actor, key, revision, lease)
        verify = partial(verdicts.verify, call=call, goal_id=goal_id, verification=verification)
        return await self.run("verify", verify, Mode.ATOMIC, call.key)

    async def approve(
        self,
        goal_id: str,
        criterion: int,
        *,
        is_approved: bool = True,
        decided_by: str,
        note: str = "",
        expected_revision: int | None = None,
        actor: Actor | NamedActor | str = Actor.USER,
        key: str | None = None,
    ) -> Goal:
        """The answer to the approval criterion at this place (from 0) is in the history, until the goal is edited.

        Of several answers the last counts, a rejection for one verification. A goal that waited for it is awake.

        Raises:
            InvalidInput: that criterion asks for no approval.
            NotAllowed: the actor is no person, or the goal is finished.
            GoalNotFound, StaleUpdate, KeyConflict: nothing changed.
        """
        call = self._context.call(actor, key, expected_revision)
        given = verdicts.ApprovalAnswer(criterion, is_approved, decided_by, note)
        return await self.run("approve", lambda tx: verdicts.answer(tx, call, goal_id, given), Mode.ATOMIC, call.key)

    async def verification(self, goal_id: str) -> Verification | None:
        """The last verdicts at the goal's present revision; None where it was not checked since it changed.

        Raises:
            GoalNotFound: there is no goal with this id.
        """
        return await self.run("verification", lambda tx: verdicts.verification(tx, goal_id), Mode.READ)

    async def approvals(self, goal_id: str) -> Sequence[Approval]:
        """Return the answers of people that still count, one for each criterion that was answered.

        Raises:
            GoalNotFound: there is no goal with this id.
        """
        return await self.run("approvals", lambda tx: verdicts.approvals(tx, goal_id), Mode.READ)
