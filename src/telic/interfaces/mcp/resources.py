"""Resources and prompts: goals and their histories, as texts in which others' words are quoted."""

import re
from dataclasses import dataclass
from typing import Final

import mcp_types as types

from telic.domain.decision import LoopPolicy, is_nearly_spent
from telic.domain.errors import GoalNotFound, InvalidInput
from telic.domain.events import Event
from telic.domain.goal import Goal
from telic.interfaces.mcp.conversation import McpConversation
from telic.interfaces.mcp.results import quote_if_ambiguous
from telic.interfaces.mcp.tools import next_steps
from telic.loop.prompts import feedback_of
from telic.prompt import continuation, quote, review, wind_down
from telic.services.insight import list_goals
from telic.wording.amounts import humanize, show_time
from telic.wording.goals import describe_event

ACTIVE_URI: Final = "goal://active"
_URI: Final = re.compile(r"goal://([0-9A-Za-z_-]{1,64})(/history)?")
_LISTED: Final = 50
_LAST_EVENTS: Final = 100
_TEXT: Final = "text/plain"


@dataclass(frozen=True, slots=True)
class ResourceAddress:
    """The goal that a URI names, or the active one (None); or that goal's history."""

    goal_id: str | None
    is_history: bool = False


def parse_uri(uri: str) -> ResourceAddress:
    """Return what the URI names.

    Raises:
        InvalidInput: nothing here.
    """
    if uri == ACTIVE_URI:
        return ResourceAddress(None)
    found = _URI.fullmatch(uri)
    if found is None:
        raise InvalidInput("there is no such resource: goal://active, goal://ID and goal://ID/history are")
    return ResourceAddress(found[1], is_history=bool(found[2]))


def uris_of(goal_id: str) -> tuple[str, ...]:
    """Return the resources that may differ when something happened to the goal."""
    return (ACTIVE_URI, f"goal://{goal_id}", f"goal://{goal_id}/history")


_TEMPLATES: Final = (
    ("", "goal", "A goal", "The goal as it stands: text, criteria, status, what is left of its budget."),
    ("/history", "history", "A goal's history", "What happened to the goal, when, and by whom."),
)
TEMPLATES: Final = tuple(
    types.ResourceTemplate(
        uri_template=f"goal://{{id}}{part}", name=name, title=title, description=description, mime_type=_TEXT
    )
    for part, name, title, description in _TEMPLATES
)


async def list_resources(conversation: McpConversation) -> list[types.Resource]:
    """Return the active goal, and the newest goals with their histories."""
    page = await list_goals(conversation.store, scope=conversation.settings.scope, limit=_LISTED)
    listed = [_resource("active", "The active goal", "The goal to work on.")]
    # Ids that an importer kept may be such that no URI can name them.
    for goal in (each for each in page.goals if _URI.fullmatch(f"goal://{each.id}")):
        listed.append(_resource(goal.id, f"Goal {goal.id} ({goal.status})"))
        listed.append(_resource(f"{goal.id}/history", f"History of goal {goal.id}"))
    return listed


def _resource(name: str, title: str, description: str | None = None) -> types.Resource:
    return types.Resource(uri=f"goal://{name}", name=name, title=title, description=description, mime_type=_TEXT)


async def read_resource(conversation: McpConversation, uri: str) -> str:
    """Return the resource as it stands.

    Raises:
        InvalidInput, GoalNotFound: the scope has none like that.
    """
    place = parse_uri(uri)
    if place.is_history:
        return await _history(conversation, await conversation.goals.named(str(place.goal_id)))
    if place.goal_id is None:
        goal = await conversation.store.active(conversation.settings.scope)
        if goal is None:
            return "No goal is active."
    else:
        goal = await conversation.goals.named(place.goal_id)
    steps = "".join(f"\n- {step}" for step in next_steps(goal, conversation.settings))
    return await conversation.shown(goal) + steps


async def is_there(conversation: McpConversation, uri: str) -> bool:
    """Return whether the scope has what the URI names."""
    try:
        place = parse_uri(uri)
    except InvalidInput:
        return False
    return place.goal_id is None or await conversation.goals.at(place.goal_id) is not None


async def _history(conversation: McpConversation, goal: Goal) -> str:
    events = await conversation.goals.last_events(goal.id, _LAST_EVENTS)
    earlier = events[0].number - 1 if events else 0
    lines = [f"Goal {quote_if_ambiguous(goal.id)}: {quote(goal.text)}"]
    lines += [f"{earlier} earlier events are left out."] if earlier else []
    return "\n".join([*lines, *map(_line, events)])


def _line(event: Event) -> str:
    said = f": {quote(described)}" if (described := describe_event(event)) else ""
    at, kind = show_time(event.at), humanize(event.kind)
    return f"{event.number}. {at} {kind} by {event.actor}, revision {event.revision}{said}"


_GOAL: Final = types.PromptArgument(
    name="goal_id", description="The goal's id, or its beginning; else the active goal.", required=False
)
CONTINUE: Final = "continue_goal"
REVIEW: Final = "review_goal"
_PROMPTS: Final = (
    (CONTINUE, "Continue the goal", "Go on with the goal from where it stands now."),
    (REVIEW, "Review the goal", "Look at what of the goal is done, how that is known, and what is left."),
)
PROMPTS: Final = tuple(
    types.Prompt(name=name, title=title, description=description, arguments=[_GOAL])
    for name, title, description in _PROMPTS
)


async def get_prompt(conversation: McpConversation, name: str, given: dict[str, str]) -> str:
    """Return the prompt, built from the goal as it stands.

    Raises:
        InvalidInput: there is no such prompt, or it does not take these arguments.
        GoalNotFound: there is no such goal.
    """
    if name not in (CONTINUE, REVIEW):
        raise InvalidInput("there is no such prompt")
    if given.keys() - {"goal_id"}:
        raise InvalidInput(f"{name} takes goal_id, and nothing else")
    goal = await conversation.resolve_goal(given.get("goal_id") or None)
    if goal is None:
        raise GoalNotFound("active")
    block = await conversation.shown(goal)
    return f"{block}\n\n{review(goal) if name == REVIEW else await _going_on(conversation, goal)}"


async def _going_on(conversation: McpConversation, goal: Goal) -> str:
    if goal.is_finished:
        return f"The goal is {goal.status}: nothing is left to do for it."
    if is_nearly_spent(goal, LoopPolicy()):
        return wind_down(goal)
    verification = await conversation.store.verification(goal.id)
    # What failed when the goal was last checked says best how to go on.
    return (verification and feedback_of(goal, verification)) or continuation(goal)
