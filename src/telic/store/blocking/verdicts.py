# Generated from src/telic/store/asynchronous/verdicts.py: change that, then run `make generate`.

"""Verdicts on a goal's criteria, and the approvals of people."""

from collections.abc import Sequence

from telic.domain.goal import Actor, Goal
from telic.domain.lease import Lease
from telic.domain.verdict import Approval
from telic.domain.verification import Verification
from telic.storage.operations import verdicts
from telic.storage.transaction import Mode
from telic.store.blocking.base import StoreBase


class VerdictCalls(StoreBase):
    """Verdicts on a goal's criteria, and the approvals of people."""

    def verify(
        self,
        goal_id: str,
        verification: Verification,
        *,
        expected_revision: int | None = None,
        lease: Lease | None = None,
        actor: Actor = Actor.VERIFIER,
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
        return self.run("verify", lambda tx: verdicts.verify(tx, call, goal_id, verification), Mode.ATOMIC, call.key)

    def approve(
        self,
        goal_id: str,
        criterion: int,
        *,
        is_approved: bool = True,
        decided_by: str,
        note: str = "",
        expected_revision: int | None = None,
        actor: Actor = Actor.USER,
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
        given = verdicts.Answer(criterion, is_approved, decided_by, note)
        return self.run("approve", lambda tx: verdicts.answer(tx, call, goal_id, given), Mode.ATOMIC, call.key)

    def verification(self, goal_id: str) -> Verification | None:
        """The last verdicts at the goal's present revision; None where it was not checked since it changed.

        Raises as `get`.
        """
        return self.run("verification", lambda tx: verdicts.verification(tx, goal_id), Mode.READ)

    def approvals(self, goal_id: str) -> Sequence[Approval]:
        """The answers of people that still count, one for each criterion that was answered. Raises as `get`."""
        return self.run("approvals", lambda tx: verdicts.approvals(tx, goal_id), Mode.READ)
