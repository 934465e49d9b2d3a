"""Documentation that cannot drift: examples are executed, drawn pages match the code, links lead somewhere."""

import os
import re
import runpy
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
EXAMPLE = re.compile(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", re.DOTALL)
GUIDES = ["criteria"]
"""Pages whose examples are one program, from the first to the last."""
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def _examples() -> list[object]:
    """Each example that begins with an import, with the files that its page's other examples are named after."""
    found: list[object] = []
    for page in PAGES:
        if page.stem in GUIDES:
            continue
        blocks = EXAMPLE.findall(page.read_text())
        files = {code.split()[1]: code for code, _ in blocks if code.startswith("# ")}
        found += [
            pytest.param(files, code, expected, id=f"{page.stem}-{number}")
            for number, (code, expected) in enumerate(blocks)
            if code.startswith("import ")
        ]
    return found


@pytest.mark.parametrize(("files", "code", "expected"), _examples())
def test_an_example_prints_what_the_page_says(files: dict[str, str], code: str, expected: str, tmp_path: Path) -> None:
    """It runs as pasted, in a new folder that has the page's files, and prints the text below it."""
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    if expected:
        assert result.stdout == expected


@pytest.mark.parametrize("guide", GUIDES)
def test_a_guide_prints_what_it_says(guide: str, tmp_path: Path) -> None:
    """Its examples run as one program, in a new folder, and print the texts below them."""
    examples = EXAMPLE.findall((ROOT / "docs" / "howto" / f"{guide}.md").read_text())
    assert examples
    script = "\n".join(code for code, _ in examples)
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout == "".join(expected for _, expected in examples)


def test_the_first_example_is_short() -> None:
    """A stranger reads at most 15 lines before seeing it work."""
    assert len(EXAMPLE.findall(README)[0][0].splitlines()) <= 15


@pytest.mark.parametrize("page", ["README.md", "docs/howto/workers.md", "docs/tutorial/first-loop.md"])
def test_a_session_of_commands_runs(page: str, tmp_path: Path) -> None:
    """The session of `telic` commands works from the first line to the last."""
    blocks = re.findall(r"```console\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    for code, _ in EXAMPLE.findall((ROOT / page).read_text()):
        if code.startswith("# "):
            (tmp_path / code.split()[1]).write_text(code)
    session = next(block for block in blocks if "TELIC_STORE" in block)
    script = "set -e\n" + "\n".join(line.removeprefix("$ ") for line in session.splitlines())
    path = f"{sysconfig.get_path('scripts')}:{os.environ['PATH']}"
    environment = os.environ | {"PATH": path}
    result = subprocess.run(["bash", "-c", script], capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "goals.db").exists()


def test_the_demo_runs(tmp_path: Path) -> None:
    """`make demo` shows a goal that survives SIGKILL and ends verified, in a healthy database."""
    result = subprocess.run(
        [sys.executable, ROOT / "examples" / "demo.py"], capture_output=True, text=True, cwd=tmp_path
    )
    assert result.returncode == 0, result.stderr
    assert "*** kill -9 ***" in result.stdout
    assert "completed (verified)" in result.stdout
    assert "every chain, sum and state holds" in result.stdout
    assert "problem" not in result.stdout


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.stem)
def test_every_example_is_executed(example: Path, tmp_path: Path) -> None:
    """No example is only read."""
    result = subprocess.run([sys.executable, example], capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 0, result.stderr


def test_drawn_pages_match_the_code() -> None:
    """Tables, errors and help are as the code has them; `make docs` draws them anew."""
    generate = runpy.run_path(str(ROOT / "docs" / "generate.py"))
    for name, render in generate["PAGES"].items():
        assert (ROOT / "docs" / name).read_text() == render(), f"{name} has drifted: run make docs"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link names a file that is there."""
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_locks_name_no_host() -> None:
    """Dependency locks are pinned by hash and free of addresses."""
    for lock in (ROOT / "requirements").glob("*.txt"):
        text = lock.read_text()
        assert "--hash=sha256:" in text
        assert not re.search(r"https?://|file:|--(?:extra-)?index-url|--find-links", text)
