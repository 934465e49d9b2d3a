"""What the command says to do next can be done: each option, command and id that a hint names is there."""

import inspect
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path

import click
import pytest

import telic
from telic import LoopPolicy, LoopSettings, ModelUsage
from telic.interfaces.cli import app
from telic.interfaces.cli.exit_codes import failure, in_shell_words
from telic.services.outcomes import OUTCOMES

COMMANDS = sorted(app.every_command())
SERVING = {"dashboard", "mcp", "top", "hook", "install", "worker"}
"""Given a usable value, these serve, or write outside the store: only what they cannot read is tried."""
WRONG = ("", "wrong!", "-1", "0", "5usd", "yesterday", "90", "--no-hurry", "01a21ea7", "9" * 30)

LIBRARY = {
    name
    for _, method in inspect.getmembers(telic.GoalStore, inspect.isfunction)
    for name in inspect.signature(method).parameters
} | {field.name for kind in (LoopPolicy, LoopSettings, ModelUsage) for field in fields(kind)}
"""How the library calls what is typed on a command line in other words."""

Refused = Callable[..., tuple[int, str]]


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Refused:
    """Runs the command on a store with an active and two paused goals, and gives its exit code and standard error."""
    store = str(tmp_path / "goals.db")
    with telic.connect(store) as goals:
        for text in ("first", "second", "third"):
            goals.create(text)
    monkeypatch.setenv("TELIC_STORE", store)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("TELIC_AGENT", raising=False)
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str]:
        code = app.run(words)
        return code, capsys.readouterr().err

    return run


def assert_it_speaks_of_what_can_be_typed(line: tuple[str, ...], said: str) -> None:
    """No message names an argument of the library; what somebody typed may stand there in quotes."""
    words = re.sub(r"'[^']*'|\"[^\"]*\"|“[^”]*”", "", said)
    named = set(re.findall(r"(?<![\w-])[a-z]+(?:_[a-z]+)+(?!\w)", words))
    assert not named & LIBRARY, (line, said)


def options_of(command: click.Command) -> set[str]:
    return {name for parameter in command.params for name in parameter.opts} | {"--help", "-h"}


def wrong_lines(name: str) -> Iterator[tuple[str, ...]]:
    """Lines that the command should refuse: options that it has not, without values, and with wrong ones."""
    yield (name, "--no-such-option")
    yield (name, *("word",) * 9)
    for parameter in app.every_command()[name].params:
        if isinstance(parameter, click.Option) and not parameter.is_flag:
            yield (name, parameter.opts[0])
            if name not in SERVING:
                yield from ((name, parameter.opts[0], value) for value in WRONG)
    if name not in SERVING:
        yield from ((name, value) for value in WRONG)
    if name not in SERVING and "--actor" in options_of(app.every_command()[name]):
        yield (name, "--actor", "model")
        yield (name, "--actor", "verifier")


def assert_hint_can_be_followed(name: str, line: tuple[str, ...], said: str) -> None:
    """Each part of the hint names options of the command that it names, or else of the one that was typed."""
    assert "COMMAND" not in said, line
    for hint in re.findall(r"^hint: (.*)$", said, re.MULTILINE):
        for part in hint.split("; "):
            named = re.findall(r"\btelic ([a-z]+)", part)
            assert all(each in COMMANDS for each in named), (line, part)
            command = app.every_command()[named[0] if named else name]
            options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", part))
            assert options <= options_of(command), (line, part)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_hint_names_only_what_there_is(refused: Refused, name: str) -> None:
    for line in wrong_lines(name):
        code, said = refused(*line, *(("--idle", "0") if name == "watch" else ()))
        if code:
            # 3 and 10 may also be findings, which standard output tells.
            assert said.startswith("telic: ") or code in (3, 10), line
            assert_hint_can_be_followed(name, line, said)
            assert_it_speaks_of_what_can_be_typed(line, said)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_message_names_an_option_only_where_the_command_has_it(name: str) -> None:
    """Else it speaks of the thing in words: a budget of cost is no `--cost`."""
    command = app.every_command()[name]
    for argument in LIBRARY | {"active_microseconds", "cost_microunits"}:
        said = in_shell_words(f"the sum of {argument} is too large, unlike 'goal_id'", command)
        assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", said)) <= options_of(command)
        assert said.endswith("'goal_id'")


@pytest.mark.parametrize("limit", ["$0", "0", "0h", "0turns", "9" * 20, "$" + "9" * 15], ids=str)
@pytest.mark.parametrize("line", [("create", "x", "--budget"), ("budget",)], ids=str)
def test_a_budget_out_of_its_range_is_refused_as_it_was_typed(
    refused: Refused, line: tuple[str, ...], limit: str
) -> None:
    code, said = refused(*line, limit)
    assert code == 2
    assert repr(limit) in said
    assert "--cost" not in said
    assert "--time" not in said
    assert "$5" not in said, "the shell did no harm"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_next_step_fits_every_command(name: str) -> None:
    """Whatever error a command ends in, the step that follows can be taken."""
    command = app.every_command()[name]
    for code in OUTCOMES:
        kind = type("Anything", (telic.GoalError,), {"code": code})
        _, hint = failure(kind("x"), command)
        assert_hint_can_be_followed(name, (name, code), f"hint: {hint}" if hint else "")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (("list", "--limit", "0"), "limit must be from 1 to 1000"),
        (("creat", "x"), "No such command 'creat'. Did you mean 'create'?"),
        (("qqq",), "No such command 'qqq'.\n"),
        (("usage", "--since", "yesterday"), "'yesterday' is no moment: write 2026-12-31"),
        (("record", "--cost", "five"), "'five' is no amount of money: write 0.25 or $0.25"),
        (("record", "--cost", "2h"), "'2h' is no amount of money"),
        (("record", "--key", "k"), "say what the turn consumed: --tokens N"),
        (("pause", "--wake-in", "90"), "'90' is no time: write 90s, 90m or 2h"),
        (("budget", "5ducats"), "put money in single quotes, '$5'"),
        (("budget", "€5"), "'€5' is no budget"),
        (("create", "x", "--budget", "--check", "true"), "put money in single quotes, '$5'"),
        (("create", "x", "--budget"), "put money in single quotes, '$5'"),
        (("complete", "--actor", "model"), "at the revision that it has seen (--revision)"),
        (("release", "--hold", "nope"), "the goal has no hold with the key 'nope'"),
        (("record", "--input", "-1"), "--input must be"),
        (("hold", "--ttl", "0"), "--ttl must be from 0.001"),
        (("create", "max_chars", "--max-chars", "0"), "--max-chars must be from 1"),
        (("run", "x"), "--agent"),
        (("import", "zeph", "nofile"), "name a FILE"),
        (("export", "/no/such/folder/x"), "name a FILE"),
        (("create", "x"), "--replace"),
    ],
)
def test_a_wrong_input_is_answered_in_its_own_words(refused: Refused, line: tuple[str, ...], said: str) -> None:
    code, answer = refused(*line)
    assert code in (2, 4, 6, 9)
    assert said in answer


def test_several_paused_goals_are_named(refused: Refused) -> None:
    """`telic resume` cannot know which is meant, and says which there are."""
    code, answer = refused("resume")
    assert code == 2
    assert "“first”" in answer
    assert "“second”" in answer


def test_money_without_its_sign_is_money_where_nothing_else_can_be_meant(refused: Refused) -> None:
    assert refused("record", "--cost", "0.25", "--key", "k")[0] == 0
    with telic.connect("goals.db") as store:
        goal = store.active()
        assert goal is not None
        assert goal.cost_microunits_used == 250_000


def test_help_shows_every_command_with_its_whole_summary(
    refused: Refused, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bare `telic` is the help; no summary is cut off, at 80 columns either."""
    monkeypatch.setenv("COLUMNS", "80")
    code, bare = refused()
    assert code == 2
    assert app.run(["--help"]) == 0
    shown = capsys.readouterr().out
    assert shown == bare
    assert "…" not in shown
    assert "..." not in shown.split("Commands:")[1]
    for name in COMMANDS:
        assert re.search(rf"^    {name} ", shown, re.MULTILINE), name


def test_help_and_version_can_be_asked_for_in_the_usual_ways(
    refused: Refused, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = []
    for line in (["help", "show"], ["show", "--help"], ["show", "-h"]):
        assert app.run(line) == 0
        texts.append(capsys.readouterr().out)
    assert "Usage: telic show" in texts[0]
    assert len(set(texts)) == 1
    for line in (["version"], ["-V"], ["--version"]):
        assert app.run(line) == 0
        assert "0.1.0" in capsys.readouterr().out
    assert refused("help", "nonsense")[0] == 2


def test_a_next_step_names_the_goal_that_the_command_was_about(refused: Refused) -> None:
    """It can be pasted as it is, after a success and after an error, with an id typed or not."""
    with telic.connect("goals.db") as store:
        third, second, first = store.list().goals
    lines = {
        ("release", "--hold", "nope"): third,
        ("budget", "2M", "--revision", "9"): third,
        ("edit", "another text"): third,
        ("record", second.id, "--tokens", "5"): second,
        ("wake", first.id[-8:]): first,
        ("pause", first.id): first,
        ("record", "--tokens", "5", "--hold", "nope"): third,
        ("hold", "--tokens", "5", "--key", "k"): third,
        ("pause", "--wake-signal", "deploy"): third,
    }
    for line, goal in lines.items():
        _, said = refused(*line)
        hint = said.splitlines()[-1]
        assert "hint: " in hint, said
        assert not re.search(r"\bID\b", hint), said
        (named,) = set(re.findall(r"\b[0-9a-f]{12}\b", hint)) or {""}
        assert refused("show", named)[0] == 0, said
        assert goal.id.endswith(named), said


def test_a_next_step_without_a_known_goal_needs_none(refused: Refused) -> None:
    """A command without an id means the scope's active goal, or its latest."""
    _, said = refused("usage", "--scope", "empty")
    assert "telic record --tokens N" in said


def test_a_run_is_told_what_becomes_of_the_goal_in_its_way(refused: Refused) -> None:
    """An active one is paused, a paused one is only put aside; and how to go on with it instead."""
    with telic.connect("goals.db") as store:
        for becomes in ("--replace pauses it", "--replace puts it aside"):
            _, said = refused("run", "another text", "--agent", "true")
            assert becomes in said
            (named,) = re.findall(r"telic run ([0-9a-f]{12}) goes on with it", said)
            assert store.find(named).id in said
            if (active := store.active()) is not None:
                store.pause(active.id)


def test_a_question_is_shown_with_both_answers(refused: Refused) -> None:
    """Each as it can be typed."""
    refused("create", "fourth", "--approve", "Ship it?", "--approve", "Now?", "--replace")
    _, said = refused("show")
    answers = re.findall(r"telic (approve|reject) ([0-9a-f]{12}) --criterion (\d)", said)
    assert [(word, number) for word, _, number in answers] == [("approve", "1"), ("reject", "1")]
    for answer, name, number in answers:
        assert refused(answer, name, "--criterion", number)[0] == 0


def test_a_workers_next_steps_can_be_pasted(refused: Refused) -> None:
    """Whatever the worker is called."""
    _, said = refused("claim", "--worker", "host one/$$")
    steps = [re.split(r" (?:keeps|lets) it", step)[0] for step in re.findall(r"telic (?:renew|unclaim) .*?(?=;)", said)]
    assert [refused(*shlex.split(step)[1:])[0] for step in steps] == [0, 0]
