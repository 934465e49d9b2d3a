"""`telic usage`: adding up, filters, the table on a terminal, and the plot."""

import os
import pty
import re
import subprocess
from pathlib import Path

import pytest

import telic
from tests.interfaces.shell import TELIC, Shell
from tests.support.missing import without_package

PNG = b"\x89PNG\r\n\x1a\n"


def fill(shell: Shell) -> list[str]:
    """Two goals in two scopes, with turns of two models; here are their ids."""
    ids = [shell.json("create", f"goal {scope}", "--scope", scope)["id"] for scope in "ab"]
    shell("record", ids[0], "--tokens", "5k", "--model", "$large$", "--cost", "$0.50")
    shell("record", ids[0], "--input", "100", "--output", "50", "--kind", "judge")
    shell("record", ids[1], "--tokens", "7")
    return ids


def test_usage_is_added_up_by_each_grouping(shell: Shell) -> None:
    """The documented shape; a scope, a goal or all; scopes are compared unless one is given."""
    ids = fill(shell)
    report = shell.json("usage", "--all-scopes")
    assert list(report) == ["by", "groups", "left_out", "total"]
    assert list(report["groups"][0]) == ["name", "lines", "usage", "estimated", "held", "uncertain"]
    assert [group["name"] for group in report["groups"]] == ids
    assert (report["total"]["lines"], report["total"]["usage"]["tokens"]) == (3, 5157)
    assert [group["name"] for group in shell.json("usage", "--scope", "b")["groups"]] == [ids[1]]
    by_scope = shell.json("usage", "--by", "scope")
    assert {group["name"]: group["usage"]["tokens"] for group in by_scope["groups"]} == {"a": 5150, "b": 7}
    assert len(shell.json("usage", "--by", "scope", "--scope", "b")["groups"]) == 1
    by_model = shell.json("usage", ids[0][:13], "--by", "model")
    assert {group["name"]: group["lines"] for group in by_model["groups"]} == {"$large$": 1, None: 1}
    by_kind = shell.json("usage", ids[0], "--by", "kind")
    assert {group["name"]: group["usage"]["turns"] for group in by_kind["groups"]} == {"work": 1, "judge": 0}
    (day,) = shell.json("usage", "--all-scopes", "--by", "day")["groups"]
    assert day["name"] == shell.json("show", ids[0])["created_at"][:10]
    assert shell.json("usage", "--all-scopes", "--limit", "1")["left_out"] == 1


def test_usage_of_a_span_of_time(shell: Shell) -> None:
    """Dates, moments, and so long ago."""
    fill(shell)
    everywhere = ("usage", "--all-scopes")
    assert shell.json(*everywhere, "--since", "1d")["total"]["lines"] == 3
    assert shell.json(*everywhere, "--since", "2099-01-01")["groups"] == []
    assert shell.json(*everywhere, "--until", "2020-01-01T00:00Z")["groups"] == []
    assert shell(*everywhere, "--until", "2020-01-01").stdout == "nothing was recorded\n"
    for since in ("yesterday", "2026-01-01T10:00", "5turns", "-1d", "9999-99-99", "0001-01-01"):
        assert shell.run(*everywhere, "--since", since).returncode == 2, since


def test_the_table_fits_who_reads_it(shell: Shell) -> None:
    """A script gets every column; a person those that say something, ids and figures never cut short."""
    ids = fill(shell)
    header, first, second, total = (line.split("\t") for line in shell("usage", "--all-scopes").stdout.splitlines())
    assert header == [
        "goal", "turns", "tokens", "input", "cached", "output", "reasoning", "time", "cost", "estimated",
        "held", "uncertain", "text",
    ]  # fmt: skip
    assert (first[:3], total[:3]) == ([ids[0][-len(first[0]) :], "1", "5,150"], ["total", "2", "5,157"])
    assert second[-1] == "goal b"
    main, secondary = pty.openpty()
    environment = os.environ | {"TELIC_STORE": shell.store, "TERM": "dumb", "COLUMNS": "60"}
    subprocess.run([TELIC, "usage", "--all-scopes"], stdout=secondary, stderr=secondary, env=environment, check=True)
    os.close(secondary)
    printed = os.read(main, 65536).decode()
    os.close(main)
    assert ids[0][-len(first[0]) :] in printed
    assert "5,157" in printed
    assert "reasoning" not in printed


@pytest.mark.parametrize("by", ["goal", "scope", "kind", "model", "day"])
def test_a_plot_is_drawn(shell: Shell, tmp_path: Path, by: str) -> None:
    """As PNG and as SVG, by the file's ending, also of nothing; a name with dollars is no formula."""
    fill(shell)
    picture, drawing, empty = tmp_path / "usage.png", tmp_path / "usage.svg", tmp_path / "empty.PNG"
    assert "the plot is in" in shell("usage", "--all-scopes", "--by", by, "--plot", str(picture)).stderr
    assert picture.read_bytes().startswith(PNG)
    shell("usage", "--all-scopes", "--by", by, "--plot", str(drawing))
    assert "<svg" in drawing.read_text()
    shell("usage", "--scope", "nobody's", "--by", by, "--plot", str(empty))
    assert empty.read_bytes().startswith(PNG)


@pytest.mark.parametrize("drawn", ["tokens", "cost", "time", "turns"])
def test_a_plot_shows_how_much_of_the_total_it_draws(shell: Shell, tmp_path: Path, drawn: str) -> None:
    """What is left out is a bar of its own, and a goal is named in words."""
    with telic.connect(shell.store) as store:
        for number in (1, 2, 3):
            goal = store.create(f"goal {number} costs $1 & $2")
            used = dict.fromkeys(("input_tokens", "cost_microunits", "active_microseconds"), number * 1_000_000)
            store.record_turn(goal.id, usage=telic.ModelUsage(**used))
    drawing = tmp_path / "usage.svg"
    shell("usage", "--limit", "1", "--plot", str(drawing), "--of", drawn)
    said = drawing.read_text()
    whole = {"tokens": "3,000,000 of 6,000,000", "cost": "$3.00 of $6.00", "time": "3s of 6s", "turns": "1 of 3"}
    assert f"{drawn.capitalize()} by goal: {whole[drawn]}" in said
    assert "goal 3 costs $1 &amp; $2" in said
    assert "others" in said


def test_the_longest_bar_of_a_plot_comes_first(shell: Shell, tmp_path: Path) -> None:
    """By what is drawn, whatever else was used."""
    with telic.connect(shell.store) as store:
        for name, tokens, cost in (("the cheap one", 2_000, 1_000_000), ("the dear one", 1_000, 3_000_000)):
            store.record_turn(store.create(name).id, usage=telic.TurnUsage(tokens=tokens, cost_microunits=cost))
    for drawn, first, last in (("tokens", "cheap", "dear"), ("cost", "dear", "cheap")):
        drawing = tmp_path / f"{drawn}.svg"
        shell("usage", "--plot", str(drawing), "--of", drawn)
        said = drawing.read_text()
        assert said.index(f"the {first} one") < said.index(f"the {last} one")


def test_no_amount_stands_twice_on_a_plots_axis(shell: Shell, tmp_path: Path) -> None:
    """Nobody has half a turn."""
    fill(shell)
    drawing = tmp_path / "days.svg"
    shell("usage", "--all-scopes", "--by", "day", "--plot", str(drawing), "--of", "turns")
    amounts = re.findall(r"<!-- (\d+) -->", drawing.read_text())
    assert amounts == ["0", "1", "2"]


def test_a_plot_that_cannot_be_drawn(shell: Shell, tmp_path: Path) -> None:
    """Another ending, a folder that is not there, a missing library: said in one line, with what to do."""
    fill(shell)
    assert shell.error("usage", "--plot", "usage.pdf", expect=2)["code"] == "invalid_input"
    assert "no-folder" in shell.error("usage", "--plot", str(tmp_path / "no-folder" / "x.png"), expect=2)["message"]
    result = shell("usage", "--plot", "x.png", expect=2, **without_package("matplotlib", tmp_path))
    assert "pip install 'telic[plot]'" in result.stderr
