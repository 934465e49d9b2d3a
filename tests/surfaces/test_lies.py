"""The contract for surfaces finds what a surface tells wrongly, and says of which fact."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import telic
from telic.prompt.escape import visible
from telic.services.chat.commands import execute
from telic.services.chat.reply_text import render
from telic.testing.surfaces import (
    FACTS,
    ROW_FACTS,
    Reading,
    ShownGoal,
    Surface,
    make_shown_goals,
    wrong_facts,
)
from telic.testing.surfaces.text import VOCABULARY
from telic.wording.amounts import first_words

SURFACE = Surface("one that lies", read=lambda *_: {}, rows=lambda *_: {})


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> telic.GoalStore:
    path: Path = tmp_path_factory.mktemp("lies") / "goals.db"
    return telic.connect(str(path))


@pytest.fixture(scope="module")
def goals(store: telic.GoalStore) -> Mapping[str, ShownGoal]:
    return make_shown_goals(store)


def truth(store: telic.GoalStore, shown: ShownGoal) -> str:
    """Return what a chat tells of the goal."""
    scope, name = shown.goal.scope, shown.goal.id
    return "\n".join(render(execute(store, f"/goal {verb} {name}", scope=scope)) for verb in ("status", "history"))


def row(store: telic.GoalStore, shown: ShownGoal) -> str:
    lines = render(execute(store, "/goal list", scope=shown.goal.scope)).splitlines()
    return next(line for line in lines if visible(first_words(shown.goal.text))[:20] in line)


@dataclass(frozen=True)
class Lie:
    """What a surface tells wrongly: of which fact, of which goal, and how."""

    fact: str
    of: str
    tell: Callable[[str], str]
    how: str

    def __str__(self) -> str:
        return f"{self.fact}: {self.how}"


def swap(old: str, new: str) -> Callable[[str], str]:
    return lambda text: text.replace(old, new)


def drop(word: str) -> Callable[[str], str]:
    """Leave out each line that has the word."""
    return lambda text: "\n".join(line for line in text.splitlines() if word not in line)


def add(line: str) -> Callable[[str], str]:
    """Tell one more thing at the top."""
    return lambda text: text.replace("\n", f"\n  {line}\n", 1)


def change(pattern: str, new: str) -> Callable[[str], str]:
    return lambda text: re.sub(pattern, new, text, count=1)


LIES = (
    Lie("status", "blocked", swap("paused (", "active ("), "another status"),
    Lie("status", "active", add("status  paused"), "two statuses"),
    Lie("status", "verified", drop("  status"), "left out"),
    Lie("status", "active", change("active,", "is not active,"), "not where it is looked for"),
    Lie("reason", "asserted", swap("(asserted)", "(verified)"), "verified of one that is not"),
    Lie("reason", "accepted", add("its criteria: verified"), "verified on a line of its own"),
    Lie("reason", "active", swap("active,", "active (user),"), "one where there is none"),
    Lie("reason", "out-of-budget", swap(" (budget)", ""), "left out"),
    Lie("note", "blocked", drop("  note"), "left out"),
    Lie("note", "stalled", add("note  it is night"), "one where there is none"),
    Lie("note", "stalled", swap("(stalled)", "(stalled): it is night"), "one behind the status"),
    Lie("id", "active", change("[0-9a-f-]{36}", "019a0000-0000-7000-8000-000000000000"), "another's"),
    Lie("scope", "active", change("(?m)^  scope .*$", "  scope  elsewhere"), "another"),
    Lie("scope", "active", drop("  scope"), "left out"),
    Lie("text", "active", swap("│ Count each", "│ Count no"), "another"),
    Lie("text", "hostile", drop("second line"), "cut"),
    Lie("text", "hostile", swap("\\x1b[31m", "\x1b[31m"), "with a character that controls a terminal"),
    Lie("revision", "blocked", swap("revision 2", "revision 1"), "a former one"),
    Lie("revision", "blocked", swap(", revision 2", ""), "left out"),
    Lie("budget", "active", swap("1,500 of 10,000", "10,000 of 1,500"), "used and limit swapped"),
    Lie("budget", "active", swap("1,500 of 10,000", "1,500"), "without its limit"),
    Lie("budget", "unlimited", swap("tokens       7", "tokens       7 of 10"), "a limit where there is none"),
    Lie("usage", "active", swap("1,500 of", "1,501 of"), "another amount"),
    Lie("usage", "active", swap("1m30s of", "1m00s of"), "another time"),
    Lie("usage", "active", drop("  cost"), "a cost left out"),
    Lie("usage", "unlimited", change("cost +\\S+", "cost  $0.00"), "rounded to nothing"),
    Lie("usage", "estimated", swap(" (some estimated)", ""), "an estimate as known"),
    Lie("usage", "active", swap("1,500 of 10,000", "1,500 of 10,000 (some estimated)"), "known as an estimate"),
    Lie("usage", "active", swap("(15%)", "(85%)"), "another percentage"),
    Lie("usage", "unlimited", swap("tokens       7", "tokens       7 (70%)"), "a percentage of no limit"),
    Lie("wake_at", "waiting-for-a-time", swap("2100-01-01", "2100-01-02"), "another day"),
    Lie("wake_at", "waiting-for-either", change("at 2100.* or ", ""), "left out"),
    Lie("wake_at", "stalled", add("wakes  at 2100-01-01 00:00:00Z"), "one where there is none"),
    Lie("wake_signal", "waiting-for-a-signal", swap("on the signal ", "on the signal not-"), "another"),
    Lie("wake_signal", "waiting-for-a-signal", drop("  wakes"), "left out"),
    Lie("outcomes", "some-criteria-failed", swap("2. failed", "2. passed"), "passed of one that failed"),
    Lie(
        "outcomes", "some-criteria-failed", change("1. passed (?s:(.*))2. failed", r"1. failed \1 2. passed"), "swapped"
    ),
    Lie("outcomes", "checked-and-edited", swap("not checked", "failed"), "of the criterion before"),
    Lie("outcomes", "asking-a-person", drop("  criterion"), "a criterion left out"),
    Lie("outcomes", "active", add("criterion  1. passed command: make test"), "of one that is not there"),
    Lie("outcomes", "some-criteria-failed", add("criteria: 2 of 3 passed, 1 failed"), "miscounted"),
    Lie("why", "some-criteria-failed", drop("because: "), "left out"),
    Lie("why", "asking-a-person", swap("pending", "pending\nby Bob: go on"), "an answer that nobody gave"),
    Lie("worker", "driven", change("driven by [^ ]+", "driven by nobody-else"), "another"),
    Lie("worker", "driven", change("driven by.*", "nobody drives it"), "nobody"),
    Lie("worker", "active", swap("nobody drives it", "driven by w-7 for another 5m00s (token 3)"), "one where none is"),
    Lie("worker", "active", add("driven by w-7"), "one on another line"),
    Lie("is_due_later", "due-later", change("; its next step.*", ""), "left out"),
    Lie("is_due_later", "active", swap("nobody drives it", "nobody drives it; its next step is due in 5m00s"), "told"),
    Lie("held", "holding", drop("open hold"), "left out"),
    Lie("held", "holding", swap("2 open holds", "3 open holds"), "another number"),
    Lie("held", "holding", swap("2,000 tokens, 1m00s", "2,000 tokens"), "less than is held"),
    Lie("held", "active", add("held  1 open hold: 600 tokens"), "one where there is none"),
    Lie("uncertain", "uncertain", swap("expired hold", "open hold"), "as an open one"),
    Lie("uncertain", "active", add("uncertain  1 expired hold: 600 tokens"), "one where there is none"),
    Lie("estimated", "estimated", swap("1 estimate ", "2 estimates "), "another number"),
    Lie("estimated", "active", add("estimated  1 estimate in its usage: 5 tokens"), "one where there is none"),
    Lie("latest", "blocked", drop("paused     by"), "left out"),
    Lie("latest", "out-of-budget", swap("by system", "by user"), "by another"),
    Lie("latest", "approved", swap("approved   by", "rejected   by"), "other"),
)

LIES_IN_ROWS = (
    Lie("status", "active", swap("active", "paused"), "another status"),
    Lie("status", "active", swap("active", ""), "left out"),
    Lie("reason", "blocked", swap("blocked", "stalled"), "another"),
    Lie("reason", "asserted", swap("asserted", "verified"), "verified of one that is not"),
    Lie("reason", "active", swap("active", "active (user)"), "one where there is none"),
    Lie("text", "active", swap("Count each", "Count no"), "another"),
    Lie("usage", "active", lambda line: f"{line} 10,000 of 1,500 tokens", "used and limit swapped"),
    Lie("usage", "estimated", lambda line: f"{line}  1,501", "another amount without a limit"),
    Lie("usage", "estimated", lambda line: f"{line}  15.1k", "another short amount"),
    Lie("usage", "active", lambda line: f"{line}  85%", "another percentage"),
    Lie("worker", "driven", swap("driven by ", "driven by not-"), "another"),
    Lie("worker", "active", lambda line: f"{line} (driven by w-7)", "one where none is"),
)


def facts_named(faults: list[str]) -> set[str]:
    return {fault.partition(":")[0] for fault in faults}


@pytest.mark.parametrize("lie", LIES, ids=str)
def test_a_lie_is_found_by_the_name_of_the_fact(
    store: telic.GoalStore, goals: Mapping[str, ShownGoal], lie: Lie
) -> None:
    shown = goals[lie.of]
    told = truth(store, shown)
    assert wrong_facts(SURFACE, told, shown) == []
    lied = lie.tell(told)
    assert lied != told
    assert lie.fact in facts_named(wrong_facts(SURFACE, lied, shown))


@pytest.mark.parametrize("lie", LIES_IN_ROWS, ids=str)
def test_a_lie_in_a_list_is_found(store: telic.GoalStore, goals: Mapping[str, ShownGoal], lie: Lie) -> None:
    shown = goals[lie.of]
    told = row(store, shown)
    assert wrong_facts(SURFACE, told, shown, ROW_FACTS) == []
    lied = lie.tell(told)
    assert lied != told
    assert lie.fact in facts_named(wrong_facts(SURFACE, lied, shown, ROW_FACTS))


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.name)
def test_what_a_program_is_told_wrongly_is_found(goals: Mapping[str, ShownGoal], fact: Any) -> None:
    """Of each fact that differs between goals, another goal's value; and that it is left out."""
    shown = list(goals.values())
    for ours in shown:
        told = {each.name: each.value(ours) for each in FACTS}
        assert wrong_facts(SURFACE, told, ours) == []
        assert facts_named(wrong_facts(SURFACE, {**told, fact.name: "another"}, ours)) == {fact.name}
        del told[fact.name]
        assert facts_named(wrong_facts(SURFACE, told, ours)) == {fact.name}


@pytest.mark.parametrize("name", ["driven", "blocked", "some-criteria-failed", "waiting-for-a-signal", "approved"])
def test_what_was_written_of_another_goal_is_found(
    store: telic.GoalStore, goals: Mapping[str, ShownGoal], name: str
) -> None:
    """Whatever it is: its worker, its note, why a criterion failed, its signal, its text."""
    shown, other = goals["unlimited"], goals[name]
    for part in (other.goal.text, other.goal.note, other.worker, other.goal.wake_signal, *other.why):
        if part is not None:
            told: Reading = f"{truth(store, shown)}\n{part}"
            assert "another goal" in facts_named(wrong_facts(SURFACE, told, shown))


def test_no_goal_says_by_its_own_words_how_it_stands(goals: Mapping[str, ShownGoal]) -> None:
    for shown in goals.values():
        goal = shown.goal
        titles = [criterion.title for criterion in goal.criteria]
        for written in (goal.text, goal.scope, goal.note, shown.worker, goal.wake_signal, *shown.why, *titles):
            assert VOCABULARY.findall((written or "").casefold()) == []
