"""A budget holds while a turn runs: what its agent tells is added up, and the turn is cut off when it is spent."""

import asyncio
import json
import sys
from dataclasses import replace
from typing import Any

import pytest

from telic import Budget, GoalStatus, ModelUsage, Reason
from telic.domain.errors import AgentConversationLost, AgentTurnFailed
from telic.domain.lease import HoldState
from telic.domain.loop_state import (
    Claim,
)
from telic.loop.agents import CLAUDE_CODE, JSON_LINES, CommandAgent, OutputFormat
from telic.loop.agents.formats import Parsed
from telic.loop.agents.protocol import QuotaReached, TurnReport, TurnRequest
from telic.loop.run_context import LoopEventKind
from telic.types import Instant
from tests.loop_driver.world import CLAIM, DONE_IS_THERE, ScriptedAgent, World, policy, report, until

ENDLESS = """
import json, sys, time
sys.stdin.read()
for number in range(1_000):
    usage = {"input_tokens": 900, "output_tokens": 100, "cost_microunits": 10_000}
    print(json.dumps({"type": "usage", **usage}), flush=True)
    time.sleep(0.2)
"""


@pytest.mark.parametrize("budget", [Budget(tokens=3_000), Budget(cost_microunits=30_000)], ids=["tokens", "money"])
async def test_a_budget_holds_within_a_turn(world: World, budget: Budget) -> None:
    """A command that would tell of 1,000 responses is ended with the third or so, and paid for what it told."""
    goal = await world.store.create("endless", budget=budget)
    agent = CommandAgent(argv=(sys.executable, "-c", ENDLESS), output_format=JSON_LINES, grace_seconds=0.2)
    ended = await world.run(goal, agent)
    assert (ended.reason, ended.turns_used) == (Reason.BUDGET, 1)
    assert 3_000 <= ended.tokens_used < 100_000, "far from all that it would have used"
    assert ended.usage.cost_microunits == ended.tokens_used * 10
    (turn,) = await world.store.turns(goal.id)
    assert (turn.usage.tokens, turn.is_estimate) == (ended.tokens_used, True)


class Telling:
    """Tells of what it uses, response by response, until it is cut off."""

    def __init__(self, *told: ModelUsage) -> None:
        self.told = told
        self.was_cancelled = False
        self.may_go_on = asyncio.Event()

    async def __call__(self, request: TurnRequest) -> TurnReport:
        try:
            for usage in self.told:
                request.report_usage(usage, session="conversation-7")
                await asyncio.sleep(0)
            await self.may_go_on.wait()
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        return report(usage=self.told[-1], claim=Claim.COMPLETE)


async def test_what_a_running_turn_tells_is_held(world: World) -> None:
    """Should its worker be killed, the hold becomes an estimate of all that it told; one that ends settles it."""
    goal = await world.store.create("told", budget=Budget(tokens=100_000, cost_microunits=1_000))
    first = ModelUsage(input_tokens=6_000, cost_microunits=300)
    telling = Telling(first, replace(first, input_tokens=9_000))
    running = asyncio.create_task(world.run(goal, ScriptedAgent([telling]), held_tokens=5_000))

    async def is_held() -> bool:
        held = [hold.reserved for hold in await world.store.holds(goal.id)]
        return [(each.tokens, each.turns, each.cost_microunits) for each in held] == [(9_000, 1, 300)]

    await until(is_held)
    assert await world.store.turns(goal.id) == []
    telling.may_go_on.set()
    ended = await running
    assert (ended.reason, ended.tokens_used) == (Reason.ASSERTED, 9_000)
    assert [hold.state for hold in await world.store.holds(goal.id)] == [HoldState.SETTLED]


async def test_a_python_agent_is_cut_off_as_well(world: World) -> None:
    """Its conversation goes on when somebody raises the budget."""
    goal = await world.store.create("python", token_budget=100)
    telling = Telling(ModelUsage(input_tokens=60), ModelUsage(input_tokens=120))
    ended = await world.run(goal, ScriptedAgent([telling]))
    assert telling.was_cancelled
    assert (ended.reason, ended.tokens_used) == (Reason.BUDGET, 120)
    await world.store.resume(goal.id, budget=Budget(tokens=1_000))
    agent = ScriptedAgent([CLAIM])
    assert (await world.run(goal, agent)).reason is Reason.ASSERTED
    assert agent.requests[0].session == "conversation-7"


async def test_time_is_a_budget_within_a_turn(world: World) -> None:
    """Nobody has to tell of it."""
    goal = await world.store.create("slow", budget=Budget(active_microseconds=200_000))
    telling = Telling(ModelUsage(input_tokens=1))
    ended = await world.run(goal, ScriptedAgent([telling]))
    assert telling.was_cancelled
    assert ended.reason is Reason.BUDGET
    assert ended.usage.active_microseconds >= 200_000


async def test_a_turn_that_told_nothing_counts_as_what_was_held(world: World) -> None:
    """Unknown is no 0."""
    goal = await world.store.create("silent", budget=Budget(tokens=1_000, active_microseconds=200_000))
    silent = Telling()
    ended = await world.run(goal, ScriptedAgent([silent]), held_tokens=70)
    assert (ended.reason, ended.tokens_used) == (Reason.BUDGET, 70)


async def test_a_budget_that_was_raised_meanwhile_is_the_one_that_holds(world: World) -> None:
    goal = await world.store.create("more", token_budget=100)

    async def step(request: TurnRequest) -> Any:
        request.report_usage(ModelUsage(input_tokens=60))
        await world.store.set_budget(goal.id, Budget(tokens=1_000))
        request.report_usage(ModelUsage(input_tokens=500))
        await asyncio.sleep(0.1)
        return report(usage=ModelUsage(input_tokens=500))

    ended = await world.run(goal, ScriptedAgent([step, CLAIM]))
    assert (ended.reason, ended.turns_used, ended.tokens_used) == (Reason.ASSERTED, 2, 600)


async def test_usage_may_be_told_from_another_thread(world: World) -> None:
    goal = await world.store.create("threads", token_budget=100)

    async def step(request: TurnRequest) -> Any:
        await asyncio.to_thread(request.report_usage, ModelUsage(input_tokens=100))
        await asyncio.sleep(3600)

    assert (await world.run(goal, ScriptedAgent([step]))).tokens_used == 100


async def test_the_work_of_a_turn_that_was_cut_off_is_checked(world: World) -> None:
    """It may be all that was wanted."""
    goal = await world.store.create("done in time", criteria=[DONE_IS_THERE], token_budget=100)

    async def step(request: TurnRequest) -> Any:
        (request.workspace / "done").touch()
        request.report_usage(ModelUsage(input_tokens=100))
        await asyncio.sleep(3600)

    assert (await world.run(goal, ScriptedAgent([step]))).reason is Reason.VERIFIED


async def test_what_a_failed_turn_has_told_is_billed(world: World) -> None:
    goal = await world.store.create("fails", token_budget=1_000)

    async def step(request: TurnRequest) -> Any:
        request.report_usage(ModelUsage(input_tokens=77))
        raise AgentTurnFailed("no more")

    ended = await world.run(goal, ScriptedAgent([step]), policy(max_failures=1))
    assert (ended.reason, ended.tokens_used, ended.estimated_lines) == (Reason.FAILED, 77, 1)


async def test_a_goal_that_holds_already_costs_nothing(world: World) -> None:
    goal = await world.store.create("done", criteria=[DONE_IS_THERE])
    (world.workspace / "done").touch()
    agent = ScriptedAgent([CLAIM])
    ended = await world.run(goal, agent, policy(verify_first=True))
    assert (ended.reason, ended.turns_used, agent.requests) == (Reason.VERIFIED, 0, [])


async def test_an_agent_without_claims_is_checked_after_each_turn(world: World) -> None:
    goal = await world.store.create("done", criteria=[DONE_IS_THERE])
    turns = [0]

    def step(request: TurnRequest) -> Any:
        turns[0] += 1
        if turns[0] == 3:
            (request.workspace / "done").touch()
        return report(makes_claims=False)

    ended = await world.run(goal, ScriptedAgent([step]))
    assert (ended.reason, ended.turns_used) == (Reason.VERIFIED, 3)
    assert len(await world.verdicts(goal.id)) == 3


async def test_a_full_conversation_begins_a_new_one_at_once(world: World) -> None:
    """It is no failure, and the new one is told what was said last."""
    goal = await world.store.create("long")
    full = AgentConversationLost("Prompt is too long", usage=ModelUsage())
    agent = ScriptedAgent([report("I moved the first half.", session="one"), full, CLAIM])
    ended = await world.run(goal, agent, policy(max_failures=1))
    assert (ended.reason, ended.turns_used) == (Reason.ASSERTED, 3)
    assert [request.session for request in agent.requests] == [None, "one", None]
    assert "I moved the first half." not in agent.prompts[1]
    assert "I moved the first half." in agent.prompts[2]


async def test_a_new_conversation_that_is_full_at_once_is_a_failure(world: World) -> None:
    goal = await world.store.create("too long")
    full = AgentConversationLost("Prompt is too long", usage=ModelUsage())
    agent = ScriptedAgent([full])
    ended = await world.run(goal, agent, policy(max_failures=2))
    assert (ended.reason, len(agent.requests)) == (Reason.FAILED, 2)


async def test_a_rate_that_is_too_high_is_waited_for(world: World) -> None:
    """And a goal without anybody who waits for it says until when."""
    goal = await world.store.create("busy")
    busy = report(quota=QuotaReached(is_brief=True))
    ended = await world.run(goal, ScriptedAgent([busy]))
    assert ended.reason is Reason.USAGE_LIMIT
    assert ended.wake_at is not None
    assert ended.wake_at - ended.updated_at <= 61_000_000


async def test_what_a_command_says_while_it_waits_is_told(world: World) -> None:
    """A provider that fails for minutes is no silence."""
    retry = {"type": "system", "subtype": "api_retry", "attempt": 1, "max_retries": 10, "error_status": 529}
    lines = [json.dumps(line) for line in (retry, retry | {"attempt": 2})]
    code = f"import sys; sys.stdin.read(); print({chr(10).join(lines)!r}); sys.exit(1)"
    agent = CommandAgent(argv=(sys.executable, "-c", code), output_format=CLAUDE_CODE)
    goal = await world.store.create("busy")
    await world.run(goal, agent, policy(max_failures=1))
    told = [each.detail for each in world.told if each.kind == "notice"]
    assert [detail.partition("repeating, ")[2] for detail in told] == ["1 of 10", "2 of 10"]


def _printing(*lines: dict[str, Any], **options: Any) -> CommandAgent:
    """A command that prints these lines of usage in every turn."""
    printed = "\n".join(json.dumps({"type": "usage", **line}) for line in lines)
    script = f"import sys; sys.stdin.read(); print({printed!r})"
    return CommandAgent(argv=(sys.executable, "-c", script), output_format=JSON_LINES, **options)


async def test_a_usage_line_without_its_cost_is_priced_by_its_model(world: World) -> None:
    """Beside lines that tell their cost as well, and one that tells that it cost nothing."""
    goal = await world.store.create("priced", budget=Budget(cost_microunits=6_000_000))
    agent = _printing(
        {"input_tokens": 1_000_000, "model": "gpt-4o"},
        {"input_tokens": 5, "cost_microunits": 7},
        {"input_tokens": 1_000_000, "model": "mine", "cost_microunits": 0},
    )
    ended = await world.run(goal, agent)
    assert (ended.reason, ended.turns_used) == (Reason.BUDGET, 3)
    assert ended.usage.cost_microunits == 3 * 2_500_007


@pytest.mark.parametrize("model", [{}, {"model": "no-such-model"}], ids=["no model", "no price"])
async def test_a_budget_of_money_stops_a_turn_whose_price_nobody_knows(world: World, model: dict[str, str]) -> None:
    """After one turn, whose tokens count; nobody says that it cost nothing."""
    goal = await world.store.create("unpriced", budget=Budget(cost_microunits=12_000))
    ended = await world.run(goal, _printing({"input_tokens": 1_000, **model}))
    assert (ended.reason, ended.turns_used, ended.tokens_used) == (Reason.FAILED, 1, 1_000)
    assert "budget of money" in (ended.note or "")
    assert "cost_microunits" in (ended.note or "")
    (turn,) = await world.store.turns(goal.id)
    assert turn.is_estimate


@pytest.mark.parametrize("limit", [{"cost_microunits": 12_000}, {}], ids=["allowed", "no money"])
async def test_an_unknown_price_is_no_matter_where_it_is_allowed(world: World, limit: dict[str, int]) -> None:
    """Also where nobody limits money."""
    goal = await world.store.create("free", budget=Budget(turns=2, **limit))
    ended = await world.run(goal, _printing({"input_tokens": 1_000}, allow_unknown_cost=bool(limit)))
    assert (ended.reason, ended.turns_used) == (Reason.BUDGET, 2)


@pytest.mark.parametrize("ends", [True, False], ids=["ends", "goes on"])
async def test_a_limit_of_the_provider_is_waited_for_though_nobody_knows_what_the_turn_cost(
    world: World, ends: bool
) -> None:
    """A budget of money counts what was held for the turn; the next turn without a price and a limit is the last."""
    goal = await world.store.create("unpriced", budget=Budget(cost_microunits=12_000))
    lines = [{"type": "usage", "input_tokens": 1_000}, {"type": "quota", "resets_at": "2100-01-01T00:00:00Z"}]
    last = "" if ends else "import time; time.sleep(2)"
    script = f"import sys, json; sys.stdin.read(); [print(json.dumps(each), flush=True) for each in {lines!r}]; {last}"
    agent = CommandAgent(argv=(sys.executable, "-c", script), output_format=JSON_LINES)
    waiting = await world.run(goal, agent)
    assert (waiting.reason, waiting.is_waiting, waiting.tokens_used) == (Reason.USAGE_LIMIT, True, 1_000)
    assert (waiting.usage.cost_microunits, waiting.estimated_lines) == (1_200, 1)
    resumed = await world.store.resume(goal.id)
    ended = await world.run(resumed, _printing({"input_tokens": 1_000}))
    assert (ended.reason, ended.turns_used, ended.usage.cost_microunits) == (Reason.FAILED, 2, 2_400)


async def test_a_python_agents_quota_is_waited_for_though_its_price_is_unknown(world: World) -> None:
    goal = await world.store.create("unpriced", budget=Budget(cost_microunits=6_000_000))
    step = report(usage=ModelUsage(input_tokens=1_000), quota=QuotaReached(resets_at=Instant(2**52)))
    ended = await world.run(goal, ScriptedAgent([step]))
    assert (ended.reason, ended.usage.cost_microunits, ended.estimated_lines) == (Reason.USAGE_LIMIT, 600_000, 1)


async def test_a_turn_that_met_a_quota_stays_an_estimate_where_all_that_is_known_of_it_is_nothing(world: World) -> None:
    goal = await world.store.create("partly known")
    quota = QuotaReached(resets_at=Instant(2**52))
    ended = await world.run(goal, ScriptedAgent([report(usage=ModelUsage(), usage_is_estimate=True, quota=quota)]))
    assert (ended.reason, ended.tokens_used, ended.estimated_lines) == (Reason.USAGE_LIMIT, 0, 1)


async def test_a_turn_that_tells_more_than_a_goal_can_count_is_cut_off(world: World) -> None:
    goal = await world.store.create("unlimited")
    telling = Telling(ModelUsage(input_tokens=2**60))
    ended = await world.run(goal, ScriptedAgent([telling]))
    assert (telling.was_cancelled, ended.reason, ended.tokens_used) == (True, Reason.FAILED, 2**53 - 1)


@pytest.mark.parametrize("first", [2**53 - 3, 2**60], ids=["sum", "one number"])
async def test_usage_beyond_a_goals_counters_stops_it_and_no_turn_is_taken_again(world: World, first: int) -> None:
    """What fits is in the ledger, what was told is in the history, and the listener hears why."""
    goal = await world.store.create("unlimited")
    told = ModelUsage(input_tokens=first)
    agent = ScriptedAgent([report(usage=told), report(usage=ModelUsage(input_tokens=5, active_microseconds=2**60))])
    ended = await world.run(goal, agent)
    assert (ended.status, ended.reason, ended.tokens_used) == (GoalStatus.PAUSED, Reason.FAILED, 2**53 - 1)
    turns = 1 if first > 2**53 else 2
    assert (ended.turns_used, len(agent.requests)) == (turns, turns)
    assert [line.key for line in await world.store.turns(goal.id)] == [f"loop/turn-{n + 1}" for n in range(turns)]
    assert world.heard(LoopEventKind.PAUSED)[0].detail == ended.note
    again = await world.run(await world.store.resume(goal.id), agent)
    assert (again.turns_used, again.reason) == (turns + 1, Reason.FAILED)


MILLION = ModelUsage(input_tokens=1_000_000)


async def test_a_python_agents_tokens_are_priced_by_their_model(world: World) -> None:
    """Where it tells no cost: in its report, and while the turn runs, so that a budget of money cuts it off."""
    goal = await world.store.create("priced", budget=Budget(cost_microunits=6_000_000))

    async def endless(request: TurnRequest) -> Any:
        request.report_usage(replace(MILLION, input_tokens=4_000_000), model="gpt-4o")
        await asyncio.sleep(3600)

    ended = await world.run(goal, ScriptedAgent([report(usage=MILLION, model="gpt-4o"), endless]))
    assert (ended.reason, ended.turns_used, ended.usage.cost_microunits) == (Reason.BUDGET, 2, 12_500_000)


@pytest.mark.parametrize("model", [None, "no-such-model"], ids=["no model", "no price"])
async def test_a_python_agent_whose_price_nobody_knows_is_stopped(world: World, model: str | None) -> None:
    """Unless it says that it cost nothing, or somebody allows what is unknown: that is marked as an estimate then."""
    step = report(usage=MILLION, model=model)
    budget = Budget(cost_microunits=6_000_000, turns=2)
    goal = await world.store.create("unpriced", budget=budget)
    ended = await world.run(goal, ScriptedAgent([step]))
    assert (ended.reason, ended.turns_used, ended.tokens_used) == (Reason.FAILED, 1, 1_000_000)
    assert (ended.estimated_lines, ended.usage.cost_microunits) == (1, 600_000), "what was held for the turn"
    assert "price of" in (ended.note or "")
    for scope, agent, allowed, estimates in (
        ("free", replace(step, cost_is_known=True), False, 0),
        ("allowed", step, True, 2),
    ):
        goal = await world.store.create("not stopped", scope=scope, budget=budget)
        ended = await world.run(goal, ScriptedAgent([agent]), policy(allow_unknown_usage=allowed))
        assert (ended.reason, ended.turns_used, ended.estimated_lines) == (Reason.BUDGET, 2, estimates)
        assert ended.usage.cost_microunits == 0


async def test_a_turn_that_broke_off_before_it_told_its_cost_counts_the_money_that_was_held(world: World) -> None:
    """Its tokens are what it told; a tenth of the money was held, and may be spent."""
    goal = await world.store.create("broke off", budget=Budget(tokens=200, cost_microunits=1_000))
    ended = await world.run(goal, ScriptedAgent([Telling(ModelUsage(input_tokens=200))]))
    assert (ended.reason, ended.tokens_used, ended.usage.cost_microunits) == (Reason.BUDGET, 200, 100)
    assert ended.estimated_lines == 1


UNPRICED = """
import json, sys, time
sys.stdin.read()
for line in ({"cost_microunits": 5}, {}, {"cost_microunits": 5}):
    print(json.dumps({"type": "usage", "input_tokens": 1_000, **line}), flush=True)
time.sleep(3_600)
"""


LATE = """
import json, signal, sys, time
def tell(**fields):
    print(json.dumps(fields), flush=True)
def end(*_):
    tell(type="quota", resets_at="2100-01-01T00:00:00Z")
    tell(type="usage", input_tokens=7)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
sys.stdin.read()
tell(type="usage", input_tokens=1_000)
time.sleep(3_600)
"""


async def test_what_a_command_tells_while_it_is_cut_off_is_counted_also_after_a_quota(world: World) -> None:
    goal = await world.store.create("unpriced", budget=Budget(cost_microunits=5_000))
    agent = CommandAgent(argv=(sys.executable, "-c", LATE), output_format=JSON_LINES, grace_seconds=60)
    ended = await world.run(goal, agent)
    assert (ended.status, ended.tokens_used) == (GoalStatus.PAUSED, 1_007)


async def test_a_turn_whose_cost_becomes_unknown_is_cut_off_at_once(world: World) -> None:
    """With the words and the line of one that told it at its end; its command has ended."""
    goal = await world.store.create("unpriced", budget=Budget(cost_microunits=12_000))
    agent = CommandAgent(argv=(sys.executable, "-c", UNPRICED), output_format=JSON_LINES, grace_seconds=0.2)
    ended = await world.run(goal, agent)
    assert (ended.reason, ended.turns_used, ended.estimated_lines) == (Reason.FAILED, 1, 1)
    assert 2_000 <= ended.tokens_used <= 3_000
    assert (ended.note or "").startswith("the goal has a budget of money, but the price of a response that names no")


class Recorded:
    """Records of a host that prints nothing while it works: its model is known from the second reading on."""

    def __init__(self) -> None:
        self.readings = 0

    def begin(self) -> None:
        """There was nothing before."""

    def improve(self, parsed: Parsed) -> Parsed:
        """Return the same with a million tokens."""
        self.readings += 1
        return replace(parsed, usage=MILLION, model="no-such-model" if self.readings > 1 else None)


async def test_a_silent_hosts_records_cut_its_turn_off_as_well(world: World) -> None:
    """As soon as they name a model that has no price; until then it may yet have one."""
    records = Recorded()
    silent = OutputFormat("silent", CLAUDE_CODE.parser, lambda _environment, _session: records, tells_cost=True)
    script = "import time; time.sleep(3_600)"
    agent = CommandAgent(argv=(sys.executable, "-c", script), output_format=silent, records_seconds=0.05)
    goal = await world.store.create("recorded", budget=Budget(cost_microunits=12_000))
    ended = await world.run(goal, agent)
    assert (ended.reason, ended.tokens_used, ended.estimated_lines) == (Reason.FAILED, 1_000_000, 1)
    assert "no-such-model" in (ended.note or "")
    assert records.readings > 1


async def test_an_agent_that_tells_its_cost_at_its_end_is_not_cut_off(world: World) -> None:
    """Nothing is unknown about it then."""
    model = "no-such-model"
    usage = {"input_tokens": 1_000, "output_tokens": 1}
    message = {"type": "assistant", "message": {"id": "m1", "model": model, "usage": usage, "content": []}}
    end = {"type": "result", "subtype": "success", "result": "TELIC: COMPLETE", "usage": usage, "total_cost_usd": 0.5}
    lines = [json.dumps({"type": "system", "subtype": "init", "model": model, "session_id": "s1"})]
    lines += [json.dumps(message), json.dumps(end)]
    script = (
        f"import sys, time\nsys.stdin.read()\nfor line in {lines!r}:\n    print(line, flush=True)\n    time.sleep(0.5)"
    )
    goal = await world.store.create("at its end", budget=Budget(cost_microunits=600_000, turns=1))
    agent = CommandAgent(argv=(sys.executable, "-c", script), output_format=CLAUDE_CODE)
    ended = await world.run(goal, agent)
    assert (ended.turns_used, ended.usage.cost_microunits, ended.estimated_lines) == (1, 500_000, 0)


@pytest.mark.parametrize("model", [None, "no-such-model"], ids=["no model", "no price"])
async def test_a_python_agent_whose_cost_becomes_unknown_is_cut_off_at_once(world: World, model: str | None) -> None:
    goal = await world.store.create("unpriced", budget=Budget(cost_microunits=12_000))
    cut = asyncio.Event()

    async def endless(request: TurnRequest) -> Any:
        request.report_usage(MILLION, model=model, session="conversation-7")
        try:
            await asyncio.sleep(3600)
        finally:
            cut.set()

    ended = await world.run(goal, ScriptedAgent([endless]))
    assert cut.is_set()
    assert (ended.reason, ended.tokens_used, ended.estimated_lines) == (Reason.FAILED, 1_000_000, 1)
    assert (ended.usage.cost_microunits, "price of" in (ended.note or "")) == (1_200, True)


async def test_a_turn_goes_on_where_its_cost_may_be_unknown_or_comes_later(world: World) -> None:
    """By the policy, or by the agent's word that it tells the cost with its end."""

    async def later(request: TurnRequest) -> Any:
        request.report_usage(MILLION, cost_is_known=True)
        await asyncio.sleep(0.2)
        return report(usage=replace(MILLION, cost_microunits=11_000), claim=Claim.COMPLETE)

    async def allowed(request: TurnRequest) -> Any:
        request.report_usage(MILLION)
        await asyncio.sleep(0.2)
        return report(usage=MILLION, claim=Claim.COMPLETE)

    for scope, step, is_allowed in (("later", later, False), ("allowed", allowed, True)):
        goal = await world.store.create("goes on", scope=scope, budget=Budget(cost_microunits=12_000))
        ended = await world.run(goal, ScriptedAgent([step]), policy(allow_unknown_usage=is_allowed))
        assert (ended.reason, ended.turns_used) == (Reason.ASSERTED, 1)


@pytest.mark.parametrize(
    ("limit", "name"),
    [("tokens", "tokens"), ("active_microseconds", "time"), ("cost_microunits", "cost")],
)
async def test_a_cut_off_turn_names_the_budget_in_peoples_words(world: World, limit: str, name: str) -> None:
    goal = await world.store.create("words", budget=Budget(**{limit: 100_000}))
    await world.run(goal, ScriptedAgent([Telling(ModelUsage(input_tokens=100_000, cost_microunits=100_000))]))
    told = [each.detail for each in world.told if each.kind == "turn_ended"]
    assert told == [f"cut off: the budget of {name} is reached"]
