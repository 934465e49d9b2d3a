"""Verdicts and approvals: what they are bound to, and what they do to a goal."""

from typing import Any

import pytest

from telic import (
    Actor,
    Budget,
    Criterion,
    EventKind,
    GoalNotFound,
    GoalStatus,
    InvalidInput,
    InvalidTransition,
    LeaseLost,
    NotAllowed,
    Reason,
    StaleUpdate,
)
from telic.domain.goal import (
    approval_signal,
)
from telic.domain.history import replay
from telic.domain.verdict import CheckError, Outcome, Verdict
from telic.domain.verification import Verification
from telic.errors import KeyConflict
from telic.testing.contract import SHORT_SECONDS, expire, refuses

TESTS = Criterion.command(["make", "test"])
LOOKS = Criterion.approval("Does it look right?")
SOUNDS = Criterion.approval("Does it sound right?")


def verdicts_on(goal: Any, *outcomes: Outcome, revision: int | None = None) -> Verification:
    """Return these outcomes for the goal's first criteria, in order."""
    at = goal.revision if revision is None else revision
    return Verification(
        revision=at,
        criterion_hashes=tuple(criterion.content_hash for criterion in goal.criteria),
        verdicts=tuple(
            Verdict(
                index=index,
                criterion_hash=goal.criteria[index].content_hash,
                revision=at,
                outcome=outcome,
                error=CheckError.TIMED_OUT if outcome is Outcome.ERROR else None,
                output_tail="☃ <tag>",
            )
            for index, outcome in enumerate(outcomes)
        ),
    )


async def test_all_criteria_must_pass_at_one_revision(store: Any) -> None:
    """One that failed, could not be checked, is pending or was not reached leaves the goal as it was."""
    goal = await store.create("verify", criteria=[TESTS, LOOKS])
    for outcomes in ((Outcome.PASSED,), (), *((Outcome.PASSED, each) for each in set(Outcome) - {Outcome.PASSED})):
        checked = await store.verify(goal.id, verdicts_on(goal, *outcomes))
        assert (checked.status, checked.revision) == (GoalStatus.ACTIVE, goal.revision)
        assert await store.verification(goal.id) == verdicts_on(goal, *outcomes)
    done = await store.verify(goal.id, verdicts_on(goal, Outcome.PASSED, Outcome.PASSED))
    assert (done.status, done.reason, done.revision) == (GoalStatus.COMPLETED, Reason.VERIFIED, goal.revision + 1)
    last = (await store.events(goal.id))[-1]
    assert (last.kind, last.actor) == (EventKind.COMPLETED, Actor.VERIFIER)


async def test_verdicts_of_another_revision_are_stale(store: Any) -> None:
    """Editing, and any other change, voids the verdicts that came before, and those that come too late."""
    goal = await store.create("verify", criteria=[TESTS])
    late = verdicts_on(goal, Outcome.PASSED)
    await store.verify(goal.id, verdicts_on(goal, Outcome.FAILED))
    edited = await store.edit(goal.id, criteria=[TESTS, LOOKS])
    assert await store.verification(goal.id) is None
    with pytest.raises(StaleUpdate) as refused:
        await store.verify(goal.id, late)
    assert refused.value.goal == edited
    for foreign in (
        verdicts_on(goal, Outcome.PASSED, revision=edited.revision),
        Verification(revision=edited.revision, criterion_hashes=(), verdicts=()),
    ):
        await refuses(InvalidInput, store.verify(goal.id, foreign))
    await refuses(InvalidInput, store.verify(goal.id, late, expected_revision=edited.revision))
    assert await store.get(goal.id) == edited


async def test_of_two_verifiers_the_first_completes(store: Any) -> None:
    """The second finds the goal changed; who repeats a call by its key finds it done."""
    goal = await store.create("verify", criteria=[TESTS])
    found = verdicts_on(goal, Outcome.PASSED)
    done = await store.verify(goal.id, found, key="one")
    await refuses(StaleUpdate, store.verify(goal.id, found, key="two"))
    assert await store.verify(goal.id, found, key="one") == done
    assert [event.kind for event in await store.events(goal.id)][1:] == [EventKind.CHECKED, EventKind.COMPLETED]


async def test_the_key_of_verdicts_belongs_to_them(store: Any) -> None:
    """Other verdicts, or another call, under the same key are refused."""
    goal = await store.create("verify", criteria=[TESTS])
    await store.verify(goal.id, verdicts_on(goal, Outcome.FAILED), key="k")
    await refuses(KeyConflict, store.verify(goal.id, verdicts_on(goal, Outcome.PASSED), key="k"))
    await store.pause(goal.id, key="p")
    paused = await store.get(goal.id)
    await refuses(KeyConflict, store.verify(goal.id, verdicts_on(paused, Outcome.PASSED), key="p"))
    await refuses(GoalNotFound, store.verify("0" * 36, verdicts_on(goal, Outcome.PASSED)))


@pytest.mark.parametrize("reason", sorted({Reason.USER, Reason.BLOCKED, Reason.STALLED, Reason.FAILED, Reason.WAITING}))
async def test_a_stopped_goal_stays_stopped(store: Any, reason: Reason) -> None:
    """Passing verdicts are kept, but do not complete a goal that somebody has stopped."""
    goal = await store.create("verify", criteria=[TESTS])
    paused = await store.pause(goal.id, reason=reason)
    checked = await store.verify(goal.id, verdicts_on(paused, Outcome.PASSED))
    assert (checked.status, checked.reason, checked.revision) == (GoalStatus.PAUSED, reason, paused.revision)
    assert (await store.verification(goal.id)).is_verified


async def test_a_superseded_goal_stays_paused(store: Any) -> None:
    """Passing verdicts do not complete it: a user gave the scope to another goal."""
    goal = await store.create("verify", criteria=[TESTS])
    active = await store.create("another")
    checked = await store.verify(goal.id, verdicts_on(await store.get(goal.id), Outcome.PASSED))
    assert (checked.status, checked.reason) == (GoalStatus.PAUSED, Reason.SUPERSEDED)
    assert await store.active() == active


async def test_a_goal_that_its_budget_has_paused_is_completed(store: Any) -> None:
    """The turn that used up the budget may have reached the goal; another goal that is active meanwhile stays so."""
    goal = await store.create("verify", criteria=[TESTS], token_budget=10)
    spent = (await store.record_turn(goal.id, tokens=10)).goal
    assert spent.reason is Reason.BUDGET
    active = await store.create("another")
    done = await store.verify(goal.id, verdicts_on(spent, Outcome.PASSED))
    assert (done.status, done.reason, done.revision) == (GoalStatus.COMPLETED, Reason.VERIFIED, spent.revision + 2)
    kinds = [event.kind for event in await store.events(goal.id)]
    assert kinds[-3:] == [EventKind.CHECKED, EventKind.RESUMED, EventKind.COMPLETED]
    assert await store.active() == active


async def test_a_finished_goal_is_not_checked(store: Any) -> None:
    """Neither verdicts nor answers are added to its history."""
    goal = await store.create("verify", criteria=[LOOKS])
    done = await store.complete(goal.id)
    await refuses(NotAllowed, store.verify(goal.id, verdicts_on(done, Outcome.PASSED)))
    await refuses(NotAllowed, store.approve(goal.id, 0, decided_by="Ada"))
    assert await store.get(goal.id) == done


@pytest.mark.parametrize("actor", sorted(set(Actor) - {Actor.VERIFIER}))
async def test_only_the_verifier_says_that_criteria_passed(store: Any, actor: Actor) -> None:
    """Verdicts of any other actor are refused, and the goal stays as it was."""
    goal = await store.create("verify", criteria=[TESTS])
    await refuses(NotAllowed, store.verify(goal.id, verdicts_on(goal, Outcome.PASSED), actor=actor))
    assert await store.get(goal.id) == goal


@pytest.mark.parametrize("actor", sorted({Actor.VERIFIER, Actor.MODEL, Actor.HOST, Actor.SYSTEM}))
async def test_a_goal_with_criteria_is_completed_by_verdicts_or_people(store: Any, actor: Actor) -> None:
    """A verifier too must show its verdicts."""
    goal = await store.create("verify", criteria=[TESTS])
    await refuses(NotAllowed, store.complete(goal.id, actor=actor, expected_revision=goal.revision))
    assert await store.get(goal.id) == goal


@pytest.mark.parametrize("actor", sorted({Actor.MODEL, Actor.HOST, Actor.VERIFIER, Actor.SYSTEM}))
async def test_only_people_approve(store: Any, actor: Actor) -> None:
    """Neither a model nor a host stands in for a human."""
    goal = await store.create("approve", criteria=[LOOKS])
    await refuses(NotAllowed, store.approve(goal.id, 0, decided_by="Ada", actor=actor, expected_revision=goal.revision))
    assert await store.approvals(goal.id) == []


async def test_the_last_answer_counts(store: Any) -> None:
    """One for each approval criterion; others than those are refused."""
    goal = await store.create("approve", criteria=[TESTS, LOOKS, SOUNDS])
    for place in (0, 3):
        await refuses(InvalidInput, store.approve(goal.id, place, decided_by="Ada"))
    await store.approve(goal.id, 1, decided_by="Ada", is_approved=False, note="crooked", key="a")
    await store.approve(goal.id, 1, decided_by="Ada", is_approved=False, note="crooked", key="a")
    await store.approve(goal.id, 2, decided_by="Bob")
    last = await store.approve(goal.id, 1, decided_by="Ada", actor=Actor.OPERATOR)
    assert last.revision == goal.revision
    found = {answer.criterion_hash: answer for answer in await store.approvals(goal.id)}
    assert found.keys() == {LOOKS.content_hash, SOUNDS.content_hash}
    assert (found[LOOKS.content_hash].is_approved, found[LOOKS.content_hash].note) == (True, "")
    kinds = [event.kind for event in await store.events(goal.id)][1:]
    assert kinds == [EventKind.REJECTED, EventKind.APPROVED, EventKind.APPROVED]
    await refuses(KeyConflict, store.approve(goal.id, 1, decided_by="Ada", key="a"))
    await refuses(StaleUpdate, store.approve(goal.id, 1, decided_by="Ada", expected_revision=goal.revision + 1))


async def test_answers_last_until_the_goal_is_edited(store: Any) -> None:
    """A pause changes nothing of what was approved; an edit does."""
    goal = await store.create("approve", criteria=[LOOKS])
    await store.approve(goal.id, 0, decided_by="Ada")
    await store.pause(goal.id)
    await store.resume(goal.id)
    await store.set_budget(goal.id, Budget(tokens=5))
    assert [answer.decided_by for answer in await store.approvals(goal.id)] == ["Ada"]
    await store.edit(goal.id, text="something else")
    assert await store.approvals(goal.id) == []


async def test_a_rejection_counts_once(store: Any) -> None:
    """A verification makes a verdict of it, and the person is asked again afterwards; an approval stays."""
    goal = await store.create("approve", criteria=[TESTS, LOOKS, SOUNDS])
    await store.approve(goal.id, 1, decided_by="Ada", is_approved=False)
    await store.approve(goal.id, 2, decided_by="Bob")
    await store.verify(goal.id, verdicts_on(goal, Outcome.FAILED))
    assert len(await store.approvals(goal.id)) == 2, "a check failed first, so the rejection was not used yet"
    await store.verify(goal.id, verdicts_on(goal, Outcome.PASSED, Outcome.FAILED, Outcome.PASSED))
    assert [answer.decided_by for answer in await store.approvals(goal.id)] == ["Bob"]
    await store.approve(goal.id, 1, decided_by="Ada", is_approved=False)
    assert len(await store.approvals(goal.id)) == 2


async def test_an_answer_wakes_the_goal_that_waits_for_it(store: Any) -> None:
    """The answer and the waking are one transaction; a goal that waits for another signal stays asleep."""
    goal = await store.create("approve", criteria=[LOOKS])
    await store.pause(goal.id, wake_signal=approval_signal(goal.id))
    other = await store.create("approve", scope="other", criteria=[LOOKS])
    await store.pause(other.id, wake_signal="deployed")
    awake = await store.approve(goal.id, 0, decided_by="Ada", key="k")
    assert (awake.status, awake.is_waiting) == (GoalStatus.ACTIVE, False)
    assert await store.approve(goal.id, 0, decided_by="Ada", key="k") == awake
    assert (await store.approve(other.id, 0, decided_by="Ada")).is_waiting
    assert len(await store.approvals(goal.id)) == len(await store.approvals(other.id)) == 1


async def test_verdicts_under_a_lost_lease_are_not_written(store: Any) -> None:
    """A worker that was taken for dead completes nothing."""
    goal = await store.create("verify", criteria=[TESTS])
    old = await store.claim(goal.id, worker="old", ttl_seconds=SHORT_SECONDS)
    await expire()
    new = await store.claim(goal.id, worker="new")
    await refuses(LeaseLost, store.verify(goal.id, verdicts_on(goal, Outcome.PASSED), lease=old))
    assert (await store.verify(goal.id, verdicts_on(goal, Outcome.PASSED), lease=new)).is_finished


async def test_remarks_are_part_of_the_history(store: Any) -> None:
    """They are chained, replayed, and raise no revision."""
    goal = await store.create("verify", criteria=[TESTS, LOOKS])
    await store.approve(goal.id, 1, decided_by="Ada", note="☃ \u202e")
    await store.verify(goal.id, verdicts_on(goal, Outcome.FAILED))
    await store.approve(goal.id, 1, decided_by="Ada", is_approved=False)
    done = await store.verify(goal.id, verdicts_on(goal, Outcome.PASSED, Outcome.PASSED))
    history = replay(goal.id, await store.events(goal.id), await store.turns(goal.id))
    assert history.goal == done == await store.get(goal.id)
    assert [event.revision for event in history.events] == [1, 1, 1, 1, 1, 2]
    await refuses(InvalidTransition, store.resume(goal.id))
