"""Holds, leases and waits through the command, as scripts that share goals use it."""

import time

import pytest

import telic
from telic.services.transfer.histories import export_lines
from tests.interfaces.shell import Shell

LEASE = ("--worker", "host/1", "--lease-token")


def test_a_workers_turn_in_the_shell(shell: Shell) -> None:
    """Claim, hold, record under both, renew, let go: each says what now is."""
    goal = shell.json("create", "x", "--budget", "100k", "--billing", "without-cached")
    assert goal["billing"] == "without_cached"
    lease = shell.json("claim", "--worker", "host/1")
    assert (list(lease), lease["worker"]) == (["goal", "worker", "token"], "host/1")
    token = str(lease["token"])
    hold = shell.json("hold", "--tokens", "20k", "--cost", "$0.25", "--time", "5m", "--key", "h", *LEASE, token)
    fields = ["goal_id", "key", "reserved", "placed_at", "expires_at", "state", "turn_key", "frees_on_expiry"]
    assert list(hold) == fields
    reserved = {"tokens": 20_000, "turns": 1, "active_microseconds": 300_000_000, "cost_microunits": 250_000}
    assert hold["reserved"] == reserved
    turn = shell.json(
        "record", "--hold", "h", *LEASE, token, "--kind", "judge", "--model", "sonnet", "--input", "1000",
        "--cached", "800", "--output", "200", "--reasoning", "50",
    )["turn"]  # fmt: skip
    assert (turn["kind"], turn["model"], turn["usage"]["tokens"]) == ("judge", "sonnet", 400)
    assert shell.json("holds")[0]["state"] == "settled"
    assert shell.json("renew", *LEASE, token, "--ttl", "5m")["token"] == int(token)
    assert shell.json("unclaim", *LEASE, token)["id"] == goal["id"]
    assert shell.json("claim", goal["id"][:13], "--worker", "host/2")["token"] > int(token)


@pytest.mark.parametrize(
    ("arguments", "code", "expect"),
    [
        (["claim", "--worker", "two"], "lease_held", 4),
        (["renew", "--worker", "one", "--lease-token", "7"], "lease_lost", 4),
        (["unclaim", "--worker", "two", "--lease-token", "1"], "lease_lost", 4),
        (["record", "--tokens", "1", "--worker", "two", "--lease-token", "1"], "lease_lost", 4),
        (["pause", "--worker", "two", "--lease-token", "1"], "lease_lost", 4),
        (["complete", "--worker", "one", "--lease-token", "2"], "lease_lost", 4),
        (["clear", "--worker", "one", "--lease-token", "2"], "lease_lost", 4),
        (["hold", "--tokens", "1", "--worker", "one", "--lease-token", "2"], "lease_lost", 4),
        (["record", "--tokens", "1", "--worker", "one"], "invalid_input", 2),
        (["record", "--tokens", "1", "--hold", "none"], "hold_lost", 4),
        (["record", "--input", "1", "--cached", "2"], "invalid_number", 2),
        (["record", "--kind", "gossip"], "usage", 2),
        (["release", "--hold", "none"], "hold_lost", 4),
        (["release"], "usage", 2),
        (["hold", "--tokens", "2k"], "budget_exceeded", 5),
        (["hold", "--tokens", "$1"], "invalid_number", 2),
        (["hold", "--ttl", "2d"], "invalid_number", 2),
        (["claim"], "usage", 2),
        (["wake"], "goal_not_active", 4),
        (["wake", "0", "--signal", "x"], "invalid_input", 2),
        (["wake", "--signal", "x", "--revision", "1"], "invalid_input", 2),
        (["pause", "--wake-at", "2030-01-01", "--wake-in", "1m"], "invalid_input", 2),
        (["pause", "--wake-at", "2030-01-01T09:00"], "invalid_input", 2),
        (["pause", "--wake-at", "tomorrow"], "invalid_input", 2),
        (["pause", "--wake-in", "2M"], "invalid_number", 2),
        (["pause", "--wake-in", "1m", "--reason", "blocked"], "invalid_input", 2),
    ],
)
def test_a_refusal_is_one_helpful_line(shell: Shell, arguments: list[str], code: str, expect: int) -> None:
    """A typed error with its exit code and a next step, and nothing written."""
    with telic.connect(shell.store) as store:
        goal = store.create("x", token_budget=1000)
        token = store.claim(goal.id, worker="one").token
        before = list(export_lines(store))
        plain = shell(*arguments, expect=expect)
        assert len(plain.stderr.splitlines()) <= 2
        assert plain.stdout == ""
        assert shell.error(*arguments, expect=expect)["code"] == code
        assert list(export_lines(store)) == before
        assert list(store.holds(goal.id)) == []
        assert (store.lease(goal.id).worker, store.lease(goal.id).token) == ("one", token)


def test_a_waiting_goal_in_the_shell(shell: Shell) -> None:
    """It wakes at its time by whoever asks what is due, on its signal, and by hand."""
    goal = shell.json("create", "x")
    asleep = shell.json("pause", "--wake-at", "2099-12-31T18:00+01:00")
    assert (asleep["reason"], asleep["wake_at"]) == ("waiting", "2099-12-31T17:00:00.000000Z")
    assert "at 2099-12-31 17:00:00Z" in shell("show", goal["id"]).stdout
    assert shell.json("claim", "--due", "--worker", "w", expect=3) == []
    assert shell("claim", "--due", "--worker", "w", expect=3).stdout == "nothing is due\n"
    assert shell.json("wake", goal["id"])["status"] == "active"
    shell("pause", "--wake-in", "0.05s", "--reason", "usage_limit")
    time.sleep(0.1)
    (lease,) = shell.json("claim", "--due", "--worker", "w", "--all-scopes")
    assert (lease["goal"]["id"], lease["goal"]["status"]) == (goal["id"], "active")
    shell("pause", "--wake-signal", "ci/7")
    assert "on the signal ci/7" in shell("show", goal["id"]).stdout
    assert [woken["id"] for woken in shell.json("wake", "--signal", "ci/7")] == [goal["id"]]
    assert shell.json("wake", "--signal", "ci/7") == []
    assert shell.error("wake", goal["id"], expect=4)["code"] == "goal_not_active"


def test_show_tells_who_drives_a_goal_and_what_is_uncertain(shell: Shell) -> None:
    """Driver, open and expired holds, usage by kind; in text and under documented names."""
    goal = shell.json("create", "x")
    assert "lease      nobody drives it" in shell("show").stdout
    shell("claim", "--worker", "host/1", "--ttl", "5m")
    shell("hold", "--tokens", "1k", "--key", "open")
    shell("record", "--tokens", "7")
    shell("record", "--tokens", "5", "--kind", "sub-agent")
    shell("hold", "--tokens", "2k", "--cost", "$1", "--ttl", "0.01s", "--key", "lost")
    time.sleep(0.05)
    text = shell("show").stdout
    assert "lease      driven by host/1 for another " in text
    assert "held       1 open hold: 1,000 tokens" in text
    assert "uncertain  1 expired hold: 2,000 tokens, $1.00" in text
    assert "by sub agent 5 tokens" in text
    shown = shell.json("show")
    assert [name for name in shown if name not in goal] == [
        *("lease", "held", "uncertain", "estimated", "checks", "usage_by_kind")
    ]
    assert shown["lease"]["worker"] == "host/1"
    assert 0 < shown["lease"]["expires_in_microseconds"] <= 300_000_000
    assert shown["held"] == {"holds": 1, "tokens": 1000, "active_microseconds": 0, "cost_microunits": 0}
    assert shown["uncertain"] == {"holds": 1, "tokens": 2000, "active_microseconds": 0, "cost_microunits": 1_000_000}
    assert {kind: usage["tokens"] for kind, usage in shown["usage_by_kind"].items()} == {"work": 7, "sub_agent": 5}


def test_hostile_names_reach_no_terminal(shell: Shell) -> None:
    """Holders, models, keys and signals are escaped wherever they are shown."""
    hostile = "\x1b[31mred \u202egnp \x9b2J\r"
    goal = shell.json("create", "x", "--scope", hostile)
    scope = ("--scope", hostile)
    shell("claim", "--worker", hostile, *scope)
    shell("hold", "--key", hostile, *scope)
    shell("record", "--model", hostile, "--tokens", "1", *scope)
    commands = [
        ["show", goal["id"]], ["holds", goal["id"]], ["turns", goal["id"]], ["usage", "--by", "model", *scope],
        ["usage", "--by", "scope"], ["claim", "--worker", "other", *scope], ["release", goal["id"], "--hold", hostile],
        ["pause", "--wake-signal", hostile, *scope], ["wake", "--signal", hostile], ["pause", "--wake-at", hostile],
        ["claim", "--due", "--all-scopes", "--worker", hostile], ["wake", "--signal", hostile + "x"],
        ["watch", "--idle", "0", *scope], ["usage", "--since", hostile], ["usage", "--plot", hostile],
    ]  # fmt: skip
    for command in commands:
        result = shell.run(*command)
        printed = result.stdout + result.stderr
        assert all(character.isprintable() or character in "\n\t" for character in printed), command
