"""The frameworks' floors: the oldest versions that the extras allow are those that the gate tests."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import telic.integrations

ROOT = Path(__file__).parents[2]
NEEDED = re.compile(r'needs_extra\("([a-z-]+)"')
ADAPTERS = sorted(
    {
        extra
        for path in Path(telic.integrations.__file__).parent.glob("*.py")
        for extra in NEEDED.findall(path.read_text())
    }
)


def floor_of(extra: str) -> tuple[str, Version]:
    (needed,) = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"][extra]
    requirement = Requirement(needed)
    (specifier,) = requirement.specifier
    assert specifier.operator == ">="
    return requirement.name, Version(specifier.version)


def pinned(lock: str) -> dict[str, Version]:
    lines = re.findall(r"^([a-z0-9-]+)==([^ ;]+)", (ROOT / "requirements" / lock).read_text(), re.MULTILINE)
    return {name: Version(version) for name, version in lines}


def test_every_adapter_needs_an_extra() -> None:
    assert ADAPTERS == ["adk", "claude-agent", "langchain", "openai-agents", "pydantic-ai"]


@pytest.mark.parametrize("extra", ADAPTERS)
def test_the_oldest_framework_that_is_tested_is_the_oldest_that_is_allowed(extra: str) -> None:
    framework, floor = floor_of(extra)
    assert pinned("oldest.txt")[framework] == floor
    assert pinned("dev.txt")[framework] >= floor
