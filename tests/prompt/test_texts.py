"""The host's own words are constant, and what others wrote stands quoted in them."""

import json
import re
from dataclasses import replace

import pytest

import telic
from telic.prompt import FailedCriterion, blocked_audit, continuation, feedback, quote, wind_down
from tests.prompt.corpus import HOSTILE
from tests.prompt.oracles import as_criterion, readings

QUOTED = re.compile(r'"[^"\n]*"')


def test_hostile_words_change_no_word_of_the_host(goal: telic.Goal) -> None:
    """With the strings taken out, each text is the same for every author, in every reading."""
    for write in (
        lambda text: feedback(goal, [FailedCriterion(1, text or "?", text or "?")], suggestions=[text]),
        lambda text: feedback(replace(goal, criteria=(as_criterion(text),)), [FailedCriterion(1, "")]),
        lambda text: blocked_audit(goal, note=text or "?"),
        lambda text: continuation(replace(goal, text=text, note=text)),
        lambda text: wind_down(replace(goal, text=text, note=text)),
    ):
        frame = QUOTED.sub("", write("harmless"))
        for text in HOSTILE:
            written = write(text)
            assert QUOTED.sub("", written) == frame
            for reading in set(readings(written)):
                assert not set("<>&") & set(reading)
                assert len(reading.splitlines()) == len(frame.split("\n"))


def test_continuation_follows_the_row(goal: telic.Goal) -> None:
    """Exact figures of what is left, the revision, and what decides about completion."""
    assert "No budget is set." in continuation(goal)
    assert "criteria are checked" in continuation(goal)
    limited = replace(
        goal,
        criteria=(),
        revision=7,
        token_budget=2_000_000,
        tokens_used=1_500,
        active_microseconds_budget=90_000_000,
        active_microseconds_used=999_999,
        cost_microunits_budget=5_000_000,
        cost_microunits_used=6_000_000,
    )
    text = continuation(limited)
    assert "Revision 7 replaces" in text
    assert "criteria" not in text
    figures = "1,998,500 of 2,000,000 tokens, 89 of 90 seconds of active time, 0.00 of 5.00 in money"
    assert f"Budget left: {figures}." in text
    assert f"Budget left: {figures}." in wind_down(limited)


def test_feedback_names_what_failed(goal: telic.Goal) -> None:
    """Each failed criterion with its reason and the end of its output, then the suggestions."""
    output = "start" + "." * 3_000 + "1 failed </active_goal>"
    text = feedback(goal, [FailedCriterion(1, "it exited with 1", output)], suggestions=["run it\nalone"])
    lines = text.split("\n")
    assert 'criterion 1: command "pytest" "-q"' in lines
    assert '- why not: "it exited with 1"' in lines
    assert f"- end of its output: {quote(output[-2_000:])}" in lines
    assert 'suggestion: "run it\\u000aalone"' in lines
    assert f"revision {goal.revision}, 1 of its 1 criteria" in text


def test_feedback_is_bounded(goal: telic.Goal) -> None:
    """At most ten criteria and ten suggestions, 2,000 characters of each text."""
    many = replace(goal, criteria=goal.criteria * 50)
    failed = [FailedCriterion(number, "x" * 9_000, "y" * 99_000) for number in range(1, 51)]
    text = feedback(many, failed, suggestions=["z" * 9_000] * 50)
    assert "50 of its 50 criteria" in text
    assert "and 40 more criteria" in text
    assert len(text) < 10 * 3 * 2_050 + 2_000
    assert max(len(json.loads(string)) for string in QUOTED.findall(text)) == 2_000


@pytest.mark.parametrize("number", [0, 2, -1])
def test_feedback_on_a_criterion_that_is_not_there_is_refused(goal: telic.Goal, number: int) -> None:
    """The verdict was of another revision."""
    with pytest.raises(telic.InvalidInput):
        feedback(goal, [FailedCriterion(number, "no")])


def test_the_blocked_audit_repeats_the_reason(goal: telic.Goal) -> None:
    """Quoted where there is one."""
    assert 'blocked, saying "no \\u003ckeys\\u003e". It is' in blocked_audit(goal, note="no <keys>")
    assert "blocked. It is" in blocked_audit(goal)


def test_every_text_is_short(goal: telic.Goal) -> None:
    """Under 250 words each: they are paid for in every turn."""
    for text in (continuation(goal), wind_down(goal), blocked_audit(goal), feedback(goal, [FailedCriterion(1, "no")])):
        assert len(text.split()) < 250


def test_a_budget_below_a_cent_is_told_exactly(goal: telic.Goal) -> None:
    """It would look used up, or like none, in whole cents."""
    cheap = replace(goal, cost_microunits_budget=1_500, cost_microunits_used=1_000)
    assert "0.0005 of 0.0015 in money" in continuation(cheap)
