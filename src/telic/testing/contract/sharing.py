"""Holds, leases, waits and the feed."""

import asyncio
from typing import Any

import pytest

from telic import (
    Actor,
    BillingPolicy,
    Budget,
    BudgetExceeded,
    EventKind,
    GoalNotActive,
    GoalNotFound,
    GoalStatus,
    HoldLost,
    HoldState,
    InvalidCursor,
    InvalidInput,
    InvalidNumber,
    InvalidTransition,
    KeyConflict,
    LeaseHeld,
    LeaseLost,
    ModelUsage,
    NotAllowed,
    Reason,
    TurnConflict,
    TurnUsage,
    UsageKind,
)
from telic.domain.history import replay

SHORT_SECONDS = 0.05
SECOND = 1_000_000


async def expire() -> None:
    """What was granted for a short time has expired; the clock of leases cannot be set."""
    await asyncio.sleep(SHORT_SECONDS * 1.5)


async def states(store: Any, goal_id: str) -> list[HoldState]:
    """The states of the goal's holds, in the order of their keys."""
    return [hold.state for hold in await store.holds(goal_id)]


async def test_a_hold_reserves_until_its_turn_settles_it(store: Any) -> None:
    """Used, held and asked for together stay within the budget; the turn frees what it did not use."""
    goal = await store.create("hold", token_budget=1_000)
    hold = await store.hold(goal.id, tokens=600, key="h1")
    assert (hold.key, hold.reserved.tokens, hold.state) == ("h1", 600, HoldState.OPEN)
    with pytest.raises(BudgetExceeded) as refused:
        await store.hold(goal.id, tokens=401)
    assert (refused.value.used, refused.value.held, refused.value.asked, refused.value.budget) == (0, 600, 401, 1_000)
    await store.hold(goal.id, tokens=400, key="h2")
    await store.record_turn(goal.id, tokens=100, hold="h1", key="t1")
    (first, second) = await store.holds(goal.id)
    assert (first.state, first.turn_key, second.state) == (HoldState.SETTLED, "t1", HoldState.OPEN)
    await store.hold(goal.id, tokens=500)
    with pytest.raises(BudgetExceeded):
        await store.hold(goal.id, tokens=1)


@pytest.mark.parametrize(
    ("budget", "amounts"),
    [
        (Budget(tokens=10), {"tokens": 6}),
        (Budget(turns=1), {}),
        (Budget(active_microseconds=10), {"active_microseconds": 6}),
        (Budget(cost_microunits=10), {"cost_microunits": 6}),
    ],
)
async def test_every_budget_is_held(store: Any, budget: Budget, amounts: dict[str, int]) -> None:
    """A hold reserves tokens, time and money as asked, and always one turn."""
    goal = await store.create("hold", budget=budget)
    await store.hold(goal.id, **amounts)
    with pytest.raises(BudgetExceeded):
        await store.hold(goal.id, **amounts)


async def test_a_hold_of_the_same_key_is_the_same(store: Any) -> None:
    """A repeated call reserves nothing more; the key with other amounts is refused."""
    goal = await store.create("hold", token_budget=1_000)
    first = await store.hold(goal.id, tokens=600, key="h")
    assert await store.hold(goal.id, tokens=600, key="h") == first
    with pytest.raises(KeyConflict):
        await store.hold(goal.id, tokens=601, key="h")
    assert len(await store.holds(goal.id)) == 1


async def test_a_released_hold_is_free(store: Any) -> None:
    """Releasing gives the budget back, once."""
    goal = await store.create("hold", token_budget=1_000)
    await store.hold(goal.id, tokens=1_000, key="h")
    assert (await store.release(goal.id, "h")).state is HoldState.RELEASED
    await store.hold(goal.id, tokens=1_000)
    with pytest.raises(HoldLost):
        await store.release(goal.id, "h")
    with pytest.raises(HoldLost):
        await store.release(goal.id, "never placed")


async def test_an_expired_hold_frees_itself(store: Any) -> None:
    """Nobody sweeps: it stays on record as expired, which is uncertain usage, and reserves nothing."""
    goal = await store.create("hold", token_budget=1_000)
    await store.hold(goal.id, tokens=1_000, ttl_seconds=SHORT_SECONDS, key="h")
    await expire()
    assert await states(store, goal.id) == [HoldState.EXPIRED]
    await store.hold(goal.id, tokens=1_000, key="i")
    with pytest.raises(HoldLost):
        await store.record_turn(goal.id, tokens=5, hold="h")
    with pytest.raises(HoldLost):
        await store.release(goal.id, "h")
    assert (await store.get(goal.id)).turns_used == 0


async def test_a_hold_is_settled_once(store: Any) -> None:
    """The same turn again is the same turn; another turn for the hold is refused, and counts nothing."""
    goal = await store.create("hold", token_budget=1_000)
    await store.hold(goal.id, tokens=10, key="h")
    first = await store.record_turn(goal.id, tokens=7, hold="h", key="t")
    assert (await store.record_turn(goal.id, tokens=7, hold="h", key="t")).turn == first.turn
    with pytest.raises(HoldLost):
        await store.record_turn(goal.id, tokens=7, hold="h", key="u")
    with pytest.raises(HoldLost):
        await store.record_turn(goal.id, tokens=7, hold="unknown", key="v")
    assert (await store.get(goal.id)).tokens_used == 7


async def test_holds_are_refused_where_no_turn_may_start(store: Any) -> None:
    """Stop wins: a paused or finished goal takes no hold, an unknown one neither; a settled turn still counts."""
    goal = await store.create("hold", token_budget=1_000)
    await store.hold(goal.id, tokens=10, key="h")
    await store.pause(goal.id)
    with pytest.raises(GoalNotActive) as refused:
    assert refused.value.goal == await store.get(goal.id)
    assert refused.value.goal.status is GoalStatus.PAUSED
    assert (await store.record_turn(goal.id, tokens=7, hold="h")).goal.tokens_used == 7
    await store.clear(goal.id)
    with pytest.raises(GoalNotActive):
        await store.hold(goal.id, tokens=10)
    with pytest.raises(GoalNotFound):
        await store.hold("0" * 36, tokens=10)
    with pytest.raises(GoalNotFound):
        await store.holds("0" * 36)


@pytest.mark.parametrize("ttl_seconds", [0, -1, 86_401, True, "60", float("nan"), float("inf"), None])
async def test_a_time_to_live_is_bounded(store: Any, ttl_seconds: Any) -> None:
    """Holds and leases last from a millisecond to a day."""
    goal = await store.create("ttl")
    with pytest.raises(InvalidNumber):
        await store.hold(goal.id, ttl_seconds=ttl_seconds)
    with pytest.raises(InvalidNumber):
        await store.claim(goal.id, holder="worker", ttl_seconds=ttl_seconds)
    with pytest.raises(InvalidNumber):
        await store.claim_due(holder="worker", ttl_seconds=ttl_seconds)
    lease = await store.claim(goal.id, holder="worker")
    with pytest.raises(InvalidNumber):
        await store.renew(lease, ttl_seconds=ttl_seconds)
    assert await store.holds(goal.id) == []


@pytest.mark.parametrize("tokens", [-1, True, 1.5, 2**53, "5"])
async def test_a_held_amount_is_a_count(store: Any, tokens: Any) -> None:
    """Holds take what turns take."""
    goal = await store.create("hold")
    with pytest.raises(InvalidNumber):
        await store.hold(goal.id, tokens=tokens)


async def test_one_worker_drives_a_goal(store: Any) -> None:
    """A claim is refused while another's lease lasts, and says whose; each grant has a higher token."""
    goal = await store.create("lease")
    first = await store.claim(goal.id, holder="one")
    with pytest.raises(LeaseHeld) as refused:
        await store.claim(goal.id, holder="two")
    assert refused.value.holder == "one"
    assert 0 < refused.value.expires_in_microseconds <= 60 * SECOND
    assert (await store.lease(goal.id)).holder == "one"
    await store.release_lease(first)
    assert (await store.lease(goal.id)).holder is None
    second = await store.claim(scope="default", holder="two")
    assert second.token > first.token
    assert second.goal == goal


async def test_an_expired_lease_is_lost(store: Any) -> None:
    """Another may claim; whoever had it writes nothing under it any more."""
    goal = await store.create("lease")
    old = await store.claim(goal.id, holder="old", ttl_seconds=SHORT_SECONDS)
    await expire()
    with pytest.raises(LeaseLost):
        await store.renew(old)
    new = await store.claim(goal.id, holder="new")
    for write in (
        store.renew(old),
        store.release_lease(old),
        store.record_turn(goal.id, tokens=5, lease=old),
        store.hold(goal.id, tokens=5, lease=old),
        store.pause(goal.id, lease=old),
        store.complete(goal.id, lease=old),
        store.clear(goal.id, lease=old),
    ):
        with pytest.raises(LeaseLost):
            await write
    assert await store.get(goal.id) == goal
    assert await store.holds(goal.id) == []
    assert (await store.renew(new)).token == new.token


async def test_a_lease_is_checked_with_each_write(store: Any) -> None:
    """Its holder writes; a turn recorded before the lease was lost is still the same turn."""
    goal = await store.create("lease", token_budget=100)
    lease = await store.claim(goal.id, holder="worker")
    await store.hold(goal.id, tokens=5, lease=lease, key="h")
    recorded = await store.record_turn(goal.id, tokens=5, lease=lease, hold="h", key="t")
    await store.hold(goal.id, tokens=5, lease=lease, key="i")
    await store.release(goal.id, "i", lease=lease)
    await store.release_lease(lease)
    again = await store.record_turn(goal.id, tokens=5, lease=lease, hold="h", key="t")
    assert again.turn == recorded.turn
    with pytest.raises(LeaseLost):
        await store.release(goal.id, "h", lease=lease)
    with pytest.raises(LeaseLost):
        await store.record_turn(goal.id, tokens=5, lease=lease, key="u")


async def test_a_holder_that_claims_again_voids_its_former_lease(store: Any) -> None:
    """A worker that was restarted under its name need not wait for itself."""
    goal = await store.create("lease")
    before = await store.claim(goal.id, holder="worker")
    after = await store.claim(goal.id, holder="worker")
    assert after.token == before.token + 1
    with pytest.raises(LeaseLost):
        await store.renew(before)


async def test_a_heartbeat_tells_that_the_goal_was_stopped(store: Any) -> None:
    """A pause does not take the lease: the worker may still record the turn it was at, but claims no more."""
    goal = await store.create("lease")
    lease = await store.claim(goal.id, holder="worker")
    await store.pause(goal.id)
    assert (await store.renew(lease)).goal.status is GoalStatus.PAUSED
    assert (await store.record_turn(goal.id, tokens=5, lease=lease)).goal.turns_used == 1
    await store.release_lease(lease)
    with pytest.raises(GoalNotActive):
        await store.claim(goal.id, holder="worker")
    with pytest.raises(GoalNotActive):
        await store.claim(scope="default", holder="worker")
    with pytest.raises(GoalNotFound):
        await store.claim("0" * 36, holder="worker")
    with pytest.raises(InvalidInput):
        await store.claim(holder="worker")


async def test_leases_leave_no_trace_in_the_history(store: Any) -> None:
    """Who drives a goal is neither its definition nor its status."""
    goal = await store.create("lease")
    await store.release_lease(await store.claim(goal.id, holder="worker"))
    assert await store.get(goal.id) == goal
    assert len(await store.events(goal.id)) == 1


async def test_due_goals_are_granted_longest_unserved_first(store: Any) -> None:
    """Each goal once; whoever was served last comes last, so none is left out for ever."""
    goals = [await store.create(f"goal {number}", scope=f"scope {number}") for number in range(4)]
    await store.pause(goals[3].id)
    first = await store.claim_due(holder="one", limit=2)
    assert sorted(lease.goal.id for lease in first) == sorted(goal.id for goal in goals[:2])
    second = await store.claim_due(holder="two", limit=9)
    assert [lease.goal.id for lease in second] == [goals[2].id]
    assert await store.claim_due(holder="three") == []
    for lease in [*second, *first]:
        await store.release_lease(lease)
    (third,) = await store.claim_due(holder="three")
    assert third.goal.id == goals[2].id
    (own,) = await store.claim_due(holder="four", scope="scope 0")
    assert own.goal.id == goals[0].id
    assert await store.claim_due(holder="five", scope="scope 3") == []


async def test_a_goal_wakes_at_its_time(store: Any, clock: Any) -> None:
    """Not before; then once, and it is granted in the same call."""
    goal = await store.create("wait")
    until = clock.now() + 60 * SECOND
    asleep = await store.pause(goal.id, wake_at=until, reason=Reason.USAGE_LIMIT)
    assert (asleep.wake_at, asleep.reason, asleep.is_waiting) == (until, Reason.USAGE_LIMIT, True)
    assert await store.claim_due(holder="worker") == []
    clock.advance(60)
    (lease,) = await store.claim_due(holder="worker")
    assert (lease.goal.id, lease.goal.status, lease.goal.is_waiting) == (goal.id, GoalStatus.ACTIVE, False)
    last = (await store.events(goal.id))[-1]
    assert (last.kind, last.actor, last.data["woken_by"]) == (EventKind.RESUMED, Actor.SYSTEM, "time")


async def test_a_signal_wakes_those_that_wait_for_it(store: Any) -> None:
    """All of them, and nobody else."""
    goals = [await store.create(f"goal {number}", scope=f"scope {number}") for number in range(3)]
    await store.pause(goals[0].id, wake_signal="ci/7")
    await store.pause(goals[1].id, wake_signal="ci/7")
    await store.pause(goals[2].id, wake_signal="ci/8")
    woken = await store.signal("ci/7")
    assert sorted(goal.id for goal in woken) == sorted(goal.id for goal in goals[:2])
    assert await store.signal("ci/7") == []
    assert (await store.get(goals[2].id)).wake_signal == "ci/8"


async def test_waking_by_hand_is_repeatable(store: Any) -> None:
    """The same key wakes once; a goal that waits for nothing is not woken."""
    goal = await store.create("wait")
    with pytest.raises(GoalNotActive):
        await store.wake(goal.id)
    await store.pause(goal.id, wake_signal="ci/7")
    woken = await store.wake(goal.id, key="w")
    assert woken.status is GoalStatus.ACTIVE
    await store.pause(goal.id)
    assert (await store.wake(goal.id, key="w")).status is GoalStatus.PAUSED
    with pytest.raises(GoalNotActive):
        await store.wake(goal.id, key="x")
    with pytest.raises(NotAllowed):
        await store.wake(goal.id, actor=Actor.MODEL, expected_revision=4)


async def test_a_goal_stays_asleep_where_its_slot_is_taken(store: Any, clock: Any) -> None:
    """The other goal goes on; an event says why, and the wait is over."""
    sleeper = await store.create("sleeper")
    await store.pause(sleeper.id, wake_at=clock.now() + SECOND)
    other = await store.create("other")
    clock.advance(2)
    (lease,) = await store.claim_due(holder="worker")
    assert lease.goal.id == other.id
    kept = await store.get(sleeper.id)
    assert (kept.status, kept.reason, kept.is_waiting) == (GoalStatus.PAUSED, Reason.SUPERSEDED, False)
    last = (await store.events(sleeper.id))[-1]
    assert (last.kind, last.data["by"]) == (EventKind.KEPT_ASLEEP, other.id)
    assert replay(sleeper.id, await store.events(sleeper.id), []).goal == kept


async def test_a_goal_stays_asleep_without_budget(store: Any) -> None:
    """Turns that came in while it slept have used it up."""
    goal = await store.create("sleeper", token_budget=10)
    await store.pause(goal.id, wake_signal="ci")
    await store.record_turn(goal.id, tokens=10)
    (kept,) = await store.signal("ci")
    assert (kept.status, kept.reason, kept.is_waiting) == (GoalStatus.PAUSED, Reason.BUDGET, False)
    assert replay(goal.id, await store.events(goal.id), await store.turns(goal.id)).goal == kept


async def test_a_waiting_goal_can_be_stopped(store: Any, clock: Any) -> None:
    """Stop wins: paused once more, resumed, edited or cleared, it no longer wakes by itself."""
    for number, change in enumerate(
        (
            lambda goal: store.pause(goal.id),
            lambda goal: store.resume(goal.id),
            lambda goal: store.edit(goal.id, text="other"),
            lambda goal: store.set_budget(goal.id, Budget(tokens=5)),
            lambda goal: store.clear(goal.id),
            lambda goal: store.complete(goal.id),
        )
    ):
        goal = await store.create("sleeper", scope=f"scope {number}")
        await store.pause(goal.id, wake_at=clock.now() + SECOND, wake_signal="ci")
        changed = await change(goal)
        assert not changed.is_waiting
        assert replay(goal.id, await store.events(goal.id), []).goal == changed
    clock.advance(2)
    woken = [lease.goal.scope for lease in await store.claim_due(holder="worker", limit=9)]
    assert woken == ["scope 1"]
    assert await store.signal("ci") == []


async def test_only_a_wait_wakes(store: Any, clock: Any) -> None:
    """A goal that the user paused, or that is not paused, has nothing to wait for."""
    goal = await store.create("sleeper")
    with pytest.raises(InvalidInput):
        await store.pause(goal.id, reason=Reason.USER, wake_at=clock.now())
    with pytest.raises(InvalidInput):
        await store.transition(goal.id, GoalStatus.CLEARED, wake_signal="ci")
    with pytest.raises(InvalidNumber):
        await store.pause(goal.id, wake_at=-1)
    await store.pause(goal.id)
    with pytest.raises(InvalidTransition):
        await store.pause(goal.id)


async def test_the_feed_has_every_event_once(store: Any) -> None:
    """In order, in pages of any size, and continued by a cursor."""
    goals = [await store.create(f"goal {number}", scope=f"scope {number % 2}") for number in range(5)]
    whole = await store.events()
    assert len(whole) == 5 + 3
    seen, cursor = [], None
    while page := await store.events(after=cursor, limit=3):
        seen += list(page)
        cursor = page.cursor
    assert [item.event for item in seen] == [item.event for item in whole]
    assert [item.scope for item in seen if item.event.goal_id == goals[4].id] == ["scope 0"]
    await store.pause(goals[4].id)
    later = await store.events(after=cursor)
    assert [item.event.kind for item in later] == [EventKind.PAUSED]
    assert list(await store.events(after=later.cursor)) == []
    assert len(await store.events(scope="scope 1")) == 2 + 1


async def test_every_event_has_its_own_cursor(store: Any) -> None:
    """A reader that stops in the middle of a page goes on exactly there."""
    for number in range(4):
        await store.create(f"goal {number}", scope=f"scope {number}")
    start = await store.cursor()
    assert list(await store.events(after=start)) == []
    goal = await store.create("one more", scope="more")
    await store.pause(goal.id)
    await store.resume(goal.id)
    page = await store.events(after=start)
    assert [item.event.number for item in page] == [1, 2, 3]
    for index, item in enumerate(page):
        assert list(await store.events(after=item.cursor)) == list(page[index + 1 :])


@pytest.mark.parametrize(
    "cursor", ["", "7", "x/y/z/0", "0" * 32 + "//0:0:/1", "0" * 32 + "/5:4:/5:4:/1", "0" * 32 + "/1:9:3,2/1:9:/1", 7]
)
async def test_a_cursor_is_not_made_up(store: Any, cursor: Any) -> None:
    """What no feed gave is refused."""
    with pytest.raises(InvalidInput):
        await store.events(after=cursor)


async def test_a_cursor_of_another_database_is_refused(store: Any) -> None:
    """Its position would mean something else here."""
    with pytest.raises(InvalidCursor):
        await store.events(after="0" * 32 + "/57:57:/57:57:/3")


@pytest.mark.parametrize(
    ("billing", "tokens"),
    [(BillingPolicy.INPUT_AND_OUTPUT, 130), (BillingPolicy.WITHOUT_CACHED, 50), (BillingPolicy.OUTPUT, 30)],
)
async def test_the_policy_bills_its_part_of_a_models_tokens(store: Any, billing: BillingPolicy, tokens: int) -> None:
    """All components are kept; the budget counts what the goal's policy says."""
    usage = ModelUsage(input_tokens=100, cached_input_tokens=80, output_tokens=30, reasoning_tokens=10)
    goal = await store.create("billing", billing=billing, token_budget=1_000)
    assert goal.billing is billing
    result = await store.record_turn(goal.id, usage=usage, key="t")
    assert (result.goal.tokens_used, result.goal.input_tokens_used) == (tokens, 100)
    assert (await store.record_turn(goal.id, usage=usage, key="t")).turn == result.turn
    assert replay(goal.id, await store.events(goal.id), await store.turns(goal.id)).goal == result.goal


async def test_the_policy_decides_when_the_budget_is_reached(store: Any) -> None:
    """What is not billed does not pause the goal."""
    usage = ModelUsage(input_tokens=100, cached_input_tokens=100, output_tokens=9)
    goal = await store.create("billing", billing=BillingPolicy.WITHOUT_CACHED, token_budget=10)
    assert (await store.record_turn(goal.id, usage=usage)).goal.status is GoalStatus.ACTIVE
    assert (await store.record_turn(goal.id, usage=usage)).goal.status is GoalStatus.PAUSED


async def test_only_work_counts_as_a_turn(store: Any) -> None:
    """A judge's, a tool's and a sub-agent's usage is billed and kept by kind and model, but is no turn."""
    goal = await store.create("kinds", budget=Budget(turns=1))
    for kind in (UsageKind.JUDGE, UsageKind.SUB_AGENT, UsageKind.TOOL):
        result = await store.record_turn(goal.id, tokens=5, kind=kind, model="gpt|3|x", key=kind.value)
    assert (result.goal.status, result.goal.turns_used, result.goal.tokens_used) == (GoalStatus.ACTIVE, 0, 15)
    with pytest.raises(TurnConflict):
        await store.record_turn(goal.id, tokens=5, kind=UsageKind.TOOL, model="other", key="tool")
    result = await store.record_turn(goal.id, usage=TurnUsage(tokens=1))
    assert (result.goal.status, result.goal.turns_used) == (GoalStatus.PAUSED, 1)
    ledger = await store.turns(goal.id)
    assert [(line.number, line.kind, line.model) for line in ledger[:2]] == [
        (1, UsageKind.JUDGE, "gpt|3|x"),
        (2, UsageKind.SUB_AGENT, "gpt|3|x"),
    ]
    assert replay(goal.id, await store.events(goal.id), ledger).goal == result.goal


async def test_the_secret_is_the_stores_own(store: Any) -> None:
    """Thirty-two random bytes that stay the same."""
    secret = await store.secret()
    assert len(secret) == 32
    assert await store.secret() == secret
