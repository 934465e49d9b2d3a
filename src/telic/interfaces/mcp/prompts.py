"""The prompts, which hosts offer their users as commands: go on with the goal, and review it."""

from typing import Final

import mcp_types as types

from telic.domain.decision import LoopPolicy, is_nearly_spent
from telic.domain.errors import GoalNotFound, InvalidInput
from telic.domain.goal import Goal
from telic.interfaces.mcp.conversation import Conversation, told
from telic.prompt import review, wind_down

_GOAL: Final = types.PromptArgument(
    name="goal_id",
    description="The goal's id, or its beginning; else the active goal.",
    required=False,
)
CONTINUE: Final = "continue_goal"
REVIEW: Final = "review_goal"
PROMPTS: Final = (
    types.Prompt(
        name=CONTINUE,
        title="Continue the goal",
        description="Go on with the goal from where it stands now.",
        arguments=[_GOAL],
    ),
    types.Prompt(
        name=REVIEW,
        title="Review the goal",
        description="Look at what of the goal is done, how that is known, and what is left.",
        arguments=[_GOAL],
    ),
)


async def get_prompt(conversation: Conversation, name: str, given: dict[str, str]) -> str:
    """What the prompt says, built from the goal as it stands.

    Raises:
        InvalidInput: there is no such prompt, or it does not take these arguments.
        GoalNotFound: there is no such goal.
    """
    if name not in (CONTINUE, REVIEW):
        raise InvalidInput("there is no such prompt")
    if given.keys() - {"goal_id"}:
        raise InvalidInput(f"{name} takes goal_id, and nothing else")
    goal = await conversation.meant(given.get("goal_id") or None)
    if goal is None:
        raise GoalNotFound("active")
    block = await conversation.shown(goal)
    return f"{block}\n\n{review(goal) if name == REVIEW else await _going_on(conversation, goal)}"


async def _going_on(conversation: Conversation, goal: Goal) -> str:
    if goal.is_finished:
        return f"The goal is {goal.status}: nothing is left to do for it."
    if is_nearly_spent(goal, LoopPolicy()):
        return wind_down(goal)
    return told(goal, await conversation.store.verification(goal.id))
