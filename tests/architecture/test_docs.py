"""Documentation that cannot drift: examples are executed, drawn pages match the code, links lead somewhere."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
EXAMPLE = re.compile(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", re.DOTALL)
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def test_the_first_example_is_short() -> None:
    """A stranger reads at most 15 lines before seeing it work."""
    assert len(EXAMPLE.findall(README)[0][0].splitlines()) <= 15


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


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/explanation/architecture.md"])
def test_what_is_said_of_the_code_is_there(page: str) -> None:
    """Each module, folder and class that the pages for contributors name exists."""
    source = ROOT / "src" / "telic"
    text = (ROOT / page).read_text()
    names = {path.name for path in source.rglob("*")}
    for path in set(re.findall(r"`(?:src/telic/)?([a-z_/]+\.py)`", text)):
        assert (source / path).exists() or path in names or (ROOT / path).exists(), path
    code = "\n".join(path.read_text() for path in source.rglob("*.py"))
    for name in set(re.findall(r"`([A-Z][a-z]+[A-Z]\w+)`", text)):
        assert f"class {name}" in code, name
    for module in set(re.findall(r"`telic\.([a-z_.]+)`", text)):
        assert (source / module.replace(".", "/")).with_suffix(".py").exists() or (
            source / module.replace(".", "/")
        ).is_dir()


def test_locks_name_no_host() -> None:
    """Dependency locks are pinned by hash and free of addresses."""
    for lock in (ROOT / "requirements").glob("*.txt"):
        text = lock.read_text()
        assert "--hash=sha256:" in text
        assert not re.search(r"https?://|file:|--(?:extra-)?index-url|--find-links", text)
