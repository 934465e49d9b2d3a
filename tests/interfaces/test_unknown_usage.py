"""Usage that is unknown, or partly estimated, is said so by every surface alike."""

import re
import sys
from pathlib import Path
from typing import Any

import pytest

import telic
from telic import ModelUsage
from telic.interfaces.web.pages import used
from telic.services.chat.commands import execute
from telic.services.chat.reply_text import render
from telic.wording.amounts import show_used
from telic.wording.goals import used_of
from tests.interfaces.mcp.clients import data_of, over_stdio
from tests.interfaces.running import Runs
from tests.interfaces.shell import Shell
from tests.interfaces.top.screen import running
from tests.support.missing import without_package


@pytest.mark.parametrize(
    ("name", "amount", "limit", "lines", "shown"),
    [
        ("tokens", 1_000, None, 0, "1,000"),
        ("tokens", 1_000, None, 2, "1,000 (some estimated)"),
        ("tokens", 1_000, 5_000, 2, "1,000 of 5,000 (some estimated)"),
        ("tokens", 0, None, 0, "0"),
        ("tokens", 0, None, 1, "unknown"),
        ("tokens", 0, 5_000, 1, "unknown of 5,000"),
        ("cost_microunits", 0, 5_000_000, 1, "unknown of $5.00"),
        ("cost_microunits", 250_000, None, 1, "$0.25 (some estimated)"),
        ("turns", 1, 2, 1, "1 of 2"),
        ("active_microseconds", 0, None, 1, "0s"),
    ],
)
def test_what_is_known_is_told_and_that_some_is_not(
    name: str, amount: int, limit: int | None, lines: int, shown: str
) -> None:
    """Turns and time are counted here, and always known."""
    assert show_used(name, amount, limit, estimated_lines=lines) == shown


@pytest.mark.parametrize("known", [0, 1_000])
async def test_every_surface_tells_the_same_of_usage_that_is_unknown(shell: Shell, known: int) -> None:
    """The command, a chat, MCP, `telic top` and the dashboard."""
    store = telic.connect(shell.store)
    goal = store.create("silent")
    store.record_turn(goal.id, usage=ModelUsage(input_tokens=known))
    goal = store.record_turn(goal.id, usage=ModelUsage(), is_estimate=True).goal
    store.close()
    shown = "1,000 (some estimated)" if known else "unknown"
    for arguments in (("show", goal.id), ("active",), ("list",), ("usage",)):
        assert re.search(rf"\b{re.escape(shown)}", shell(*arguments).stdout), arguments
    found: list[Any] = [shell.json("show", goal.id), *shell.json("list")["goals"]]
    async with over_stdio(shell.store) as client:
        found.append(data_of(await client.call_tool("get_goal"))["goal"])
    assert [(each["usage"]["tokens"], each["estimated_lines"]) for each in found] == [(known, 1)] * 3
    with telic.connect(shell.store) as chat:
        told = render(execute(chat, "/goal"))
    assert re.search(rf"tokens +{re.escape(shown)}", told)
    assert used_of(goal, "tokens") == shown
    assert used(goal, "tokens") == ("1k (some estimated)" if known else "unknown")
    async with running(shell.store, size=(160, 40)) as top:
        await top.shows("unknown" if not known else "1,000")
        await top.press("enter")
        await top.shows(f"tokens       {shown}")


def test_a_run_says_that_a_turns_usage_is_unknown(runs: Runs) -> None:
    """Not that it used 0 tokens; in its lines for people and for programs."""
    agent = 'print(\'{"type": "claim", "claim": "complete"}\')'
    (runs.workspace / "agent.py").write_text(agent)
    told = runs.run("Do it")
    assert [line["estimated_lines"] for line in told if line["event"] in ("turn_began", "turn_ended")] == [0, 1]
    process = runs.start("show", told[-1]["goal_id"])
    output, _ = process.communicate(timeout=240)
    assert re.search(r"tokens +unknown", output)


@pytest.mark.parametrize("budget", ["1500", "$5"])
def test_a_run_whose_budget_cannot_be_measured_ends_after_one_turn_and_says_what_to_do(runs: Runs, budget: str) -> None:
    """A format that can tell usage promises nothing; what is allowed goes on until its estimates are too many."""
    (runs.workspace / "agent.py").write_text('print(\'{"type": "text", "text": "at work"}\')')
    told = runs.run("Work on", "--budget", budget, expect=27)
    limit = "money" if "$" in budget else "tokens"
    assert f"a budget of {limit} cannot hold: the agent does not tell what it uses" in told[-1]["detail"]
    assert "--allow-unknown-usage" in told[-1]["detail"]
    assert (told[-1]["usage"]["turns"], told[-1]["estimated_lines"]) == (1, 1)
    told = runs.run(told[-1]["goal_id"], "--allow-unknown-usage", "--max-idle=50", expect=22)
    assert (told[-1]["reason"], told[-1]["estimated_lines"]) == ("budget", 10)


CLAUDE = """
import json
print(json.dumps({"type": "system", "subtype": "init", "session_id": "s", "model": "claude-of-nobody"}))
usage = {"input_tokens": 5, "output_tokens": 5}
print(json.dumps({"type": "result", "subtype": "success", "is_error": False, "num_turns": 1, "session_id": "s",
    "result": "TELIC: complete", "usage": usage, "total_cost_usd": 0.25}))
"""


@pytest.mark.parametrize("arguments", [["--budget=$5"], ["--budget=1M"], ["--budget=$5", "table"]])
def test_a_run_says_at_once_that_a_budget_of_money_holds_between_turns_only(
    runs: Runs, arguments: list[str], tmp_path: Path
) -> None:
    """Where the host tells its cost at a turn's end, and no table of prices is there to price what it tells before."""
    (runs.workspace / "claude.py").write_text(CLAUDE)
    has_table = "table" in arguments
    variables = {} if has_table else without_package("genai_prices", tmp_path)
    options = ("--agent", f"{sys.executable} claude.py", "--format", "claude-code", arguments[0])
    process = runs.start("run", "Do it", *options, **variables)
    output, errors = process.communicate(timeout=240)
    assert process.returncode == 0, output + errors
    is_said = "cannot end a turn that is under way" in output.splitlines()[0]
    assert is_said is (arguments == ["--budget=$5"])
    assert runs.newest()["usage"]["cost_microunits"] == 250_000
