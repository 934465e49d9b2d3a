"""What a package index shows of README, outside of the repository."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"!?\[[^\]]*\]\(([^)]*)\)")


@pytest.fixture
def build() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("repository", ["https://example.org/telic/telic", "https://example.org/telic/telic/"])
def test_every_link_leads_into_the_repository(build: ModuleType, repository: str) -> None:
    targets = LINK.findall(build.absolute_links((ROOT / "README.md").read_text(), repository, "v1.2"))
    assert targets
    for target in targets:
        assert target.startswith("https://example.org/telic/telic/")
        kind, _, path = target.removeprefix("https://example.org/telic/telic/").partition("/v1.2/")
        assert kind in ("blob", "raw", "tree")
        assert (ROOT / path.partition("#")[0]).exists(), target


def test_without_an_address_no_link_leads_nowhere(build: ModuleType) -> None:
    """The words of a link stay; a picture that cannot be shown is left out."""
    text = build.absolute_links((ROOT / "README.md").read_text(), "", "v1.2")
    assert LINK.findall(text) == []
    assert "the life of a goal" in text.lower()
    assert "![" not in text
