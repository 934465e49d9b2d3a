"""A Python in which a package that is installed is not."""

from pathlib import Path

_FINDER = """
import sys


class Finder:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {package!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)


sys.meta_path.insert(0, Finder())
"""


def hiding(package: str) -> str:
    """A script after which the package cannot be imported."""
    return _FINDER.format(package=package)


def without_package(package: str, folder: Path) -> dict[str, str]:
    """The variables of a process that cannot import the package; the folder gets what Python then loads first."""
    (folder / "sitecustomize.py").write_text(hiding(package))
    return {"PYTHONPATH": str(folder)}
