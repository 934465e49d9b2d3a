"""`telic run` through its entry point, with agents that are real programs."""

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import telic
from tests.interfaces.running import Runs, interrupt, lives, until
from tests.interfaces.shell import TELIC
from tests.support.model_server import answering, running_model_server


def test_it_ends_verified(runs: Runs) -> None:
    """The criterion holds only after the second turn; it is checked before, and until the agent first claims."""
    told = runs.run("Take two steps", "--check", "test -f step-2", "--budget", "100k")
    assert [line["event"] for line in told] == [
        "said", "claimed", "checking", "checked", "turn_began", "turn_ended", "checking", "checked",
        "turn_began", "turn_ended", "checking", "checked", "completed", "stopped", "ended",
    ]  # fmt: skip
    goal = runs.newest()
    assert (goal["status"], goal["reason"], goal["usage"]["tokens"]) == ("completed", "verified", 2000)
    (check,) = runs.json("show", goal["id"])["checks"]
    assert (check["number"], check["verdict"]["outcome"], check["pending"]) == (1, "passed", False)


def test_it_ends_asserted_without_criteria(runs: Runs) -> None:
    """The agent's word is all there is."""
    runs.run("Take two steps")
    assert runs.newest()["reason"] == "asserted"


def test_the_shape_of_a_line(runs: Runs) -> None:
    """Programs rely on these names, and on the last line."""
    told = runs.run("Take a step", AGENT_TURNS="1")
    names = [
        "event", "at", "goal_id", "turn", "detail", "scope", "status", "reason", "note", "revision", "budget",
        "usage", "estimated_lines", "wake_at", "wake_signal",
    ]  # fmt: skip
    assert all(sorted(line) == sorted(names) for line in told[:-1])
    assert sorted(told[-1]) == sorted([*names, "exit_code"])
    assert (told[-1]["event"], told[-1]["exit_code"], told[-1]["turn"]) == ("ended", 0, 1)
    assert [line["turn"] for line in told if line["event"].startswith("turn")] == [1, 1]


def test_plain_lines_where_there_is_no_terminal(runs: Runs) -> None:
    """Words and times, no escape sequence, and a next step on standard error."""
    process = runs.start("run", "Take steps", *runs.agent, "--turns", "1", AGENT_TURNS="9")
    output, errors = process.communicate(timeout=240)
    assert process.returncode == 22
    assert "turn 1 begins" in output
    assert "1 of 1 turn, 1,000 tokens" in output
    assert "\x1b" not in output
    assert "--budget AMOUNT" in errors


@pytest.mark.parametrize(
    ("claim", "arguments", "code", "reason"),
    [
        ('{"claim": "blocked", "note": "the key"}', (), 25, "blocked"),
        ('{"claim": "waiting", "wake_after_seconds": 3600}', ("--no-wait",), 24, "waiting"),
        ('{"claim": "nonsense"}', ("--max-failures", "1"), 27, "failed"),
        ('{"claim": "complete"}', ("--check", "false", "--max-idle", "1"), 26, "stalled"),
        ('{"claim": "working"}', ("--budget", "2500"), 22, "budget"),
    ],
)
def test_the_exit_code_says_why(runs: Runs, claim: str, arguments: tuple[str, ...], code: int, reason: str) -> None:
    """Each reason has its own."""
    if reason == "stalled":
        (runs.workspace / "agent.py").write_text(
            'import sys; sys.stdin.read(); print(\'{"type": "claim", "claim": "complete"}\')'
        )
    told = runs.run("Take steps", *arguments, expect=code, AGENT_CLAIM=claim, AGENT_TURNS="1")
    assert (told[-1]["reason"], told[-1]["exit_code"]) == (reason, code)
    assert runs.newest()["reason"] == reason


def test_the_agent_is_told_to_wind_down(runs: Runs) -> None:
    """Before the budget is spent it gets one turn to come to an end; no turn starts beyond it."""
    told = runs.run("Take steps", "--turns", "4", expect=22, AGENT_TURNS="99")
    assert [line["detail"] for line in told if line["event"] == "turn_began"] == ["turn", "turn", "turn", "wind_down"]
    assert runs.newest()["usage"]["turns"] == 4


def test_a_usage_limit_has_its_code(runs: Runs) -> None:
    """The provider's limit is waited for, or ends the run that does not wait."""
    (runs.workspace / "agent.py").write_text(
        'import sys; sys.stdin.read(); print(\'{"type": "quota", "resets_at": "2100-01-01T00:00:00Z"}\')'
    )
    told = runs.run("Take steps", "--no-wait", expect=23)
    assert told[-1]["wake_at"] == "2100-01-01T00:00:00.000000Z"


def test_nothing_is_made_where_the_agent_is_not_there(runs: Runs) -> None:
    """One line that names the command; no goal, and not even a store."""
    for agent in ("no-such-agent --fast", "./missing.sh"):
        process = runs.start("run", "Take steps", "--agent", agent)
        output, errors = process.communicate(timeout=240)
        assert (process.returncode, output) == (11, "")
        assert errors.splitlines()[0].startswith(f"telic: there is no command {agent.split()[0]!r}")
    assert not Path(runs.store).exists()


def test_the_same_command_goes_on(runs: Runs) -> None:
    """Killed with SIGKILL in the middle of a turn, the same command finishes the goal, and counts each turn once."""
    process = runs.start(
        "run", "Take steps", *runs.agent, "--check", "test -f step-3", AGENT_TURNS="3", AGENT_SECONDS_2="60"
    )
    left = runs.until_started(2)
    process.kill()
    process.communicate()
    assert runs.newest()["status"] == "active"
    until(lambda: not lives(left), seconds=240)
    told = runs.run("Take steps", "--check", "test -f step-3", AGENT_TURNS="3", AGENT_SECONDS="0.1")
    assert "goes on with" in told[0]["detail"]
    goal = runs.newest()
    assert (goal["reason"], goal["usage"]["turns"], goal["usage"]["tokens"]) == ("verified", 3, 3000)
    turns = runs.json("turns", goal["id"])
    counted = [turn["key"] for turn in turns if not turn["is_estimate"]]
    assert counted == ["loop/turn-1", "loop/turn-2", "loop/turn-3"]
    # What the killed turn used is unknown.
    assert len(turns) == 1 + len(counted)


def test_the_same_command_after_completion_starts_nothing(runs: Runs) -> None:
    """It says so, spends nothing and ends with 0; `--again` makes a new goal, and so do other criteria."""
    runs.run("Take two steps", "--check", "test -f step-2")
    first = runs.newest()
    told = runs.run("Take two steps", "--check", "test -f step-2")
    assert "--again" in told[0]["detail"]
    assert (runs.newest()["id"], len(runs.started())) == (first["id"], 2)
    runs.run("Take two steps", "--check", "test -f step-2", "--again")
    again = runs.newest()
    assert (again["id"] == first["id"], again["reason"], again["usage"]["turns"]) == (False, "verified", 0)
    runs.run("Take two steps", "--check", "test -f step-1")
    assert runs.newest()["id"] != again["id"]


def test_line_ends_make_no_other_goal(runs: Runs) -> None:
    """Nor does a byte order mark; the text is kept without either."""
    (runs.workspace / "agent.py").write_text("raise SystemExit(3)")
    runs.run("\ufeffDo it\r\n- one\r\n", "--max-failures", "1", expect=27)
    first = runs.newest()
    assert first["text"] == "Do it\n- one"
    runs.run("Do it\n- one", "--max-failures", "1", expect=27)
    assert runs.newest()["id"] == first["id"]


def plain(runs: Runs, code: str, *arguments: str, expect: int) -> tuple[str, str]:
    """What `telic run` printed with a command that is no known host, and no format."""
    (runs.workspace / "plain.py").write_text(code)
    process = runs.start("run", "Take steps", "--agent", f"{sys.executable} plain.py", *arguments)
    output, errors = process.communicate(timeout=240)
    assert process.returncode == expect, output + errors
    return output, errors


def test_unknown_usage_is_said_at_once(runs: Runs) -> None:
    output, _ = plain(runs, "print('TELIC: complete')", expect=0)
    assert "usage is unknown" in output.splitlines()[0]
    assert "--format json-lines" in output.splitlines()[0]


def test_a_budget_that_cannot_hold_is_refused(runs: Runs) -> None:
    """Before anything is made, unless somebody takes it so; turns and time can always be limited."""
    for budget in ("--budget=1500", "--budget=$5"):
        _, errors = plain(runs, "print('working')", budget, expect=2)
        assert "--allow-unknown-usage" in errors
    assert runs.json("list")["goals"] == []
    plain(runs, "print('working')", "--budget=1500", "--allow-unknown-usage", "--turns=2", expect=22)


def test_json_lines_are_recognised(runs: Runs) -> None:
    """An agent that prints them without the option is billed and believed as with it."""
    code = "import json, sys; sys.stdin.read()\n"
    code += "print(json.dumps({'type': 'usage', 'input_tokens': 900}))\n"
    code += "print(json.dumps({'type': 'claim', 'claim': 'complete'}))\n"
    output, _ = plain(runs, code, expect=0)
    assert "--format json-lines" in output
    assert runs.newest()["usage"]["tokens"] == 900


def test_a_silent_agent_is_done_when_its_check_passes(runs: Runs) -> None:
    """As one that writes its log to a file; it is checked after each turn."""
    code = "import sys, pathlib; sys.stdin.read(); f = pathlib.Path('f')\n"
    code += "pathlib.Path('done').touch() if f.exists() else f.touch()\n"
    plain(runs, code, "--check", "test -f done", expect=0)
    assert (runs.newest()["reason"], runs.newest()["usage"]["turns"]) == ("verified", 2)


def test_a_long_text_can_be_allowed(runs: Runs) -> None:
    """The hint names an option that the command has."""
    text = "y" * 3_000
    process = runs.start("run", text, *runs.agent)
    assert "--max-chars" in process.communicate(timeout=240)[1]
    runs.run(text, "--max-chars", "4000", AGENT_TURNS="1")


def test_a_run_that_would_replace_is_refused_as_every_action_is(runs: Runs) -> None:
    """A new text, and a goal that was left, while another is active: with what to do next."""
    left = runs.json("create", "The first")
    runs.json("pause", left["id"])
    active = runs.json("create", "The second")
    for target in ("The third", left["id"]):
        process = runs.start("run", target, *runs.agent, "--json")
        _, errors = process.communicate(timeout=240)
        error = json.loads(errors)["error"]
        assert (process.returncode, error["code"]) == (6, "would_replace")
        assert active["id"] in error["message"]
        assert "--replace" in error["hint"]


def test_an_unfinished_goal_gives_way_only_when_told(runs: Runs) -> None:
    """Another text is refused, active or paused; `--replace` puts the former one aside."""
    first = runs.json("create", "The first")
    for _ in range(2):
        process = runs.start("run", "The second", *runs.agent)
        _, errors = process.communicate(timeout=240)
        assert process.returncode == 6
        assert first["id"] in errors
        assert "hint: --replace" in errors
        if runs.json("show", first["id"])["status"] == "active":
            runs.json("pause", first["id"])
    runs.json("resume", first["id"])
    runs.run("The second", "--replace", AGENT_TURNS="1")
    left = runs.json("show", first["id"])
    assert (left["status"], left["reason"]) == ("paused", "superseded")
    runs.run(first["id"], AGENT_TURNS="1")
    assert runs.json("show", first["id"])["reason"] == "asserted"
    assert runs.run(first["id"])[-1]["event"] == "ended", "a finished goal is left as it is"


def test_other_criteria_are_not_passed_over(runs: Runs) -> None:
    """What was typed and what is stored differ: nothing starts."""
    goal = runs.json("create", "The first", "--check", "true")
    process = runs.start("run", "The first", *runs.agent, "--check", "false")
    _, errors = process.communicate(timeout=240)
    assert process.returncode == 2
    assert f"telic edit {goal['id']}" in errors
    assert runs.started() == []


def test_a_judge_is_asked_for_before_anything_starts(runs: Runs) -> None:
    """A question that nobody could answer is refused, before the goal is made."""
    process = runs.start("run", "Take steps", *runs.agent, "--judge", "Is it good?")
    _, errors = process.communicate(timeout=240)
    assert process.returncode == 2
    assert "--judge-model" in errors
    assert not Path(runs.store).exists()


def test_a_judge_without_a_price_is_refused_under_a_budget_of_money(runs: Runs) -> None:
    """Its cost would be unknown, so the budget could not hold: said before the goal is made."""
    judge = ("--judge", "Is it good?", "--judge-model", "openai-chat:a-model-of-our-own", "--budget", "$5")
    process = runs.start(
        "run",
        "Take steps",
        *runs.agent,
        *judge,
        OPENAI_API_KEY="a-key-of-the-tests",
        OPENAI_BASE_URL="http://127.0.0.1:9",
    )
    _, errors = process.communicate(timeout=240)
    assert process.returncode == 2
    assert "the price of the judge's model 'a-model-of-our-own' is unknown" in errors
    assert runs.json("list")["goals"] == []


def test_a_model_judges(runs: Runs) -> None:
    """What it says no to goes on, its yes ends the goal verified, and its tokens are the goal's."""
    with running_model_server() as server:
        server.script = [answering("fail", reasons=["no second step"]), answering("pass")]
        told = runs.run(
            *("Take steps", "--judge", "Is it good?", "--judge-model", "openai-chat:gpt-4o-mini"),
            AGENT_TURNS="1",
            OPENAI_BASE_URL=f"http://127.0.0.1:{server.port}/v1",
            OPENAI_API_KEY="a-key-of-the-tests",
        )
    assert [line["event"] for line in told].count("checking") == 2
    goal = runs.newest()
    assert (goal["status"], goal["reason"]) == ("completed", "verified")
    turns = runs.json("turns", goal["id"])
    assert [(turn["kind"], turn["usage"]["tokens"]) for turn in turns] == [("work", 1000), ("judge", 1050)] * 2
    assert "no second step" in json.dumps(runs.json("events", goal["id"]))


def test_a_server_that_is_no_models_is_an_error_and_not_a_no(runs: Runs) -> None:
    """It speaks another interface than the one asked for: the run says so and pauses, without a traceback."""
    with running_model_server() as server:
        server.script = [answering("pass")]
        told = runs.run(
            *("Take steps", "--judge", "Is it good?", "--judge-model", "openai-responses:gpt-4o-mini"),
            expect=27,
            AGENT_TURNS="1",
            OPENAI_BASE_URL=f"http://127.0.0.1:{server.port}/v1",
            OPENAI_API_KEY="a-key-of-the-tests",
        )
    assert told[-1]["reason"] == "failed"
    assert "judge_bad_output" in json.dumps(runs.json("show", told[-1]["goal_id"])["checks"])


def test_ctrl_c_pauses(runs: Runs) -> None:
    """The running turn is cancelled at once, the goal paused by the user; the same command goes on."""
    process = runs.start("run", "Take steps", *runs.agent, "--json", AGENT_SECONDS="60")
    agent = runs.until_started()
    interrupt(process)
    told = runs.end(process, expect=130)
    assert not lives(agent)
    assert (told[-1]["reason"], told[-1]["note"], told[-1]["exit_code"]) == ("user", "interrupted", 130)
    told = runs.run("Take steps", AGENT_TURNS="1")
    assert "was paused (user: interrupted)" in told[0]["detail"]
    assert runs.newest()["reason"] == "asserted"


def test_ctrl_c_twice_kills(runs: Runs) -> None:
    """An agent that does not stop when asked is killed with its process group, and the command is gone."""
    (runs.workspace / "agent.py").write_text(
        "import os, signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import signal, time;"
        " signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(60)'],"
        " stdout=subprocess.PIPE)\n"
        "child.stdout.readline()\n"
        "open('started', 'w').write(f'1 {os.getpid()}\\n2 {child.pid}\\n')\n"
        "time.sleep(60)\n"
    )
    process = runs.start("run", "Take steps", *runs.agent)
    agent, child = runs.until_started(), runs.until_started(2)
    interrupt(process)
    time.sleep(0.3)
    interrupt(process)
    process.communicate(timeout=240)
    assert process.returncode == 130
    until(lambda: not lives(agent) and not lives(child), seconds=240)


def test_sigterm_leaves_the_goal_to_others(runs: Runs) -> None:
    """The turn is cancelled and the lease given back; the goal stays active."""
    process = runs.start("run", "Take steps", *runs.agent, "--json", AGENT_SECONDS="60")
    agent = runs.until_started()
    process.terminate()
    told = runs.end(process, expect=128 + signal.SIGTERM)
    assert (told[-1]["status"], lives(agent)) == ("active", False)
    assert runs.json("show", told[-1]["goal_id"])["lease"]["worker"] is None


@pytest.mark.parametrize(
    ("change", "code"),
    [(("pause",), 20), (("clear",), 28), (("complete",), 0), (("create", "Another", "--replace"), 21)],
)
def test_a_stop_from_elsewhere_ends_the_run(runs: Runs, change: tuple[str, ...], code: int) -> None:
    """Within a heartbeat; the running turn is cancelled, and none follows."""
    process = runs.start("run", "Take steps", *runs.agent, "--json", AGENT_SECONDS="60")
    agent = runs.until_started()
    runs.json(*change)
    runs.end(process, expect=code)
    assert not lives(agent)
    assert len(runs.started()) == 1


def test_the_second_run_says_who_has_it(runs: Runs) -> None:
    """One goal, one driver; the first is not disturbed."""
    process = runs.start(
        "run", "Take steps", *runs.agent, "--json", "--worker", "first", AGENT_TURNS="1", AGENT_UNTIL="go"
    )
    runs.until_started()
    second = runs.start("run", *runs.agent)
    _, errors = second.communicate(timeout=240)
    assert second.returncode == 29
    assert "is driven by 'first'" in errors
    (runs.workspace / "go").touch()
    assert runs.end(process, expect=0)[-1]["reason"] == "asserted"


def test_a_lease_taken_by_another_has_its_code(runs: Runs) -> None:
    """A driver that was stopped for longer than its lease lasts finds another one at work, and says so."""
    process = runs.start("run", "Take steps", *runs.agent, "--worker", "first", AGENT_SECONDS="60")
    agent = runs.until_started()
    with telic.connect(runs.store) as store:
        goal = store.active()
        assert goal is not None
        stolen = store.claim(goal.id, worker="first")
        store.release_lease(stolen)
        store.claim(goal.id, worker="second")
        _, errors = process.communicate(timeout=240)
    assert process.returncode == 30
    assert "second" in errors
    assert not lives(agent)


def test_it_waits_with_its_goal(runs: Runs) -> None:
    """The wait ends at its time, and the loop goes on by itself."""
    (runs.workspace / "agent.py").write_text(
        "import json, os, sys\nsys.stdin.read()\nnumber = int(os.environ['TELIC_TURN_NUMBER'])\n"
        "claim = {'claim': 'waiting', 'wake_after_seconds': 2} if number == 1 else {'claim': 'complete'}\n"
        "print(json.dumps({'type': 'claim', **claim}))\n"
    )
    events = [line["event"] for line in runs.run("Wait for it")]
    assert [event for event in events if event in ("sleeping", "woken", "completed")] == [
        "sleeping",
        "woken",
        "completed",
    ]
    kinds = [(event["kind"], event["data"].get("woken_by")) for event in runs.json("events", runs.newest()["id"])]
    assert ("resumed", "time") in kinds


def test_a_taken_slot_ends_the_wait(runs: Runs) -> None:
    """Another goal became the scope's active one: this one is superseded when its time comes, and the run says so."""
    process = runs.start(
        "run",
        "Wait",
        *runs.agent,
        "--json",
        AGENT_TURNS="1",
        AGENT_CLAIM='{"claim": "waiting", "wake_after_seconds": 2}',
    )
    until(lambda: runs.reason() == "waiting")
    runs.json("create", "Another", "--replace")
    assert runs.end(process, expect=21)[-1]["reason"] == "superseded"


def test_ctrl_c_while_waiting_leaves_it_waiting(runs: Runs) -> None:
    """Only the command ends."""
    process = runs.start("run", "Ship it", *runs.agent, "--approve", "Ship?", "--json", AGENT_TURNS="1")
    until(lambda: runs.reason() == "waiting")
    interrupt(process)
    assert runs.end(process, expect=130)[-1]["reason"] == "waiting"


def test_people_reject_and_approve(runs: Runs) -> None:
    """A rejection reaches the agent and it goes on; an approval completes the goal, while the run waits for both."""
    process = runs.start("run", "Ship it", *runs.agent, "--approve", "Ship?", "--json", AGENT_TURNS="1")
    for answer in (("reject", "--note", "add tests", "--by", "Ada"), ("approve", "--by", "Ada")):
        until(lambda: runs.reason() == "waiting")
        (check,) = runs.json("show", runs.newest()["id"])["checks"]
        assert (check["pending"], check["verdict"]["outcome"]) == (True, "pending")
        assert runs.json(*answer)["woken"] is True
    assert runs.end(process, expect=0)[-1]["reason"] == "verified"
    assert len(runs.started()) == 2
    (check,) = runs.json("show", runs.newest()["id"])["checks"]
    assert (check["approval"]["decided_by"], check["pending"]) == ("Ada", False)


def test_answers_are_asked_for_clearly(runs: Runs) -> None:
    """No approval asked, several asked, none of this number: one helpful line, and nothing written."""
    goal = runs.json("create", "Ship it", "--approve", "Ship?", "--approve", "Tell?", "--check", "true")
    for arguments in ((), ("--criterion", "1"), ("--criterion", "9")):
        process = runs.start("approve", goal["id"], *arguments)
        _, errors = process.communicate(timeout=240)
        assert process.returncode == 2
        assert "2. Ship?; 3. Tell?" in errors
    runs.json("approve", goal["id"], "--criterion", "3")
    assert [check["pending"] for check in runs.json("show", goal["id"])["checks"]] == [False, True, False]


def test_show_tells_what_failed(runs: Runs) -> None:
    """The last verdicts with the end of what the checks printed."""
    runs.run(
        "Take steps", "--turns", "1", "--check", f"{sys.executable} -c 'print(6*7); raise SystemExit(3)'", expect=22
    )
    shown = subprocess.run(
        [TELIC, "show", runs.newest()["id"]], capture_output=True, text=True, env=runs.environment(), check=True
    ).stdout
    assert "1. failed" in shown
    assert "exit code 3" in shown
    assert "| 42" in shown


def test_a_live_line_on_a_terminal(runs: Runs) -> None:
    """It tells turns, tokens of the budget, time and the last verdict; at the end the terminal is as before."""
    environment = runs.environment(TERM="xterm", COLUMNS="200", AGENT_SECONDS="1.2")
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(runs.workspace)
        arguments = ["run", "Take steps", *runs.agent, "--budget", "100k", "--check", "test -f step-3"]
        os.execve(TELIC, ["telic", *arguments], environment | {"AGENT_TURNS": "1"})
    shown = b""
    with contextlib.suppress(OSError):
        while chunk := os.read(terminal, 4096):
            shown += chunk
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    text = shown.decode()
    assert re.search(
        r"turn 3 · 2 turns, 2,000 of 100,000 tokens, \w+ of work · \w+ · last verdict failed: test -f", text
    )
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1, "the cursor is back"


def test_a_reader_that_goes_away_stops_no_work(runs: Runs) -> None:
    """`telic run | head -1` works on to the end."""
    process = runs.start("run", "Take steps", *runs.agent, AGENT_SECONDS="0.2")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=240) == 0
    process.stderr.close()
    assert runs.newest()["reason"] == "asserted"
