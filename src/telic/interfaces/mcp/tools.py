"""The tools with their descriptions and parameters, and the roles that have them."""

import json
from dataclasses import dataclass
from typing import Any, Final

import mcp_types as types

from telic.domain.goal import Goal, GoalStatus
from telic.domain.views import larger_limits
from telic.integrations import tools as shared
from telic.integrations.tools import GoalTool, ToolParameter
from telic.interfaces.mcp.conversation import Role, ServerSettings
from telic.interfaces.mcp.results import OUTPUT_SCHEMA, quote_if_ambiguous
from telic.services.actions import PURPOSES, GoalAction, fitting_actions
from telic.wording.amounts import write_limit

_EVERYBODY: Final = frozenset(Role)
_WORKERS: Final = frozenset({Role.AGENT, Role.OPERATOR})
_OPERATORS: Final = frozenset({Role.OPERATOR})


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerTool:
    """One tool of a server, for these roles. A `destructive` one ends something for good.

    An operator does the `action` with it, if it has one.
    """

    name: str
    title: str
    description: str
    parameters: tuple[ToolParameter, ...]
    roles: frozenset[Role]
    reads_only: bool = False
    destructive: bool = False
    action: GoalAction | None = None

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of its arguments."""
        return shared.object_schema(self.parameters)

    def as_type(self) -> types.Tool:
        """Return the tool as the protocol tells of it."""
        return types.Tool(
            name=self.name,
            title=self.title,
            description=self.description,
            input_schema=self.schema(),
            output_schema=OUTPUT_SCHEMA,
            annotations=types.ToolAnnotations(
                title=self.title,
                read_only_hint=self.reads_only,
                destructive_hint=self.destructive,
                # Without a key of its own, a repeated call is another call.
                idempotent_hint=self.reads_only,
                open_world_hint=False,
            ),
        )


_KEY: Final = ToolParameter(
    "key",
    "A name of your own for this call, of at most 200 characters. Repeat a call whose answer you did not get with the "
    "same key: it then happens once.",
)
_GOAL: Final = ToolParameter(
    "goal_id",
    "The goal's id, or its first or last 8 or more characters. Leave it out for the goal that is being worked on.",
)
_NAMED_GOAL: Final = ToolParameter(
    "goal_id", "The goal's id, or its first or last 8 or more characters.", is_required=True
)
_NOTE: Final = ToolParameter("note", "Why, in a sentence; it is kept in the goal's history.")
_AMOUNTS: Final = (
    'Each as "2M" or "500k" (tokens), "$5" (cost), "90m" or "2h" (active time), or "40turns". What is not named stays; '
    '["none"] lifts all.'
)
_REPLACE: Final = ToolParameter(
    "replace", "True to go on although another goal is active, which is then paused. Ask the user first.", shared.FLAG
)


def _shared(
    tool: GoalTool,
    title: str,
    roles: frozenset[Role],
    *more: ToolParameter,
    description: str = "",
    reads_only: bool = False,
    destructive: bool = False,
) -> ServerTool:
    # Clients of a server also say which goal, and name their call.
    return ServerTool(
        name=tool.name,
        title=title,
        description=f"{tool.description}{description}",
        parameters=(*tool.parameters, *more),
        roles=roles,
        reads_only=reads_only,
        destructive=destructive,
    )


_GET: Final = _shared(
    shared.GET_GOAL,
    "Show the goal",
    _EVERYBODY,
    _GOAL,
    description=" Without an active goal it shows the one that was changed last.",
    reads_only=True,
)
_LIST: Final = ServerTool(
    name="list_goals",
    title="List goals",
    description="Lists the goals, newest first, with their status and ids: at most 20 at a time.",
    parameters=(
        ToolParameter("status", "Only goals of this status.", {**shared.TEXT, "enum": list(map(str, GoalStatus))}),
        ToolParameter("text", "Only goals that have this in their text."),
        ToolParameter("cursor", "The next_cursor of the answer before, to see older ones."),
    ),
    roles=_EVERYBODY,
    reads_only=True,
)
_PROGRESS: Final = ServerTool(
    name="report_progress",
    title="Report a turn of work",
    description="Counts one turn of your work on the goal, with the tokens that it used as far as you know, and "
    "answers whether to go on. Call it once at the end of each turn, unless your host counts your turns itself. It "
    "completes nothing. Where a budget is used up, the goal is paused.",
    parameters=(
        ToolParameter("goal_id", "The id of the goal that you worked on, as get_goal shows it.", is_required=True),
        ToolParameter("input_tokens", "Tokens that the model read in this turn, cached ones included.", shared.COUNT),
        ToolParameter("cached_input_tokens", "How many of these came from a cache.", shared.COUNT),
        ToolParameter("output_tokens", "Tokens that the model wrote in this turn, reasoning included.", shared.COUNT),
        ToolParameter("reasoning_tokens", "How many of these were reasoning.", shared.COUNT),
        ToolParameter("active_seconds", "How long you worked in this turn, in seconds.", shared.COUNT),
        ToolParameter("model", "The model's name."),
        _KEY,
    ),
    roles=_WORKERS,
)
_SET_BUDGET: Final = ServerTool(
    name="set_budget",
    action=GoalAction.SET_BUDGET,
    title="Set the goal's budget",
    description="Sets limits on what the goal may use. A goal that has already used up a limit is paused. Raising the "
    "budget resumes nothing; resume_goal does, and can set the budget in the same call.",
    parameters=(ToolParameter("budget", f"The limits. {_AMOUNTS}", shared.TEXTS, is_required=True), _GOAL, _KEY),
    roles=_OPERATORS,
)
_PAUSE: Final = ServerTool(
    name="pause_goal",
    action=GoalAction.PAUSE,
    title="Pause the goal",
    description="Stops work on the goal until it is resumed, wherever it is being worked on.",
    parameters=(_GOAL, _NOTE, _KEY),
    roles=_OPERATORS,
)
_RESUME: Final = ServerTool(
    name="resume_goal",
    action=GoalAction.RESUME,
    title="Resume a goal",
    description="Makes a paused goal active again, so that work on it goes on.",
    parameters=(
        _NAMED_GOAL,
        ToolParameter("budget", f"Set these limits first. {_AMOUNTS}", shared.TEXTS),
        _REPLACE,
        _KEY,
    ),
    roles=_OPERATORS,
)
_CLEAR: Final = ServerTool(
    name="clear_goal",
    action=GoalAction.CLEAR,
    title="Give a goal up",
    description="Gives the goal up for good: it can never be resumed. Its history stays. Ask the user first.",
    parameters=(_NAMED_GOAL, _NOTE, _KEY),
    roles=_OPERATORS,
    destructive=True,
)
_CREATE_AS_AGENT: Final = _shared(shared.CREATE_GOAL, "Set the goal", frozenset({Role.AGENT}), _KEY)
_CREATE_AS_OPERATOR: Final = ServerTool(
    name=shared.CREATE_GOAL.name,
    title="Set a goal",
    description="Sets a new goal and makes it the active one. Use it only when the user asks for it.",
    parameters=(
        *shared.CREATE_GOAL.parameters,
        ToolParameter("budget", f"Limits on what it may use. {_AMOUNTS}", shared.TEXTS),
        ToolParameter(
            "checks", 'Commands that must exit with 0, such as "pytest -q"; no shell runs them.', shared.TEXTS
        ),
        ToolParameter("judges", "Questions that a judging model must answer with yes.", shared.TEXTS),
        ToolParameter("approvals", "What a person must approve.", shared.TEXTS),
        _REPLACE,
        _KEY,
    ),
    roles=_OPERATORS,
)

_ACTING: Final = (_PAUSE, _RESUME, _CLEAR, _SET_BUDGET)
TOOL_OF: Final = {tool.action: tool.name for tool in _ACTING if tool.action is not None}
"""The name of the tool with which an operator does the action."""


def _revision(settings: ServerSettings) -> ToolParameter:
    shown = "The goal's revision, as the last answer showed it to you. A goal that has changed since is not touched."
    # A server that cannot tell its clients apart does not know what this one has looked at.
    needed = "" if settings.shared else " Needed only if you did not look at it here before."
    return ToolParameter("revision", f"{shown}{needed}", shared.COUNT, is_required=settings.shared)


def _reports(settings: ServerSettings) -> tuple[ServerTool, ...]:
    about = (_GOAL, _revision(settings), _KEY)
    return (
        _shared(shared.REPORT_COMPLETE, "Report the goal complete", _WORKERS, *about, destructive=True),
        _shared(shared.REPORT_BLOCKED, "Report the goal blocked", _WORKERS, *about),
    )


def tools_for(settings: ServerSettings) -> dict[str, ServerTool]:
    """Return the tools that a server with these settings offers, by name."""
    creating = (_CREATE_AS_OPERATOR, *((_CREATE_AS_AGENT,) if settings.agent_may_create else ()))
    all_tools = (_GET, _LIST, _PROGRESS, *_reports(settings), *creating, *_ACTING)
    return {tool.name: tool for tool in all_tools if settings.role in tool.roles}


def next_steps(goal: Goal | None, settings: ServerSettings) -> tuple[str, ...]:
    """Return the steps that fit the goal as it stands, and the role."""
    if settings.role is Role.OBSERVER:
        return ()
    if goal is not None:
        return _for_agents(goal) if settings.role is Role.AGENT else _for_operators(goal)
    may_create = settings.role is Role.OPERATOR or settings.agent_may_create
    # A model that reads of a tool which it lacks goes on looking for it.
    return (
        "create_goal sets one, when the user asks for it"
        if may_create
        else "do what the user asks for; goals are set by the user or the host",
    )


def _for_agents(goal: Goal) -> tuple[str, ...]:
    if goal.is_finished:
        return ("nothing is left to do for it; end your turn",)
    if goal.status is GoalStatus.PAUSED:
        return ("stop working on it and end your turn; only the user or the host can resume it",)
    return (
        "work on it, and call report_progress at the end of your turn",
        f"call report_complete with revision {goal.revision} when every part of it holds and you have seen how",
        f"call report_blocked with revision {goal.revision} if nothing that you can do moves any part of it",
    )


_OFFERED: Final = 2


def _for_operators(goal: Goal) -> tuple[str, ...]:
    if goal.is_finished:
        return ("create_goal sets the next one", "list_goals shows the others")
    fitting = [action for action in fitting_actions(goal) if action in TOOL_OF]
    return tuple(_use(action, goal) for action in fitting[:_OFFERED])


def _use(action: GoalAction, goal: Goal) -> str:
    limits = [write_limit(*each) for each in (larger_limits(goal) if action is GoalAction.RESUME else {}).items()]
    budget = f" and budget {json.dumps(limits)}" if limits else ""
    return f"{TOOL_OF[action]} with goal_id {quote_if_ambiguous(goal.id)}{budget} {PURPOSES[action]}"
