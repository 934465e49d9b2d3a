"""The `telic` command through its entry point, as a person and as a script use it."""

import os
import re
import subprocess
from pathlib import Path

import pytest

import telic
from tests.interfaces.shell import TELIC, Shell


def test_a_goals_life_in_the_shell(shell: Shell) -> None:
    """Create, account, pause, resume, edit, budget, complete: each shows the goal as it now is."""
    goal = shell.json(
        "create", "Move billing", "--budget", "2M", "--budget", "$5", "--budget", "90m", "--check", "true"
    )
    assert goal["budget"] == {
        "tokens": 2_000_000,
        "turns": None,
        "active_microseconds": 5_400_000_000,
        "cost_microunits": 5_000_000,
    }
    assert goal["criteria"] == [{"kind": "command", "argv": ["true"]}]
    recorded = shell.json(
        "record", "--tokens", "1.5k", "--input", "1000", "--cost", "$0.25", "--time", "30s", "--key", "t1"
    )
    assert recorded["turn"]["usage"]["tokens"] == 1500
    assert (
        shell.json("record", "--tokens", "1.5k", "--input", "1000", "--cost", "$0.25", "--time", "30s", "--key", "t1")
        == recorded
    )
    assert shell.json("active")["usage"]["turns"] == 1
    assert shell.json("pause", "--note", "tea")["note"] == "tea"
    assert shell.json("resume")["status"] == "active"
    assert shell.json("edit", goal["id"], "Move all billing")["text"] == "Move all billing"
    assert shell.json("budget", goal["id"], "500k")["budget"]["cost_microunits"] == 5_000_000
    assert shell.json("budget", goal["id"], "none")["budget"]["cost_microunits"] is None
    done = shell.json("complete", goal["id"], "--note", "shipped")
    assert (done["status"], done["reason"], done["revision"]) == ("completed", "accepted", 7)
    kinds = [event["kind"] for event in shell.json("events", goal["id"])]
    assert kinds == ["created", "paused", "resumed", "edited", "budget_set", "budget_set", "completed"]
    assert [turn["key"] for turn in shell.json("turns", goal["id"])] == ["t1"]
    assert shell.json("active", expect=3) is None


def test_the_documented_shape_of_a_goal(shell: Shell) -> None:
    """Programs rely on exactly these names."""
    goal = shell.json("create", "x")
    assert list(goal) == [
        "id", "scope", "text", "status", "reason", "note", "revision", "criteria", "budget", "usage", "estimated_lines",
        "billing",
        "wake_at", "wake_signal", "created_at", "updated_at", "ended_at",
    ]  # fmt: skip
    assert list(goal["usage"]) == [
        "turns", "tokens", "input_tokens", "cached_input_tokens", "output_tokens", "reasoning_tokens",
        "active_microseconds", "cost_microunits",
    ]  # fmt: skip
    assert goal["created_at"].endswith("Z")
    assert shell.json("list") == {"goals": [goal | {"worker": None}], "next_cursor": None}
    (event,) = shell.json("events", goal["id"])
    assert list(event) == ["goal_id", "number", "revision", "kind", "actor", "at", "key", "data", "hash"]


def test_ids_are_taken_by_a_beginning_or_an_end_that_is_unique(shell: Shell) -> None:
    """What `list` prints is enough to name a goal; too little is refused."""
    goal = shell.json("create", "x")
    shown = shell("list").stdout.splitlines()[1].split("\t")[0]
    assert goal["id"].endswith(shown)
    assert shell.json("show", shown)["id"] == goal["id"]
    assert shell.error("show", goal["id"][:7], expect=2)["code"] == "invalid_text"
    assert shell.error("show", "00000000", expect=3)["code"] == "goal_not_found"
    shell("create", "y", "--replace")
    assert shell.error("show", goal["id"][:8], expect=3)["code"] == "ambiguous_id"


def test_listing_pages_and_filters(shell: Shell) -> None:
    """Pages by cursor, filters by scope, status and text."""
    for number in range(5):
        shell("create", f"goal {number}", "--replace", "--scope", "a" if number % 2 else "b")
    first = shell.json("list", "--all-scopes", "--limit", "3")
    rest = shell.json("list", "--all-scopes", "--limit", "3", "--cursor", first["next_cursor"])
    texts = [goal["text"] for goal in first["goals"] + rest["goals"]]
    assert texts == [f"goal {number}" for number in (4, 3, 2, 1, 0)]
    assert [goal["text"] for goal in shell.json("list", "--scope", "a")["goals"]] == ["goal 3", "goal 1"]
    assert len(shell.json("list", "--all-scopes", "--status", "active")["goals"]) == 2
    assert len(shell.json("list", "--all-scopes", "--text", "GOAL 2")["goals"]) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "expect"),
    [
        (["create", ""], "empty_text", 2),
        (["create", "x" * 2001], "text_too_long", 2),
        (["create", "a\udcffb"], "invalid_text", 2),
        (["create", "x", "--budget", "-5"], "invalid_number", 2),
        (["create", "x", "--budget", "lots"], "invalid_number", 2),
        (["create", "x", "--budget", "0"], "invalid_number", 2),
        (["create", "x", "--budget", "1.5"], "invalid_number", 2),
        (["create", "x", "--budget", "99999999G"], "invalid_number", 2),
        (["create", "x", "--budget", "1k", "--budget", "2k"], "invalid_number", 2),
        (["create", "x", "--check", "'"], "invalid_input", 2),
        (["create", "x", "--turbo"], "usage", 2),
        (["create"], "usage", 2),
        (["explode"], "usage", 2),
        (["record", "--tokens", "$5"], "invalid_number", 2),
        (["record", "--input", "-1"], "invalid_number", 2),
        (["show", "not-an-id"], "invalid_text", 2),
        (["list", "--cursor", "zzz"], "invalid_cursor", 2),
        (["list", "--status", "running"], "usage", 2),
        (["pause", "--revision", "7"], "stale_update", 4),
        (["resume"], "goal_not_found", 3),
        (["complete", "--actor", "model"], "not_allowed", 6),
        (["clear", "--actor", "verifier"], "not_allowed", 6),
    ],
)
def test_a_mistake_is_one_helpful_line(shell: Shell, arguments: list[str], code: str, expect: int) -> None:
    """A typed error, its exit code, what to do, and nothing written; never a traceback."""
    shell("create", "the goal that is there")
    before = shell("export").stdout
    plain = shell(*arguments, expect=expect)
    lines = plain.stderr.splitlines()
    assert lines[0].startswith("telic: ")
    assert all(line.startswith("hint: ") for line in lines[1:])
    assert len(lines) <= 2
    assert plain.stdout == ""
    assert shell.error(*arguments, expect=expect)["code"] == code
    assert shell("export").stdout == before


def test_conflicts_and_budgets_have_their_exit_codes(shell: Shell) -> None:
    """Scripts tell a conflict from a budget from a missing goal by the exit code."""
    goal = shell.json("create", "x", "--budget", "1turn")
    assert shell.json("record", "--tokens", "5", "--key", "k")["goal"]["reason"] == "budget"
    assert shell.error("resume", goal["id"], expect=5)["code"] == "budget_exceeded"
    assert "telic resume" in shell.error("resume", goal["id"], expect=5)["hint"]
    assert shell.error("record", goal["id"], "--tokens", "6", "--key", "k", expect=4)["code"] == "turn_conflict"
    assert shell.json("resume", goal["id"], "--budget", "3turns")["status"] == "active"
    assert shell.json("complete")["status"] == "completed"
    assert shell.error("pause", goal["id"], expect=4)["code"] == "invalid_transition"


def test_a_wrong_store_is_named_and_not_made(tmp_path: Path) -> None:
    """A missing file, a folder, a text file and a foreign URL: the typed error, and nothing appears."""
    text = tmp_path / "notes.txt"
    text.write_text("just notes\n" * 100)
    for store, code in (
        (str(tmp_path / "missing.db"), "store_misconfigured"),
        (str(tmp_path), "store_misconfigured"),
        (str(tmp_path / "no" / "folder.db"), "store_misconfigured"),
        (str(text), "store_corrupt"),
        ("mysql://localhost/x", "store_misconfigured"),
    ):
        error = Shell(store).error("list", expect=9)
        assert error["code"] == code
        assert "mysql" in error["message"] if ":" in store else store in error["message"]
    assert [path.name for path in tmp_path.iterdir() if "turnstile" not in path.name] == ["notes.txt"]
    assert text.read_text() == "just notes\n" * 100


def test_a_wrong_password_shows_no_secret(postgres_url: str) -> None:
    """The server's place is named, the password nowhere."""
    wrong = postgres_url.replace("secret-word", "hunter2-wrong")
    result = Shell(wrong)("list", expect=7)
    assert "check that it runs there, and the user and password" in result.stderr
    assert "hunter2" not in result.stdout + result.stderr
    result = Shell("postgresql://me:hunter2@[broken/x")("list", expect=9)
    assert "hunter2" not in result.stdout + result.stderr


def test_the_default_store_is_in_the_users_data_folder(tmp_path: Path) -> None:
    """Without a store named, a private file under the data folder is used."""
    home = {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path / "data"), "TELIC_STORE": ""}
    Shell("")("create", "x", **home)
    store = tmp_path / "data" / "telic" / "goals.db"
    assert store.stat().st_mode & 0o777 == 0o600
    assert store.parent.stat().st_mode & 0o777 == 0o700
    assert "x" in Shell("")("active", **home).stdout


def test_hostile_text_reaches_no_terminal(shell: Shell) -> None:
    """No control, bidirectional or invisible character is printed by any command, in text or JSON."""
    hostile = "\x1b[31mred\x1b[0m \x07 \u202egnp.exe \u200b \u2028line \x9b2J \r over"
    goal = shell.json("create", hostile, "--scope", "s\u202ex")
    assert goal["text"] == hostile
    shell("pause", goal["id"], "--note", hostile)
    shell("record", goal["id"], "--tokens", "1", "--key", hostile)
    for command in (
        ["show", goal["id"]], ["list", "--all-scopes"], ["events", goal["id"]], ["turns", goal["id"]], ["export"],
        ["doctor"], ["active", "--scope", hostile], ["pause", hostile], ["create", "x", "--budget", hostile],
    ):  # fmt: skip
        for extra in ([], ["--json"]):
            environment = os.environ | {"TELIC_STORE": shell.store}
            result = subprocess.run([TELIC, *command, *extra], capture_output=True, text=True, env=environment)
            printed = result.stdout + result.stderr
            assert all(character.isprintable() or character in "\n\t" for character in printed), command


def test_a_table_on_a_terminal_is_escaped_too(shell: Shell) -> None:
    """On a real terminal the list is a table, and hostile text carries no escape sequence into it."""
    import pty

    shell("create", "\x1b[2Jgone\u202e", "--scope", "t")
    main, secondary = pty.openpty()
    environment = os.environ | {"TELIC_STORE": shell.store, "TERM": "dumb", "COLUMNS": "120", "LINES": "40"}
    subprocess.run([TELIC, "list", "--scope", "t"], stdout=secondary, stderr=secondary, env=environment, check=True)
    os.close(secondary)
    printed = os.read(main, 65536).decode()
    os.close(main)
    assert "\\x1b[2Jgone\\u202e" in printed
    assert "\x1b" not in printed
    assert "───" in printed


def test_only_a_status_has_a_status_colour(shell: Shell) -> None:
    """No scope and no text has one; and NO_COLOR takes it away."""
    import pty

    shell("create", "paused", "--scope", "completed")
    for no_colour, coloured in (("", ["active"]), ("1", [])):
        main, secondary = pty.openpty()
        environment = os.environ | {
            "TELIC_STORE": shell.store,
            "TERM": "xterm",
            "COLUMNS": "120",
            "NO_COLOR": no_colour,
        }
        command = [TELIC, "list", "--all-scopes"]
        subprocess.run(command, stdout=secondary, stderr=secondary, env=environment, check=True)
        os.close(secondary)
        printed = os.read(main, 65536).decode()
        os.close(main)
        assert re.findall(r"\x1b\[3\dm(\w+)", printed) == coloured
    assert "\x1b" not in shell("list", "--all-scopes", NO_COLOR="").stdout


def test_export_and_import_round_trip(shell: Shell, tmp_path: Path) -> None:
    """An exported file is private, complete, never overwritten, and imports to an equal database."""
    for number in range(3):
        shell("create", f"goal {number}", "--replace")
        shell("record", "--tokens", "5")
    file = tmp_path / "goals.jsonl"
    assert shell("export", str(file)).stdout == f"3 goals written to {file}\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert shell.error("export", str(file), expect=9)["code"] == "store_misconfigured"
    copy = Shell(str(tmp_path / "copy.db"))
    assert copy.json("import", "telic", str(file))["placements"]["added"] == 3
    assert copy.json("import", "telic", str(file))["placements"]["already_there"] == 3
    assert copy("export").stdout == file.read_text()
    file.write_text(file.read_text().replace("goal 1", "goal 9"))
    assert copy.error("import", "telic", str(file), expect=9)["code"] == "store_corrupt"
    assert copy.error("import", "telic", str(tmp_path / "none"), expect=9)["code"] == "store_misconfigured"


def test_doctor_tells_health_by_its_exit_code(shell: Shell) -> None:
    """0 when healthy, 10 with a problem, in text and JSON, with advice."""
    shell("create", "x")
    assert shell.json("doctor")["healthy"] is True
    with telic.connect(shell.store) as store:
        goal = store.active()
        assert goal is not None
    from tests.support.raw import execute

    execute(shell.store, "UPDATE goals SET tokens_used = 7")
    report = shell.json("doctor", expect=10)
    assert report["healthy"] is False
    problem = shell("doctor", expect=10)
    assert f"goal {goal.id}: tokens_used is 7, its history says 0" in problem.stdout
    assert "→" in problem.stdout


def test_a_closed_pipe_ends_quietly(shell: Shell) -> None:
    """`telic export | head -1` prints one line and no complaint."""
    for number in range(200):
        with telic.connect(shell.store) as store:
            store.create(f"goal {number} " + "x" * 1500)
    environment = os.environ | {"TELIC_STORE": shell.store}
    piped = subprocess.run(f"'{TELIC}' export | head -1", shell=True, capture_output=True, text=True, env=environment)
    assert len(piped.stdout.splitlines()) == 1
    assert piped.stderr == ""


def test_every_command_has_help(shell: Shell) -> None:
    """Each command the group lists explains itself."""
    listed = shell("--help").stdout.split("Commands:")[1].split()
    for name in (
        "create", "active", "list", "show", "pause", "resume", "complete", "clear", "edit", "budget", "record",
        "events", "turns", "doctor", "import", "export", "usage", "watch", "hold", "release", "holds", "claim", "renew",
        "unclaim", "wake",
    ):  # fmt: skip
        assert name in listed
        assert "Usage: telic " + name in shell(name, "--help").stdout
    assert shell("--version").stdout.startswith("telic")
