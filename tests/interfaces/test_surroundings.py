"""The command where its surroundings are poor: a sentence or its work, and never a traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.interfaces.shell import TELIC, Shell

EXTRAS = {
    "telic.integrations.adk": ("google", "adk"),
    "telic.integrations.claude_agent": ("claude_agent_sdk", "claude-agent"),
    "telic.integrations.langchain": ("langchain", "langchain"),
    "telic.integrations.openai_agents": ("agents", "openai-agents"),
    "telic.integrations.pydantic_ai": ("pydantic_ai", "pydantic-ai"),
    "telic.loop.verification.judge_model": ("pydantic_ai", "judge"),
}
COMMANDS = {
    "postgres": ("psycopg", ["list", "--store", "postgresql://localhost/none"]),
    "web": ("starlette", ["dashboard"]),
    "mcp": ("mcp", ["mcp"]),
    "top": ("textual", ["top"]),
    "plot": ("matplotlib", ["usage", "--plot", "x.png"]),
    "judge": ("pydantic_ai", ["run", "x", "--agent", "true", "--judge-model", "test"]),
    "telemetry": ("opentelemetry", ["--telemetry", "list"]),
    "cli": ("click", ["list"]),
}
WITHOUT = "import sys; sys.modules[{library!r}] = None; "


def python(code: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"TELIC_STORE": str(cwd / "goals.db")}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=cwd, env=environment
    )


def test_a_library_that_is_not_there_is_one_error_everywhere(tmp_path: Path) -> None:
    """Programs can catch it as Telic's error and as a failed import; it says what to install."""
    code = "import importlib, sys, telic\n"
    for module, (library, extra) in EXTRAS.items():
        code += (
            f"sys.modules[{library!r}] = None\n"
            f"try: importlib.import_module({module!r})\n"
            "except telic.errors.MissingExtra as error:\n"
            f"    assert error.extra == {extra!r}, error.extra\n"
            f"    assert \"pip install 'telic[{extra}]'\" in str(error)\n"
            "    assert isinstance(error, ImportError)\n"
            f"else: raise SystemExit({module!r})\n"
        )
    code += "sys.modules['psycopg'] = None\n"
    code += "try: telic.connect('postgresql://localhost/none')\n"
    code += "except telic.errors.MissingExtra as error: assert error.extra == 'postgres'\n"
    code += "else: raise SystemExit('postgres')\n"
    result = python(code, cwd=tmp_path)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("extra", COMMANDS)
def test_the_command_says_which_extra_is_missing(extra: str, tmp_path: Path) -> None:
    """One form and one exit code, whichever it is."""
    library, arguments = COMMANDS[extra]
    code = WITHOUT.format(library=library) + "from telic.interfaces.cli.__main__ import main; main()"
    result = python(code, *arguments, cwd=tmp_path)
    assert result.returncode == 2, result.stderr
    (line,) = result.stderr.splitlines()
    assert line.startswith("telic: ")
    assert f"pip install 'telic[{extra}]'" in line


def test_where_standard_output_cannot_be_written(shell: Shell) -> None:
    """Closed or full, it is told in one line what is lost; an error that cannot be told keeps its exit code."""
    goal = shell.json("create", "Räume auf 😀")["id"]
    for command, code in (
        *((f"{name} {lost}", 12) for name in ("list", "export", "--help", "version") for lost in (">&-", ">/dev/full")),
        ("show >&- 2>&-", 12),
        *(
            ("nosuch 2>/dev/full", 2),
            ("nosuch 2>&-", 2),
            ("show x 2>/dev/full", 2),
            ("list --json 2>&- | head -c 0", 0),
        ),
    ):
        ended = subprocess.run(
            f"{TELIC} {command}",
            shell=True,
            capture_output=True,
            text=True,
            env=os.environ | {"TELIC_STORE": shell.store},
        )
        assert (ended.returncode, ended.stdout) == (code, ""), ended.stderr
        assert len(ended.stderr.splitlines()) == (code == 12 and "2>" not in command)
        assert ended.stderr.startswith("telic: standard output cannot be written") or not ended.stderr
    latin = os.environ | {"TELIC_STORE": shell.store, "PYTHONIOENCODING": "latin-1"}
    shown = subprocess.run([TELIC, "show", goal], capture_output=True, env=latin, check=True).stdout.decode("latin-1")
    assert shown.splitlines()[0] == "Räume auf \\U0001f600"


def test_where_the_folder_is_gone(shell: Shell, tmp_path: Path) -> None:
    script = f"mkdir gone && cd gone && rmdir ../gone && {TELIC} run x --agent true"
    ended = subprocess.run(
        script, shell=True, capture_output=True, text=True, cwd=tmp_path, env=os.environ | {"TELIC_STORE": shell.store}
    )
    assert ended.returncode == 11
    assert ended.stderr.startswith("telic: the folder '.' is not there")
    script = f"mkdir gone && cd gone && rmdir ../gone && {TELIC} install claude-code --project --yes"
    ended = subprocess.run(script, shell=True, capture_output=True, text=True, cwd=tmp_path)
    assert ended.returncode == 12
    assert ended.stderr == "telic: the folder that you are in is gone: go to another one\n"


def test_a_default_store_without_a_place_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No home folder at all, and one in which nothing can be made."""
    from telic.domain.errors import StoreMisconfigured
    from telic.interfaces.cli import surroundings

    def no_home(_: str) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr("platformdirs.user_data_path", no_home)
    with pytest.raises(StoreMisconfigured, match="HOME is not set"):
        surroundings.default_store()
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(StoreMisconfigured, match="cannot be made"):
        surroundings.make_folder_of(str(file / "telic" / "goals.db"))


def test_the_command_is_a_module_too(tmp_path: Path) -> None:
    result = subprocess.run([sys.executable, "-m", "telic", "--version"], capture_output=True, text=True, cwd=tmp_path)
    assert result.stdout.startswith("telic, version ")
