"""A check of a goal ends in the same rows, whoever made it: the loop, an adapter, or a coding host's hook."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

import telic
from telic import Criterion, GoalStatus, Reason, UsageKind
from telic.domain.clock import SystemClock
from telic.domain.decision import LoopPolicy
from telic.domain.loop_state import Claim, LoopState
from telic.integrations.hosts.checking import JudgeChoice, StopCheck
from telic.integrations.hosts.payload import HookEvent, HookPayload
from telic.integrations.session import GoalSession
from telic.integrations.settings import SessionSettings
from telic.integrations.tools import report_complete
from telic.loop.goal_loop import VerificationStep
from telic.loop.heartbeat import Heartbeat
from telic.loop.run_context import LoopRecords, LoopSettings, RunContext, ignore
from telic.loop.verification.verifier import Verifier
from tests.loop_driver.world import judge

WORK = "the work"
USED = {"model": "a-judge", "usage": {"input_tokens": 70, "output_tokens": 7}}
PASSES, FAILS = judge({"verdict": "pass", **USED}), judge({"verdict": "fail", "reasons": ["no"], **USED})
APPROVAL = Criterion.approval("May it go out?")
ENDS: dict[str, tuple[list[Criterion], int | None, tuple[GoalStatus, Reason | None]]] = {
    "passes": ([PASSES], None, (GoalStatus.COMPLETED, Reason.VERIFIED)),
    "fails": ([PASSES, FAILS], None, (GoalStatus.ACTIVE, None)),
    "waits for a person": ([PASSES, APPROVAL], None, (GoalStatus.PAUSED, Reason.WAITING)),
    "passes with the last of the budget": ([PASSES], 50, (GoalStatus.COMPLETED, Reason.VERIFIED)),
    "fails with the last of the budget": ([FAILS], 50, (GoalStatus.PAUSED, Reason.BUDGET)),
    "waits with the last of the budget": ([PASSES, APPROVAL], 50, (GoalStatus.PAUSED, Reason.BUDGET)),
}


async def check_in_loop(store: telic.AsyncGoalStore, goal: telic.Goal, folder: Path, _location: str) -> None:
    lease = await store.claim(goal.id, worker="worker")
    context = RunContext(
        store=store,
        records=LoopRecords(store, goal.id),
        heart=Heartbeat(store, lease, interval_seconds=1, ttl_seconds=60),
        settings=LoopSettings(workspace=folder, worker="worker"),
        policy=LoopPolicy(),
        clock=SystemClock(),
        on_progress=ignore,
    )
    await VerificationStep(context, Verifier(workspace=folder)).check(
        goal, LoopState(claim=Claim.COMPLETE, turns=1, work=WORK)
    )


async def report_in_adapter(store: telic.AsyncGoalStore, goal: telic.Goal, folder: Path, _location: str) -> None:
    session = GoalSession(store, settings=SessionSettings(verifier=Verifier(workspace=folder)))
    session.seen = goal
    await report_complete(session, WORK)


async def stop_in_hook(_store: telic.AsyncGoalStore, goal: telic.Goal, folder: Path, location: str) -> None:
    def check() -> None:
        with telic.connect(location) as store:
            notice = HookPayload(event=HookEvent.STOP, event_name="Stop", session="s", folder=folder)
            StopCheck(store, 60.0, JudgeChoice(), lambda: None).check(goal, None, LoopState(work=WORK), notice)

    await asyncio.to_thread(check)


CHECKS: list[Callable[[telic.AsyncGoalStore, telic.Goal, Path, str], Awaitable[None]]] = [
    check_in_loop,
    report_in_adapter,
    stop_in_hook,
]


def what_was_found(event: telic.Event) -> list[tuple[Any, ...]]:
    return [
        (verdict["outcome"], [(each["result"], each["detail"]) for each in verdict.get("attempts", ())])
        for verdict in event.data.get("verdicts", ())
    ]


async def rows(store: telic.AsyncGoalStore, goal: telic.Goal) -> list[tuple[Any, ...]]:
    """All that is in the goal's history but keys and times."""
    events = [
        (event.kind, event.actor, event.revision, event.data.get("reason"), event.data.get("note"))
        for event in await store.events(goal.id)
    ]
    found = [what_was_found(event) for event in await store.events(goal.id)]
    turns = [(turn.kind, turn.model, turn.usage.tokens, turn.is_estimate) for turn in await store.turns(goal.id)]
    after = await store.get(goal.id)
    wake = (after.wake_signal or "").replace(goal.id, "GOAL")
    return [*events, *found, *turns, (after.status, after.reason, after.note, wake, after.usage.tokens)]


@pytest.mark.parametrize(("criteria", "budget", "end"), ENDS.values(), ids=ENDS)
async def test_the_loop_adapters_and_hooks_leave_the_same_rows(
    criteria: list[Criterion], budget: int | None, end: tuple[GoalStatus, Reason | None], tmp_path: Path
) -> None:
    location = str(tmp_path / "goals.db")
    left: list[list[tuple[Any, ...]]] = []
    async with telic.connect_async(location) as store:
        for check in CHECKS:
            goal = await store.create("a goal", scope=check.__name__, criteria=criteria, token_budget=budget)
            await check(store, goal, tmp_path, location)
            after = await store.get(goal.id)
            assert (after.status, after.reason) == end
            judged = [turn for turn in await store.turns(goal.id) if turn.kind is UsageKind.JUDGE]
            assert len(judged) == len([each for each in criteria if each is not APPROVAL])
            left.append(await rows(store, goal))
    assert left[0] == left[1] == left[2]
