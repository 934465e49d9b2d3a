"""Commands as agents: what each way of ending means, with real processes."""

import asyncio
import json
import os
import pickle
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from telic import ModelUsage
from telic.errors import (
    AgentConversationLost,
    AgentExited,
    AgentFailure,
    AgentNotRunnable,
    AgentOutputBroken,
    AgentPromptTooLarge,
    AgentSaidNothing,
    AgentTimedOut,
    AgentTurnFailed,
)
from telic.loop.agents.command import CommandAgent
from telic.loop.agents.json_lines import JSON_LINES, PLAIN
from telic.loop.agents.presets import (
    CLAUDE_CODE,
    CODEX,
    claude_code_agent,
    codex_agent,
    copilot_agent,
    gemini_agent,
    known_agent,
    opencode_agent,
    qwen_agent,
)
from telic.loop.agents.protocol import Claim, QuotaReached, TurnReport, Wake
from telic.testing import FakeClock
from telic.types import Instant
from tests.loop.conftest import MakeAgent, MakeRequest
from tests.loop_driver.world import eventually

SAMPLES = Path(__file__).parent / "samples"

PRINT_SAMPLE = """
import json, os, pathlib, sys
pathlib.Path("called.json").write_text(json.dumps({"argv": sys.argv[3:], "prompt": sys.stdin.read()}))
sys.stdout.write(pathlib.Path(sys.argv[1]).read_text())
sys.exit(int(sys.argv[2]))
"""


def sample_command(name: str, exit_code: int = 0) -> tuple[str, ...]:
    """A program that prints a sample, and writes down how it was called."""
    return (sys.executable, "-c", PRINT_SAMPLE, str(SAMPLES / name), str(exit_code))


def called(workspace: Path) -> dict[str, Any]:
    return json.loads((workspace / "called.json").read_text())


def printing(*messages: object, then: str = "") -> str:
    lines = "\n".join(message if isinstance(message, str) else json.dumps(message) for message in messages)
    return f"import sys, time\nsys.stdout.write({lines + chr(10)!r}); sys.stdout.flush()\n{then}"


async def test_plain_text_with_a_claim(make_request: MakeRequest, script_agent: MakeAgent) -> None:
    """The prompt comes on standard input; usage and tools are unknown, not 0."""
    agent = script_agent("import sys; print(sys.stdin.read()); print('TELIC: blocked: no key')")
    report = await agent.turn(make_request("Ünïcode prompt\n"))
    assert report == TurnReport(
        text="Ünïcode prompt\n\nTELIC: blocked: no key",
        claim=Claim.BLOCKED,
        note="no key",
        usage=None,
        tool_effects=None,
    )


async def test_the_prompt_may_be_an_argument(make_request: MakeRequest, script_agent: MakeAgent) -> None:
    """Only the placeholder of the command is filled in, not one that the prompt mentions."""
    agent = script_agent("import sys; print(sys.argv[1:], repr(sys.stdin.read()))", "--goal={prompt}", "{session}")
    report = await agent.turn(make_request("do {session} and {prompt}; $(rm -rf /)"))
    assert report.text == "['--goal=do {session} and {prompt}; $(rm -rf /)', ''] ''"


async def test_a_prompt_too_large_for_an_argument(make_request: MakeRequest, script_agent: MakeAgent) -> None:
    agent = script_agent("pass", "{prompt}")
    with pytest.raises(AgentPromptTooLarge, match="standard input"):
        await agent.turn(make_request("x" * 10_000_000))


async def test_a_prompt_of_many_megabytes_on_standard_input(make_request: MakeRequest, script_agent: MakeAgent) -> None:
    """While the command prints a lot: neither waits for the other."""
    agent = script_agent(
        "import sys\nprint('y' * 1000000)\nprint(len(sys.stdin.read()))\nprint('z' * 1000000)\nprint('end')"
    )
    assert (await agent.turn(make_request("x" * 5_000_000))).text.endswith("\nend")


async def test_the_command_knows_its_turn(make_request: MakeRequest, script_agent: MakeAgent) -> None:
    names = ("TELIC_TURN_NUMBER", "TELIC_TURN_KEY", "TELIC_SESSION", "COLOUR")
    code = f"import os; print(*(os.environ.get(name) for name in {names}))"
    report = await script_agent(code, environment={"COLOUR": "blue"}).turn(make_request(session="s-1"))
    assert report.text == "1 turn-1 s-1 blue"


async def test_lines_are_shown_as_they_come(make_request: MakeRequest, script_agent: MakeAgent) -> None:
    seen: list[str] = []
    await script_agent("print('one'); print('two', end='')", on_line=seen.append).turn(make_request())
    assert seen == ["one", "two"]


async def test_a_command_that_is_not_there(make_request: MakeRequest) -> None:
    with pytest.raises(AgentNotRunnable, match="No such file") as caught:
        await CommandAgent(argv=("/no/such/agent",)).turn(make_request(session="s-1"))
    assert caught.value.session == "s-1"


async def test_a_command_that_may_not_be_executed(make_request: MakeRequest, tmp_path: Path) -> None:
    (tmp_path / "agent").write_text("#!/bin/sh\n")
    with pytest.raises(AgentNotRunnable, match="Permission denied"):
        await CommandAgent(argv=(str(tmp_path / "agent"),)).turn(make_request())


async def test_a_workspace_that_is_not_there(make_request: MakeRequest, script_agent: MakeAgent) -> None:
    with pytest.raises(AgentNotRunnable, match="No such file"):
        await script_agent("pass").turn(make_request(workspace=Path("/no/such/folder")))


async def test_another_exit_code(make_request: MakeRequest, script_agent: MakeAgent) -> None:
    """The end of both streams is kept, errors last."""
    agent = script_agent("import sys; print('o' * 50000); print('why', file=sys.stderr); sys.exit(3)")
    with pytest.raises(AgentExited, match="exit code 3: why") as caught:
        await agent.turn(make_request())
    assert caught.value.output_tail.endswith("o\n\nwhy\n")
    assert len(caught.value.output_tail) <= 20_001


async def test_killed_by_a_signal(make_request: MakeRequest, script_agent: MakeAgent) -> None:
    with pytest.raises(AgentExited, match="killed by signal 9"):
        await script_agent("import os; os.kill(os.getpid(), 9)").turn(make_request())


LAST_MESSAGES = [
    {"type": "item.completed", "item": {"type": "agent_message", "text": "start a new conversation"}},
    {"type": "text", "text": "Error: connect ECONNREFUSED 127.0.0.1:443"},
    {"type": "text", "text": "You have hit your usage limit; it resets at 5pm"},
    {"type": "text", "text": f"{'x' * 20_000} You have hit your usage limit; it resets at 5pm"},
    {"type": "text", "text": "it said:\u2028You have hit your usage limit; it resets at 5pm"},
]


def as_line(message: dict[str, Any]) -> str:
    return json.dumps(message, ensure_ascii=False)


@pytest.mark.parametrize("end", ["os.kill(os.getpid(), 9)", "os._exit(3)"], ids=["killed", "exit code"])
@pytest.mark.parametrize("printed", [*map(as_line, LAST_MESSAGES), as_line(LAST_MESSAGES[1])[:-9]])
@pytest.mark.parametrize("host", [True, False], ids=["codex", "plain"])
async def test_a_message_is_no_error_unless_its_format_says_so(
    make_request: MakeRequest, tmp_path: Path, end: str, printed: str, host: bool
) -> None:
    """It is not taken for a lost conversation, a provider that is away, or a limit, and is not told as the error."""
    script = f"import os, sys; print({printed!r}, flush=True); {end}"
    command = (sys.executable, "-c", script)
    agent = codex_agent(command=command) if host else CommandAgent(argv=command)
    with pytest.raises(AgentExited) as caught:
        await agent.turn(make_request(session="0199a213-81c0-7800-8aa1-bbab2a035a53" if host else None))
    assert not caught.value.is_outage
    assert "conversation" not in str(caught.value)
    assert "ECONNREFUSED" not in str(caught.value)


async def test_an_error_is_a_line_of_its_own_whatever_was_printed_before(make_request: MakeRequest) -> None:
    script = "import sys; print('Loading', end='', flush=True); print('429 Sorry', file=sys.stderr); sys.exit(1)"
    report = await claude_code_agent(command=(sys.executable, "-c", script)).turn(make_request())
    assert report.quota is not None


async def test_a_command_that_prints_nothing(make_request: MakeRequest, script_agent: MakeAgent) -> None:
    with pytest.raises(AgentSaidNothing):
        await script_agent("pass").turn(make_request())


async def test_a_command_that_hangs(make_request: MakeRequest, script_agent: MakeAgent) -> None:
    """What it had used by then is known, and its conversation goes on."""
    code = printing({"type": "usage", "input_tokens": 5}, {"type": "session", "session": "s"}, then="time.sleep(60)")
    with pytest.raises(AgentTimedOut, match=r"0\.7 seconds") as caught:
        await script_agent(code, output_format=JSON_LINES).turn(make_request(timeout_seconds=0.7))
    assert caught.value.usage is not None
    assert (caught.value.usage.input_tokens, caught.value.session) == (5, "s")
    assert pickle.loads(pickle.dumps(caught.value)).usage == caught.value.usage


async def test_cancellation_kills_the_command(make_request: MakeRequest, script_agent: MakeAgent) -> None:
    started: asyncio.Queue[str] = asyncio.Queue()
    agent = script_agent("import os, time; print(os.getpid(), flush=True); time.sleep(60)", on_line=started.put_nowait)
    turn = asyncio.create_task(agent.turn(make_request()))
    pid = int(await started.get())
    turn.cancel()
    with pytest.raises(asyncio.CancelledError):
        await turn
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_huge_line_without_an_end(make_request: MakeRequest, script_agent: MakeAgent) -> None:
    """It is dropped, not kept: the error says so."""
    agent = script_agent("import os\nfor _ in range(1000): os.write(1, b'x' * 65536)", output_format=CODEX)
    with pytest.raises(AgentOutputBroken, match="1 lines were too long"):
        await agent.turn(make_request())


async def turn_of(agent: MakeAgent, request: MakeRequest, *messages: object, **options: Any) -> TurnReport:
    return await agent(printing(*messages), output_format=JSON_LINES, **options).turn(request())


async def test_the_line_protocol(make_request: MakeRequest, script_agent: MakeAgent) -> None:
    clock = FakeClock()
    report = await turn_of(
        script_agent,
        make_request,
        {"type": "text", "text": "Looked."},
        {"type": "tool", "name": "read", "changed": False, "output": "a"},
        {"type": "tool", "name": "write", "changed": True, "output": "b"},
        {"type": "usage", "input_tokens": 10, "cached_input_tokens": 4, "output_tokens": 3, "model": "m", "future": 1},
        {
            "type": "usage",
            "input_tokens": 1,
            "reasoning_tokens": 2,
            "output_tokens": 2,
            "cost_microunits": 7,
            "active_microseconds": 9,
        },
        {"type": "session", "session": "conversation 7"},
        {"type": "thought", "text": "not known yet"},
        "",
        {"type": "text", "text": "Waiting."},
        {"type": "claim", "claim": "waiting", "wake_after_seconds": 600, "signal": "ci", "note": "for CI"},
        clock=clock,
    )
    assert report == TurnReport(
        text="Looked.\nWaiting.",
        usage=ModelUsage(
            input_tokens=11,
            cached_input_tokens=4,
            output_tokens=5,
            reasoning_tokens=2,
            cost_microunits=7,
            active_microseconds=9,
        ),
        cost_is_known=True,
        model="m",
        session="conversation 7",
        tool_effects=1,
        tool_output_tail="a\nb",
        claim=Claim.WAITING,
        note="for CI",
        wake=Wake(at=Instant(clock.now() + 600_000_000), signal="ci"),
    )


async def test_what_the_line_protocol_does_not_say_is_unknown(
    make_request: MakeRequest, script_agent: MakeAgent
) -> None:
    report = await turn_of(script_agent, make_request, {"type": "text", "text": "x"})
    assert (report.usage, report.tool_effects, report.claim) == (None, None, Claim.WORKING)


async def test_the_time_of_a_turn_is_measured(make_request: MakeRequest, script_agent: MakeAgent) -> None:
    report = await turn_of(script_agent, make_request, {"type": "usage", "input_tokens": 1})
    assert report.usage is not None
    assert report.usage.active_microseconds > 1_000


async def test_a_quota_is_no_failure(make_request: MakeRequest, script_agent: MakeAgent) -> None:
    """Whatever the exit code, and with what was used by then."""
    lines = [{"type": "usage", "input_tokens": 5}, {"type": "quota", "resets_at": "2033-01-22T09:46:40Z"}]
    report = await script_agent(printing(*lines, then="sys.exit(1)"), output_format=JSON_LINES).turn(make_request())
    assert report.quota == QuotaReached(resets_at=Instant(1_990_000_000_000_000))
    assert report.usage is not None
    assert report.usage.input_tokens == 5


async def test_a_quota_beside_broken_usage(make_request: MakeRequest, script_agent: MakeAgent) -> None:
    lines = [{"type": "usage", "input_tokens": 5}, {"type": "usage", "input_tokens": -5}, {"type": "quota"}]
    report = await turn_of(script_agent, make_request, *lines)
    assert (report.quota, report.usage) == (QuotaReached(), None)


async def test_an_agent_may_say_that_it_failed(make_request: MakeRequest, script_agent: MakeAgent) -> None:
    with pytest.raises(AgentTurnFailed, match="provider is down") as caught:
        await turn_of(
            script_agent,
            make_request,
            {"type": "usage", "input_tokens": 5},
            {"type": "error", "message": "provider is down"},
        )
    assert caught.value.usage is not None


BROKEN = {
    "no JSON": ["Traceback", {"type": "text", "text": "x"}],
    "no JSON at all": ["Traceback"],
    "a list": [[1], {"type": "text"}],
    "no type": [{"text": "x"}, {"type": "text"}],
    "negative usage": [{"type": "usage", "input_tokens": -1}],
    "fractional usage": [{"type": "usage", "input_tokens": 1.5}],
    "more cached than input": [{"type": "usage", "input_tokens": 1, "cached_input_tokens": 2}],
    "unknown claim": [{"type": "claim", "claim": "finished"}],
    "waits for nothing": [{"type": "claim", "claim": "waiting"}],
    "waits for ages": [{"type": "claim", "claim": "waiting", "wake_after_seconds": 10**12}],
    "no time": [{"type": "claim", "claim": "waiting", "wake_at": "tomorrow"}],
    "session too long": [{"type": "session", "session": "x" * 1_001}],
}


async def test_usage_of_any_size_is_reported_as_it_was_told(make_request: MakeRequest, script_agent: MakeAgent) -> None:
    told = [{"type": "usage", "input_tokens": count} for count in (2**53 - 1, 1, 10**99)]
    report = await turn_of(script_agent, make_request, *told)
    assert report.usage is not None
    assert report.usage.input_tokens == 2**53 + 10**99


@pytest.mark.parametrize("messages", BROKEN.values(), ids=BROKEN)
async def test_broken_lines(make_request: MakeRequest, script_agent: MakeAgent, messages: list[object]) -> None:
    """Broken usage is unknown; nothing is recorded as if it were 0."""
    with pytest.raises(AgentOutputBroken) as caught:
        await turn_of(script_agent, make_request, *messages)
    assert caught.value.usage is None


async def test_a_last_line_cut_off_is_no_crash(make_request: MakeRequest, script_agent: MakeAgent) -> None:
    report = await turn_of(script_agent, make_request, {"type": "text", "text": "x"}, '{"type": "usage", "inp')
    assert (report.text, report.usage) == ("x", None)


async def test_claude_code_from_turn_to_turn(make_request: MakeRequest, tmp_path: Path) -> None:
    """The second turn continues the first one's session, and pays for itself alone."""
    agent = claude_code_agent(command=sample_command("claude_code_turn.jsonl"), model="opus", arguments=("--foo",))
    first = await agent.turn(make_request("Go."))
    stream = ["--output-format", "stream-json", "--verbose", "--include-partial-messages"]
    options = ["-p", *stream, "--model", "opus", "--foo"]
    assert called(tmp_path) == {"argv": options, "prompt": "Go."}
    assert first.claim is Claim.COMPLETE
    assert first.session is not None

    agent = claude_code_agent(command=sample_command("claude_code_resumed.jsonl"))
    second = await agent.turn(make_request("Go on.", session=first.session))
    assert called(tmp_path)["argv"][-2:] == ["--resume", first.session.split()[0]]
    assert second.usage is not None
    assert (second.usage.input_tokens, second.usage.cost_microunits) == (1_110, 1_580)


HOSTS = [
    (gemini_agent, "gemini", ["--output-format", "stream-json"], ["--resume", "{}"]),
    (copilot_agent, "copilot", ["--output-format", "json", "--session-id={new}"], ["--resume={}"]),
    (opencode_agent, "opencode", ["--format", "json"], ["--session", "{}"]),
    (qwen_agent, "qwen", ["--output-format", "stream-json"], ["--resume", "{}"]),
]


@pytest.mark.parametrize(("make", "name", "options", "resume"), HOSTS, ids=[name for _, name, _, _ in HOSTS])
async def test_hosts_continue_their_conversation(
    make_request: MakeRequest, tmp_path: Path, make: Any, name: str, options: list[str], resume: list[str]
) -> None:
    """From what they were given: the prompt on standard input, the session by its id alone."""
    home = {"HOME": str(tmp_path)}
    first = await make(command=sample_command(f"{name}_turn.jsonl"), arguments=("--foo",), environment=home).turn(
        make_request("Go.")
    )
    told = called(tmp_path)
    assert told["prompt"] == "Go."
    assert told["argv"][0] == "--foo"
    new = told["argv"][-1].partition("=")[2]
    assert told["argv"][1:] == [option.format(new=new) for option in options]
    assert first.text == "I looked at the code and go on next."
    assert first.session is not None
    second = await make(command=sample_command(f"{name}_resumed.jsonl"), environment=home).turn(
        make_request("Go on.", session=first.session)
    )
    assert called(tmp_path)["argv"][-len(resume) :] == [word.format(first.session.split()[0]) for word in resume]
    assert (second.claim, second.session.split()[0]) == (Claim.COMPLETE, first.session.split()[0])


@pytest.mark.parametrize(
    ("line", "argv", "name"),
    [
        ("claude --foo", ["claude", "-p"], "claude_code"),
        ("/opt/bin/codex exec --foo", ["/opt/bin/codex", "exec", "--json", "--foo"], "codex"),
        ("codex --foo", ["codex", "exec", "--json", "--foo"], "codex"),
        ("gemini --foo -p ''", ["gemini", "--foo", "--output-format"], "gemini"),
        ("copilot -s", ["copilot", "-s", "--output-format", "json"], "copilot"),
        ("opencode --foo", ["opencode", "run", "--foo", "--format", "json"], "opencode"),
        ("opencode run --foo", ["opencode", "run", "--foo", "--format", "json"], "opencode"),
        ("qwen", ["qwen", "--output-format", "stream-json"], "qwen"),
    ],
)
def test_hosts_are_known_by_their_commands(line: str, argv: list[str], name: str) -> None:
    agent = known_agent(shlex.split(line))
    assert agent is not None
    assert (list(agent.argv[: len(argv)]), agent.output_format.name) == (argv, name)


def test_other_commands_are_not_known() -> None:
    assert known_agent(["python3", "claude"]) is None


async def test_a_host_that_has_printed_nothing_has_asked_for_nothing(make_request: MakeRequest, tmp_path: Path) -> None:
    """So what a turn used that was cancelled at once is known; of another command it is not."""
    for output_format, told in ((CODEX, [ModelUsage()]), (PLAIN, [])):
        heard: list[ModelUsage] = []
        started = tmp_path / output_format.name
        argv = ("sh", "-c", f"touch {output_format.name}; exec sleep 600")
        agent = CommandAgent(argv=argv, output_format=output_format, grace_seconds=0.2)
        request = make_request(report_usage=lambda usage, heard=heard, **_: heard.append(usage))
        running = asyncio.create_task(agent.turn(request))
        await eventually(started.exists)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert heard == told


async def test_codex_from_turn_to_turn(make_request: MakeRequest, tmp_path: Path) -> None:
    first = await codex_agent(command=sample_command("codex_turn.jsonl"), model="m").turn(make_request("Go."))
    assert called(tmp_path) == {"argv": ["exec", "--json", "--model", "m", "-"], "prompt": "Go."}
    assert first.session is not None

    agent = codex_agent(command=sample_command("codex_resumed.jsonl"), arguments=("--sandbox", "workspace-write"))
    second = await agent.turn(make_request("Go on.", session=first.session))
    resume = ["resume", first.session.split()[0], "-"]
    assert called(tmp_path)["argv"] == ["exec", "--json", "--sandbox", "workspace-write", *resume]
    assert second.usage is not None
    assert second.usage.input_tokens == 100


@pytest.mark.parametrize("session", ["--dangerously-skip-permissions", "a b", "-"])
async def test_a_session_cannot_add_an_option(make_request: MakeRequest, tmp_path: Path, session: str) -> None:
    await codex_agent(command=sample_command("codex_turn.jsonl")).turn(make_request(session=session))
    assert called(tmp_path)["argv"] == ["exec", "--json", "-"]


@pytest.mark.parametrize(
    ("name", "output_format", "kind"),
    [
        ("claude_code_429.jsonl", CLAUDE_CODE, "quota"),
        ("claude_code_rate_limit.jsonl", CLAUDE_CODE, "quota"),
        ("codex_usage_limit.jsonl", CODEX, "quota"),
        ("claude_code_max_turns.jsonl", CLAUDE_CODE, "report"),
        ("claude_code_session_lost.jsonl", CLAUDE_CODE, AgentConversationLost),
        ("codex_full.jsonl", CODEX, AgentConversationLost),
        ("codex_429.jsonl", CODEX, "quota"),
        ("codex_failed.jsonl", CODEX, AgentTurnFailed),
    ],
)
async def test_how_the_command_lines_end_badly(
    make_request: MakeRequest, name: str, output_format: Any, kind: Any
) -> None:
    """All of these end with exit code 1; only some are failures."""
    turn = CommandAgent(argv=sample_command(name, 1), output_format=output_format).turn(make_request())
    if isinstance(kind, str):
        report = await turn
        assert (report.quota is not None) == (kind == "quota")
    else:
        with pytest.raises(AgentFailure) as caught:
            await turn
        assert type(caught.value) is kind


@pytest.mark.parametrize("output_format", [CLAUDE_CODE, CODEX])
async def test_text_is_no_result(make_request: MakeRequest, script_agent: MakeAgent, output_format: Any) -> None:
    with pytest.raises(AgentOutputBroken, match="without a result") as caught:
        await script_agent("print('Hello')", output_format=output_format).turn(make_request())
    assert "Hello" in caught.value.output_tail
