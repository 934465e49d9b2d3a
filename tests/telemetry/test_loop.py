"""A loop's turns and verifications as spans, with everything that they call inside them."""

import asyncio
import sys

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

import telic
from telic import Criterion, ModelUsage, Reason
from telic.domain.decision import LoopPolicy
from telic.errors import AgentFailure
from telic.loop.agents.protocol import QuotaReached
from tests.loop_driver.world import CLAIM, DONE_IS_THERE, ScriptedAgent, Waiter, World, makes, report
from tests.telemetry.telescope import MARKER, Telescope, changes_in, id_of, parent_of

USED = ModelUsage(input_tokens=900, cached_input_tokens=600, output_tokens=100, reasoning_tokens=40)


def inside(telescope: Telescope, span: ReadableSpan) -> list[str]:
    return [each.name for each in telescope.spans if parent_of(each) == id_of(span)]


async def test_a_turn_and_its_verification(world: World, telescope: Telescope) -> None:
    """Exactly the convention's attributes; the store's calls of a turn are inside it."""
    goal = await world.store.create("x", criteria=[DONE_IS_THERE])
    said = report(f"it is {MARKER}", usage=USED, model="some-model", claim=CLAIM.claim)
    ended = await world.run(goal, ScriptedAgent([makes("done", said)]))
    assert ended.reason is Reason.VERIFIED
    turn, check = telescope.one("invoke_agent"), telescope.one("telic.check")
    assert dict(turn.attributes or {}) == {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.response.model": "some-model",
        "gen_ai.usage.input_tokens": 900,
        "gen_ai.usage.cache_read.input_tokens": 600,
        "gen_ai.usage.output_tokens": 100,
        "gen_ai.usage.reasoning.output_tokens": 40,
        "telic.goal.id": goal.id,
        "telic.goal.revision": 1,
        "telic.turn.number": 1,
        "telic.turn.step": "turn",
        "telic.outcome": "complete",
    }
    assert (turn.kind, turn.status.status_code) == (SpanKind.INTERNAL, StatusCode.UNSET)
    called = [name for name in inside(telescope, turn) if name not in ("telic.renew", "telic.now")]
    assert called == ["telic.take_over", "telic.begin_turn", "telic.verification", "telic.finish_turn"]
    assert dict(check.attributes or {}) == {
        "telic.goal.id": goal.id,
        "telic.goal.revision": 1,
        "telic.outcome": "passed",
    }
    assert [(event.name, dict(event.attributes or {})) for event in check.events] == [
        (
            "gen_ai.evaluation.result",
            {
                "gen_ai.evaluation.name": "command",
                "gen_ai.evaluation.score.label": "passed",
                "telic.criterion.index": 0,
            },
        )
    ]
    (finishing,) = telescope.named("telic.settle")
    assert parent_of(finishing) == id_of(check)
    assert changes_in(finishing) == [("completed", "2", "verified")]
    assert telescope.values("telic.verifications") == {("passed",): 1}
    assert MARKER not in telescope.exported()


async def test_a_failed_turn_has_a_code_and_no_words(world: World, telescope: Telescope) -> None:
    goal = await world.store.create("x")
    failing = ScriptedAgent([AgentFailure(f"it said {MARKER}", usage=USED), ValueError(MARKER), CLAIM])
    await world.run(goal, failing)
    first, second, third = telescope.named("invoke_agent")
    for span in (first, second):
        assert (span.attributes or {})["error.type"] == "agent_failure"
        assert (span.attributes or {})["telic.outcome"] == "failed"
        assert span.status.status_code is StatusCode.ERROR
    assert (first.attributes or {})["gen_ai.usage.input_tokens"] == 900
    assert "gen_ai.usage.input_tokens" not in (second.attributes or {})
    assert (third.attributes or {})["telic.outcome"] == "complete"
    assert MARKER not in telescope.exported()


async def test_a_stopped_turn_says_so(world: World, telescope: Telescope) -> None:
    goal = await world.store.create("x")
    waiter = Waiter(report())
    running = asyncio.create_task(world.run(goal, ScriptedAgent([waiter])))
    await waiter.began.wait()
    await world.store.pause(goal.id)
    await running
    attributes = telescope.one("invoke_agent").attributes or {}
    assert (attributes["telic.outcome"], attributes["error.type"]) == ("cut_off", "stopped")


async def test_a_turn_that_finds_no_budget_did_not_begin(world: World, telescope: Telescope) -> None:
    goal = await world.store.create("x", budget=telic.Budget(turns=1))
    await world.store.hold(goal.id, key="another worker's")
    ended = await world.run(goal, ScriptedAgent([CLAIM]))
    assert ended.reason is Reason.BUDGET
    span = telescope.one("invoke_agent")
    assert (span.attributes or {})["telic.outcome"] == "not_begun"
    assert telescope.values("telic.holds")[("refused",)] == 1


async def test_a_quota_is_an_outcome(world: World, telescope: Telescope) -> None:
    goal = await world.store.create("x")
    quota = report(quota=QuotaReached(resets_at=telic.types.Instant(world.clock.now() + 3_600_000_000)))
    ended = await world.run(goal, ScriptedAgent([quota]))
    assert ended.reason is Reason.USAGE_LIMIT
    assert (telescope.one("invoke_agent").attributes or {})["telic.outcome"] == "quota_reached"


async def test_a_failed_verdict_keeps_its_words(world: World, telescope: Telescope) -> None:
    """Its outcome and error are told, not what the check printed."""
    check = Criterion.command([sys.executable, "-S", "-c", f"print({MARKER!r}); raise SystemExit(1)"])
    goal = await world.store.create("x", criteria=[check], budget=telic.Budget(turns=1))
    await world.run(goal, ScriptedAgent([CLAIM]), LoopPolicy(backoff_seconds=0))
    span = telescope.named("telic.check")[0]
    assert (span.attributes or {})["telic.outcome"] == "failed"
    assert span.status.status_code is StatusCode.UNSET
    labels = [(event.attributes or {})["gen_ai.evaluation.score.label"] for event in span.events]
    assert labels == ["failed"]
    assert MARKER not in telescope.exported()


async def test_loops_at_once_keep_their_own_context(world: World, telescope: Telescope) -> None:
    """Whatever is inside a turn is about that turn's goal."""
    goals = [await world.store.create("x", scope=f"s{number}") for number in range(5)]
    await asyncio.gather(*(world.run(goal, ScriptedAgent([report(), CLAIM])) for goal in goals))
    turns = {id_of(span): (span.attributes or {})["telic.goal.id"] for span in telescope.named("invoke_agent")}
    assert len(turns) == 10
    calls = [span for span in telescope.spans if parent_of(span) in turns and span.name.startswith("telic.")]
    assert len(calls) >= 30
    about = [(span.attributes or {}).get("telic.goal.id") for span in calls]
    owners = [turns[parent_of(span) or 0] for span in calls]
    assert all(goal_id in (None, owner) for goal_id, owner in zip(about, owners, strict=True))
