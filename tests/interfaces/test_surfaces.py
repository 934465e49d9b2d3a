"""Every surface tells the same facts of every goal."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

import telic
from telic.testing.surfaces import (
    FACTS,
    GOAL_NAMES,
    ROW_FACTS,
    Reading,
    ShownGoal,
    Surface,
    make_shown_goals,
    wrong_facts,
)
from tests.interfaces.surfaces import SURFACES


class Shown:
    """A store with all goals, and what each surface tells of them, read once."""

    def __init__(self, place: str) -> None:
        self.place = place
        with telic.connect(place) as store:
            self.goals: Mapping[str, ShownGoal] = make_shown_goals(store)
        self._all = [shown.goal for shown in self.goals.values()]
        self.readings = cache(self._readings)
        self.rows = cache(self._rows)

    def _readings(self, surface: str) -> Mapping[str, Reading]:
        return _NAMED[surface].read(self.place, self._all)

    def _rows(self, surface: str) -> Mapping[str, Reading]:
        return _NAMED[surface].rows(self.place, self._all)


_NAMED: Mapping[str, Surface] = {surface.name: surface for surface in SURFACES}


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    path: Path = tmp_path_factory.mktemp("surfaces") / "goals.db"
    return Shown(str(path))


@pytest.mark.parametrize("surface", _NAMED)
@pytest.mark.parametrize("name", GOAL_NAMES)
def test_a_surface_tells_how_a_goal_stands(shown: Shown, name: str, surface: str) -> None:
    """All its facts, and none of them otherwise than another surface does."""
    goal = shown.goals[name]
    reading = shown.readings(surface)[goal.goal.id]
    assert wrong_facts(_NAMED[surface], reading, goal, FACTS) == [], reading


@pytest.mark.parametrize("surface", _NAMED)
@pytest.mark.parametrize("name", GOAL_NAMES)
def test_a_list_tells_how_each_goal_stands(shown: Shown, name: str, surface: str) -> None:
    """In a row: status or reason, the first words, and who drives it."""
    goal = shown.goals[name]
    reading = shown.rows(surface)[goal.goal.id]
    assert wrong_facts(_NAMED[surface], reading, goal, ROW_FACTS) == [], reading
