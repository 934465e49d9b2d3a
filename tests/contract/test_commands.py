"""What `/goal` does in a chat, through both fronts, on the four stores."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

import telic
from telic import Actor, Budget, GoalStatus, Reason
from telic.services.chat.commands import execute, execute_async
from telic.services.chat.replies import ChatReply, ReplyKind
from telic.services.chat.reply_text import render
from telic.store.connect import SyncToAsyncStore
from telic.testing import FakeClock
from tests.conftest import new_location
from tests.support.raw import drop_checks
from tests.support.raw import execute as tamper
from tests.support.visible import dangerous

Say = Callable[..., Awaitable[ChatReply]]
HOSTILE = "\x1b[2Jgone\u202e \x07 \u2028\r over\nstatus  active"


@pytest.fixture
def say(store: Any, clock: FakeClock) -> Say:
    """Types a line: on a blocking store through `execute`, on an async one through `execute_async`."""
    return sayer(store, clock)


def sayer(store: Any, clock: FakeClock) -> Say:
    async def typed(line: str, **more: Any) -> ChatReply:
        if isinstance(store, SyncToAsyncStore):
            reply = execute(store._store, line, clock=clock, **more)
        else:
            reply = await execute_async(store, line, clock=clock, **more)
        shown = render(reply)
        assert shown
        assert dangerous(shown) == []
        return reply

    return typed


async def created(say: Say, line: str, **more: Any) -> telic.Goal:
    reply = await say(line, **more)
    assert (reply.kind, reply.is_done) == (ReplyKind.CREATED, True), render(reply)
    assert reply.goal is not None
    return reply.goal


async def test_a_goals_life_in_a_chat(store: Any, say: Say) -> None:
    """Each command does what it says, and says what it did, at which revision."""
    goal = await created(say, '/goal Move billing --budget 2M --turns 40 --check "pytest -q" --judge "Is it clear?"')
    assert goal == await store.active()
    assert goal.budget == Budget(tokens=2_000_000, turns=40)
    assert [criterion.as_dict() for criterion in goal.criteria] == [
        {"kind": "command", "argv": ["pytest", "-q"]},
        {"kind": "judge", "question": "Is it clear?"},
    ]
    paused = await say('/goal pause --note "for tea"')
    assert (paused.kind, paused.goal) == (ReplyKind.PAUSED, await store.get(goal.id))
    assert {change.name: (change.before, change.after) for change in paused.changes} == {
        "status": ("active", "paused"),
        "reason": (None, "user"),
        "note": (None, "for tea"),
    }
    resumed = await say("/goal resume --budget $5")
    assert resumed.kind is ReplyKind.RESUMED
    assert resumed.goal is not None
    assert resumed.goal.budget == Budget(tokens=2_000_000, turns=40, cost_microunits=5_000_000)
    edited = await say("/goal edit -- Move all\nbilling")
    assert [(change.name, change.before, change.after) for change in edited.changes] == [
        ("text", "Move billing", "Move all\nbilling")
    ]
    limited = await say("/goal budget none")
    assert [(change.name, change.before, change.after) for change in limited.changes] == [
        ("budget", "2M 40turns $5", None)
    ]
    done = await say('/goal complete --note "shipped"')
    assert done.goal is not None
    assert (done.kind, done.goal.reason, done.goal.note) == (ReplyKind.COMPLETED, Reason.ACCEPTED, "shipped")
    assert done.goal.revision == 7
    kinds = [event.kind for event in (await say(f"/goal history {goal.id[:23]}")).events]
    assert kinds == ["created", "paused", "budget_set", "resumed", "edited", "budget_set", "completed"]


async def test_status_shows_everything(store: Any, say: Say, clock: FakeClock) -> None:
    """Text, status and reason, budgets as bars, criteria, age, and what fits next."""
    goal = await created(say, '/goal Move\nbilling --budget 2k --budget $5 --check "pytest -q" --approve "Ship?"')
    await store.record_turn(goal.id, usage=telic.TurnUsage(tokens=500, cost_microunits=1_250_000))
    clock.advance(7_300)
    shown = render(await say("/goal"))
    assert shown.splitlines() == [
        f"Goal {goal.id[-12:]}",
        "  │ Move",
        "  │ billing",
        "  status       active, revision 1",
        "  tokens       [##........] 500 of 2,000 (25%)",
        "  turns        1",
        "  cost         [##........] $1.25 of $5.00 (25%)",
        "  scope        default",
        "  lease        nobody drives it",
        "  criterion    1. not checked command: pytest -q",
        "  criterion    2. pending approval: Ship?",
        "  age          2h",
        "→ to stop it for now: /goal pause",
        "→ to say that it is reached: /goal complete",
    ]
    assert (await say(f"/goal status {goal.id[:8]}")).goal == await store.get(goal.id)


async def test_an_active_goal_is_never_replaced_silently(store: Any, say: Say) -> None:
    """The reply names the goal in the way, changes nothing, and its first step does what was asked."""
    first = await created(say, "/goal first")
    asked = await say("/goal second --budget 2k --auto")
    assert (asked.kind, asked.goal, asked.is_done, asked.starts_work) == (ReplyKind.CONFIRM, first, False, False)
    assert first.id[-12:] in render(asked)
    assert await store.active() == first
    assert len((await store.list()).goals) == 1
    confirmed = await say(asked.steps[0].command)
    assert (confirmed.kind, confirmed.starts_work) == (ReplyKind.CREATED, True)
    assert confirmed.superseded == await store.get(first.id)
    assert confirmed.superseded.reason is Reason.SUPERSEDED
    assert confirmed.goal is not None
    assert (confirmed.goal.text, confirmed.goal.token_budget) == ("second", 2000)
    assert first.id in render(confirmed)


async def test_a_confirmation_is_for_one_goal(store: Any, say: Say) -> None:
    """If another goal is active by then, it is asked again; a bare --replace means whichever is active."""
    await created(say, "/goal first")
    asked = await say("/goal third")
    second = await created(say, "/goal second --replace")
    again = await say(asked.steps[0].command)
    assert (again.kind, again.goal) == (ReplyKind.CONFIRM, second)
    assert (await say(again.steps[0].command)).kind is ReplyKind.CREATED


async def test_resuming_over_another_goal_is_confirmed_too(store: Any, say: Say) -> None:
    """A goal that is paused only because another goes on is paused knowingly."""
    first = await created(say, "/goal first")
    second = await created(say, "/goal second --replace")
    asked = await say(f"/goal resume {first.id} --auto")
    assert (asked.kind, asked.goal) == (ReplyKind.CONFIRM, second)
    assert await store.active() == second
    resumed = await say(asked.steps[0].command)
    assert resumed.goal is not None
    assert (resumed.kind, resumed.goal.id, resumed.starts_work) == (ReplyKind.RESUMED, first.id, True)
    assert resumed.superseded is not None
    assert resumed.superseded.id == second.id
    await say("/goal clear")
    assert (await say("/goal third")).superseded is None


async def test_nothing_but_auto_starts_work(store: Any, say: Say) -> None:
    """Creating, opening, listing and resuming leave the starting to the user."""
    quiet = ["/goal x", "/goal", "/goal list", "/goal history", "/goal resume", "/goal pause", "/goal resume"]
    assert [(await say(line)).starts_work for line in quiet] == [False] * len(quiet)
    assert (await say("/goal resume --auto")).starts_work is True
    assert (await say("/goal resume --auto")).kind is ReplyKind.STATUS
    goal = await store.active()
    assert goal.revision == 3
    await say("/goal clear")
    assert (await say("/goal y --auto")).starts_work is True


async def test_what_reads_as_a_command_is_no_goal(store: Any, say: Say) -> None:
    """A slip and an ambiguous line do nothing at all; each step that is offered does what it says."""
    goal = await created(say, "/goal first")
    for line in ("/goal puase", "/goal clear the cache", "/goal edit the readme", "/goal x --bugdet 2M", "/goal new"):
        reply = await say(line)
        assert reply.kind is ReplyKind.REFUSED
        assert reply.problem is not None
        assert reply.problem.code == "invalid_command"
    assert (await store.list()).goals == (goal,)
    await say("/goal complete")
    refused = await say("/goal clear the cache")
    assert (await say(refused.steps[1].command)).goal.text == "clear the cache"
    refused = await say("/goal edit the readme")
    assert (await say(refused.steps[0].command)).goal.text == "the readme"


async def test_a_budget_that_is_used_up_is_raised_by_the_step_it_offers(store: Any, say: Say) -> None:
    """Resuming is refused; the step keeps --auto and the other limits."""
    goal = await created(say, "/goal x --budget 1k --budget $1")
    await store.record_turn(goal.id, tokens=1500)
    status = await say("/goal")
    assert status.goal is not None
    assert (status.goal.status, status.goal.reason) == (GoalStatus.PAUSED, Reason.BUDGET)
    assert (await say(status.steps[0].command)).kind is ReplyKind.RESUMED
    await say("/goal budget 1k")
    refused = await say("/goal resume --auto --budget $2")
    assert refused.problem is not None
    assert refused.problem.code == "budget_exceeded"
    resumed = await say(refused.steps[0].command)
    assert resumed.goal is not None
    assert (resumed.kind, resumed.starts_work) == (ReplyKind.RESUMED, True)
    assert resumed.goal.budget == Budget(tokens=3000, cost_microunits=2_000_000)


async def test_without_an_active_goal_nothing_is_guessed(store: Any, say: Say) -> None:
    """What ends or redefines a goal never picks a paused one by itself; what does neither may, if there is one only."""
    assert (await say("/goal")).kind is ReplyKind.NO_GOAL
    goal = await created(say, "/goal first")
    await say("/goal pause")
    for line in ("/goal clear", "/goal complete", "/goal edit -- y", "/goal pause"):
        reply = await say(line)
        assert (reply.kind, reply.goals) == (ReplyKind.NO_GOAL, (await store.get(goal.id),))
    assert (await say("/goal budget 5k")).goal.token_budget == 5000
    second = await created(say, "/goal second")
    await say("/goal pause")
    for line in ("/goal", "/goal resume", "/goal budget 6k", "/goal history"):
        reply = await say(line)
        assert (reply.kind, [found.id for found in reply.goals]) == (ReplyKind.NO_GOAL, [second.id, goal.id])
    offered = await say('/goal clear --note "no use"')
    cleared = await say(offered.steps[1].command)
    assert cleared.goal is not None
    assert (cleared.kind, cleared.goal.id, cleared.goal.note) == (ReplyKind.CLEARED, goal.id, "no use")


async def test_a_model_gets_what_authority_gives_it(store: Any, say: Say) -> None:
    """It reads, and completes where no criteria stand; it neither clears nor resumes, starts, edits or creates."""
    goal = await created(say, "/goal first --check true")
    for line in ("/goal clear", "/goal pause", "/goal resume --auto", "/goal edit -- easier", "/goal budget 9G",
                 "/goal second", "/goal second --replace", "/goal complete", "/goal resume --budget 9G"):  # fmt: skip
        reply = await say(line, actor=Actor.MODEL)
        assert reply.kind is ReplyKind.REFUSED, line
        assert reply.problem is not None
        assert reply.problem.code in ("not_allowed", "invalid_transition"), line
        assert reply.starts_work is False
    assert "the model may not clear" in render(await say("/goal clear", actor=Actor.MODEL))
    assert await store.active() == goal
    for line in ("/goal", "/goal list", "/goal history", "/goal help"):
        assert (await say(line, actor=Actor.MODEL)).is_done
    await say("/goal edit --no-criteria")
    assert (await say("/goal complete", actor=Actor.MODEL)).goal.reason is Reason.ASSERTED


async def test_other_scopes_are_not_there(store: Any, say: Say, clock: FakeClock) -> None:
    """No id reaches into another scope, and another scope's goals make no id ambiguous."""
    mine = await created(say, "/goal mine", scope="me")
    theirs = await store.create("theirs", scope="them")
    assert mine.id[:8] == theirs.id[:8]
    for line in (f"/goal clear {theirs.id}", f"/goal status {theirs.id}", f"/goal history {theirs.id}"):
        reply = await say(line, scope="me")
        assert reply.problem is not None
        assert reply.problem.code == "goal_not_found"
        assert "theirs" not in render(reply)
    assert await store.get(theirs.id) == theirs
    assert (await say(f"/goal status {mine.id[:8]}", scope="me")).goal == mine
    assert [goal.id for goal in (await say("/goal list", scope="me")).goals] == [mine.id]
    await created(say, "/goal also mine --replace", scope="me")
    reply = await say(f"/goal status {mine.id[:8]}", scope="me")
    assert reply.problem is not None
    assert reply.problem.code == "ambiguous_id"
    absent = await say(f"/goal status {mine.id[:8]}", scope="nobody")
    assert absent.problem is not None
    assert absent.problem.code == "goal_not_found"


class Meddler:
    """A store in which somebody else acts just before one of its methods does."""

    def __init__(self, store: Any, method: str, act: Callable[[], Awaitable[Any]]) -> None:
        self._store, self._method, self._act = store, method, act

    def __getattr__(self, name: str) -> Any:
        if name != self._method:
            return getattr(self._store, name)

        async def meddled(*arguments: Any, **named: Any) -> Any:
            await self._act()
            return await getattr(self._store, name)(*arguments, **named)

        return meddled


@pytest.mark.parametrize(
    ("line", "method"),
    [
        ("/goal pause", "pause"),
        ("/goal complete", "complete"),
        ("/goal clear", "clear"),
        ("/goal edit -- mine", "edit"),
        ("/goal budget 5k", "set_budget"),
    ],
)
async def test_a_change_in_between_is_told_and_kept(store: Any, clock: FakeClock, line: str, method: str) -> None:
    """The command is not done; the reply carries the goal as somebody else has left it."""
    goal = await store.create("first")
    meddler: Any = Meddler(store, method, lambda: store.edit(goal.id, text="theirs", key="theirs"))
    reply = await execute_async(meddler, line, clock=clock)
    assert reply.problem is not None
    assert (reply.kind, reply.problem.code) == (ReplyKind.REFUSED, "stale_update")
    assert reply.goal == await store.active()
    assert reply.goal.text == "theirs"
    assert (await execute_async(store, line, clock=clock)).is_done


async def test_a_goal_that_slips_in_is_named(store: Any, clock: FakeClock) -> None:
    """Between the look at the scope and the creation another goal was set: nothing is done before the user agrees."""
    meddler: Any = Meddler(store, "create", lambda: store.create("slipped in", key="k"))
    reply = await execute_async(meddler, "/goal mine", clock=clock)
    assert reply.kind is ReplyKind.CONFIRM
    assert "slipped in" in render(reply)
    agreed = await execute_async(store, reply.steps[0].command, clock=clock)
    assert agreed.kind is ReplyKind.CREATED
    assert agreed.superseded is not None
    assert agreed.superseded.text == "slipped in"


async def test_a_button_acts_on_what_was_seen(store: Any, say: Say) -> None:
    """A program that knows which revision the person saw says so."""
    goal = await created(say, "/goal x")
    await say("/goal edit -- y")
    stale = await say(f"/goal clear {goal.id}", expected_revision=goal.revision)
    assert stale.problem is not None
    assert stale.problem.code == "stale_update"
    assert (await say(f"/goal clear {goal.id}", expected_revision=2)).kind is ReplyKind.CLEARED


async def test_a_message_delivered_twice_counts_once(store: Any, say: Say) -> None:
    """With the message's id as key, the same line changes things once."""
    goal = await created(say, "/goal x", key="message-1")
    assert await created(say, "/goal x", key="message-1") == goal
    assert (await say("/goal y", key="message-2")).kind is ReplyKind.CONFIRM
    await say("/goal edit -- z", key="message-3")
    await say("/goal edit -- z", key="message-3")
    active = await store.active()
    assert (active.text, active.revision) == ("z", 2)
    await say("/goal pause", key="message-4")
    await say("/goal resume", key="message-5")
    late = await say("/goal pause", key="message-4")
    assert (late.kind, late.goal, late.changes) == (ReplyKind.STATUS, await store.active(), ())
    other = await say("/goal edit -- w", key="message-3")
    assert other.problem is not None
    assert other.problem.code == "key_conflict"


async def test_hostile_texts_stay_behind_their_bar(store: Any, say: Say) -> None:
    """No control or bidirectional character is shown, and no line of a text looks like one of Telic's."""
    scope = "s\u202ex"
    await created(say, f"/goal -- {HOSTILE}", scope=scope)
    lines = ["/goal", "/goal list", "/goal history", "/goal other", f'/goal pause --note "{HOSTILE}"', "/goal",
             f"/goal resume --{HOSTILE}", f'/goal --judge "{HOSTILE}', f"/goal budget {HOSTILE}", HOSTILE]  # fmt: skip
    for line in lines:
        shown = render(await say(line, scope=scope))
        assert not any(row.startswith("status  active") for row in shown.split("\n"))
    assert "\\x1b[2Jgone\\u202e" in render(await say("/goal list", scope=scope))


async def test_lists_and_histories_are_bounded(store: Any, say: Say, clock: FakeClock) -> None:
    """Twenty at a time, newest first; the step goes on where the page ended."""
    for number in range(23):
        await store.create(f"goal {number}")
        clock.advance(60)
    first = await say("/goal list")
    rest = await say(first.steps[0].command)
    texts = [goal.text for goal in (*first.goals, *rest.goals)]
    assert texts == [f"goal {number}" for number in range(22, -1, -1)]
    assert (len(first.goals), rest.next_cursor, rest.steps) == (20, None, ())
    for number in range(25):
        await store.edit(first.goals[0].id, text=f"text {number}")
    numbers = [event.number for event in (await say("/goal history")).events]
    assert numbers == list(range(7, 27))


async def test_unusable_arguments_are_answered(store: Any, say: Say) -> None:
    """Every refusal has its code, the message and one line of advice, and nothing is written."""
    cases = {
        "/goal " + "x" * 2001: "text_too_long",
        "/goal -- a\0b": "invalid_text",
        "/goal x --budget lots": "invalid_number",
        "/goal list --cursor x": "invalid_cursor",
        "/goal status 00000000": "goal_not_found",
        "no command": "invalid_command",
    }
    for line, code in cases.items():
        reply = await say(line)
        assert reply.problem is not None
        assert (reply.kind, reply.problem.code) == (ReplyKind.REFUSED, code)
        assert reply.problem.advice in render(reply)
    assert (await say("/goal " + "x" * 2001, max_chars=3000)).kind is ReplyKind.CREATED
    assert (await store.list()).goals[1:] == ()
    empty = await say("/goal", scope="")
    assert empty.problem is not None
    assert empty.problem.code == "empty_text"


@pytest.mark.parametrize("line", ["/goal", "/goal list", "/goal x", "/goal pause", "/goal resume", "/goal history"])
async def test_a_failing_store_never_looks_empty(store: Any, clock: FakeClock, line: str) -> None:
    """A closed store is a failure with its code, whatever is asked for."""
    await store.create("first")
    await store.close()
    reply = await sayer(store, clock)(line)
    assert reply.problem is not None
    assert (reply.kind, reply.problem.code) == (ReplyKind.FAILED, "store_closed")
    assert render(reply).startswith("The store failed: ")


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_a_damaged_goal_is_no_missing_goal(request: pytest.FixtureRequest, database: str, tmp_path: Path) -> None:
    """A row that cannot be understood is told as damage."""
    location = new_location(request, database, tmp_path)
    with telic.connect(location) as store:
        store.create("first")
        drop_checks(location, "goals")
        tamper(location, "UPDATE goals SET status = 'asleep'")
        reply = execute(store, "/goal list")
        assert reply.problem is not None
        assert (reply.kind, reply.problem.code) == (ReplyKind.FAILED, "store_corrupt")
