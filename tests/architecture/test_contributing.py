"""CONTRIBUTING.md's table of folders: it names every package, and says what each really imports."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "telic"
ROW = re.compile(r"^\| (`src/telic/.+?) \| .+? \| ?(.*?) ?\|$", re.MULTILINE)
ROWS = dict(ROW.findall((ROOT / "CONTRIBUTING.md").read_text()))
# Facades of names, and what users' tests import, reach everywhere.
UNLISTED = {"__init__", "__main__", "errors", "types", "py"}


def layers() -> list[set[str]]:
    """Return the packages of the first import contract, the highest layer first."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    return [set(re.findall(r"telic\.(\w+)", layer)) for layer in contracts[0]["layers"]]


def below(package: str) -> set[str]:
    """Return what the contract lets the package import, besides itself."""
    place = next(number for number, layer in enumerate(layers()) if package in layer)
    return set().union(*layers()[place + 1 :])


def modules(folders: str) -> Iterator[Path]:
    for name in re.findall(r"`([^`]+)`", folders):
        (path,) = (found for base in (ROOT, SOURCE, SOURCE / "loop") if (found := base / name).exists())
        yield from [path] if path.is_file() else path.rglob("*.py")


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("telic."):
            yield str(node.module).split(".")[1]


def test_every_package_has_a_row() -> None:
    found = {path.relative_to(SOURCE).parts[0] for path in SOURCE.rglob("*.py")}
    packages = {name.removesuffix(".py") for name in found} - UNLISTED
    assert {name for name in packages if not any(f"src/telic/{name}" in row for row in ROWS)} == set()


@pytest.mark.parametrize("folders", [row for row in ROWS if row != "`src/telic/testing/`"])
def test_a_folder_imports_what_its_row_says(folders: str) -> None:
    """No more than it says, which is no more than the import contract allows."""
    found = list(modules(folders))
    own = {path.relative_to(SOURCE).parts[0].removesuffix(".py") for path in found} | set(
        re.findall(r"src/telic/(\w+)", folders)
    )
    package = sorted(own & set().union(*layers()))[0]
    cell = ROWS[folders]
    said = below(package) - {"storage"} if cell == "all but storage" else set(re.findall(r"\w+", cell))
    said -= {"the", "standard", "library"}
    assert said <= below(package)
    assert {name for path in found for name in imported(path)} - own <= said
