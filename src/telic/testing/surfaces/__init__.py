"""A contract for surfaces: whatever shows goals must tell the same facts of each of them.

`make_shown_goals` makes goals in every state and says how each one stands, by hand. A surface is one row: a name and
two functions that read goals through it. `wrong_facts` compares what they give with how the goals stand.
"""

from telic.testing.surfaces.facts import FACTS, ROW_FACTS, Reading, Surface, wrong_facts
from telic.testing.surfaces.goals import GOAL_NAMES, ShownGoal, make_shown_goals

__all__ = ["FACTS", "GOAL_NAMES", "ROW_FACTS", "Reading", "ShownGoal", "Surface", "make_shown_goals", "wrong_facts"]
