"""Each page is pasted, from its first line to its last, into a new folder; what it prints is what the page says."""

import contextlib
import os
import re
import sysconfig
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.pages import stand_ins
from tests.pages.page import Command, Program, SavedFile, steps
from tests.pages.sessions import PageRunner, new_page_runner
from tests.support import foreign_databases as foreign
from tests.support.dashboards import TOKEN, running_dashboard
from tests.support.wire_formats import calls
from tests.support.wire_server import running_wire_server

ROOT = Path(__file__).parents[2]
PAGES = [
    page
    for page in sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
    if "adr" not in page.parts and any(steps(page))
]
SCRIPTS = sysconfig.get_path("scripts")


@dataclass(frozen=True)
class Surroundings:
    """What a reader has besides the page: variables, and own names in place of the page's."""

    variables: dict[str, str] = field(default_factory=dict)
    instead_of: dict[str, str] = field(default_factory=dict)


@contextlib.contextmanager
def _a_model(folder: Path, _: pytest.FixtureRequest) -> Iterator[Surroundings]:
    """A provider's key, and a model that writes the file of the page and reports the goal complete."""
    with running_wire_server() as server:
        done = str(folder / "done.txt")
        is_claude = folder.name.startswith("claude-agent")
        write = calls("Write", file_path=done, content="hello") if is_claude else calls("write", text="hello")
        tool = "mcp__goal__report_complete" if is_claude else "report_complete"
        server.script = [write, calls(tool, summary="done")]
        keys = {f"{name}_API_KEY": "a-key-of-the-tests" for name in ("OPENAI", "ANTHROPIC", "GEMINI")}
        urls = {"OPENAI_BASE_URL": f"{server.url}/v1", "ANTHROPIC_BASE_URL": server.url}
        quiet = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "OPENAI_AGENTS_DISABLE_TRACING": "1"}
        yield Surroundings(keys | urls | quiet | {"GOOGLE_GEMINI_BASE_URL": server.url})


@contextlib.contextmanager
def _a_dashboard(folder: Path, _: pytest.FixtureRequest) -> Iterator[Surroundings]:
    """A dashboard in another terminal."""
    import telic

    telic.connect(folder / "goals.db").close()
    with running_dashboard(str(folder / "goals.db"), "--allow-write") as dashboard:
        yield Surroundings({"TELIC_DASHBOARD_TOKEN": TOKEN}, {"http://127.0.0.1:8137": dashboard.address})


@contextlib.contextmanager
def _a_database(_: Path, request: pytest.FixtureRequest) -> Iterator[Surroundings]:
    """A PostgreSQL server, by its own name."""
    make: Callable[[], str] = request.getfixturevalue("new_postgres_database")
    url = make()
    yield Surroundings({}, {"postgresql://telic@db.example/goals": url, "postgresql://telic@db/telic": url})


@contextlib.contextmanager
def _an_address(_: Path, __: pytest.FixtureRequest) -> Iterator[Surroundings]:
    """An address of this machine's own."""
    yield Surroundings({}, {"10.0.0.5": "127.0.0.2"})


@contextlib.contextmanager
def _other_systems(folder: Path, _: pytest.FixtureRequest) -> Iterator[Surroundings]:
    """Goals of other systems."""
    zeph, codex = folder / "path" / "to" / "zeph.db", folder / "home" / ".codex" / "goals_1.sqlite"
    for path in (zeph, codex):
        path.parent.mkdir(parents=True)
    foreign.write(zeph, foreign.ZEPH, foreign.zeph_goal("one"))
    foreign.write(codex, foreign.CODEX, foreign.codex_goal("thread"))
    yield Surroundings()


@contextlib.contextmanager
def _nothing(_: Path, __: pytest.FixtureRequest) -> Iterator[Surroundings]:
    yield Surroundings()


NEEDED = {
    "adk": _a_model,
    "claude-agent": _a_model,
    "langchain": _a_model,
    "openai-agents": _a_model,
    "pydantic-ai": _a_model,
    "http-api": _a_dashboard,
    "postgresql": _a_database,
    "top": _a_database,
    "dashboard": _an_address,
    "import": _other_systems,
}

_VARIES = [
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"), "ID"),
    (re.compile(r"\b[0-9a-f]{12}\b"), "ID"),
    (re.compile(r"(?<=age {10})\d+s"), "AGE"),
]
"""What is another each time."""


def _without_what_varies(text: str) -> str:
    for pattern, name in _VARIES:
        text = pattern.sub(name, text)
    return text


def _is_told(printed: str, told: str) -> bool:
    """Whether it is what the page tells; `…` there stands for anything, and typed answers are not printed."""
    told = re.sub(r"^> .*\n", "> ", told, flags=re.MULTILINE)
    pattern = ".*".join(map(re.escape, _without_what_varies(told).rstrip().split("…")))
    return re.fullmatch(pattern, _without_what_varies(printed).rstrip().removesuffix("\n>"), re.DOTALL) is not None


def _paste(runner: PageRunner, step: Command | Program | SavedFile) -> None:
    """Do what the page says, and compare."""
    if isinstance(step, SavedFile):
        (runner.folder / step.name).write_text(step.content)
        return
    printed, code = runner.type(step.line) if isinstance(step, Command) else runner.run(step.code, step.typed)
    shown = step.line if isinstance(step, Command) else step.code
    assert code == 0, f"{shown}\n{printed}"
    if step.prints is not None:
        assert _is_told(printed, step.prints), f"{shown}\nthe page says:\n{step.prints}\nprinted:\n{printed}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_works_when_it_is_pasted(page: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """In one new folder, one new shell and one new Python, in the page's order."""
    programs = tmp_path / "programs"
    programs.mkdir()
    stand_ins.install(programs)
    folder = tmp_path / page.stem
    folder.mkdir()
    path = f"{programs}:{SCRIPTS}:{os.environ['PATH']}"
    with NEEDED.get(page.stem, _nothing)(folder, request) as surroundings:
        variables = {"PATH": path, "REAL_TELIC": f"{SCRIPTS}/telic"} | surroundings.variables
        with new_page_runner(folder, **variables) as runner:
            for step in steps(page):
                _paste(runner, _renamed(step, surroundings.instead_of))


def _renamed(step: Command | Program | SavedFile, instead_of: dict[str, str]) -> Command | Program | SavedFile:
    def own(text: str) -> str:
        for name, replacement in instead_of.items():
            text = text.replace(name, replacement)
        return text

    if isinstance(step, SavedFile):
        return SavedFile(step.name, own(step.content))
    prints = None if step.prints is None else own(step.prints)
    return Command(own(step.line), prints) if isinstance(step, Command) else Program(own(step.code), prints)
