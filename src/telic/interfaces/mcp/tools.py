"""The tools with their descriptions and parameters, and the roles that have them."""

from dataclasses import dataclass
from typing import Any, Final

import mcp_types as types

from telic.domain.goal import GoalStatus
from telic.interfaces.mcp.parameters import Parameter, ParameterKind, object_schema
from telic.interfaces.mcp.results import OUTPUT_SCHEMA
from telic.interfaces.mcp.settings import Role, ServerSettings

_EVERYBODY: Final = frozenset(Role)
_WORKERS: Final = frozenset({Role.AGENT, Role.OPERATOR})
_OPERATORS: Final = frozenset({Role.OPERATOR})


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One tool. A `destructive` one ends something for good."""

    name: str
    title: str
    description: str
    parameters: tuple[Parameter, ...]
    roles: frozenset[Role]
    reads_only: bool = False
    destructive: bool = False

    def as_type(self) -> types.Tool:
        """Return the tool as the protocol lists it."""
        return types.Tool(
            name=self.name,
            title=self.title,
            description=self.description,
            input_schema=object_schema(self.parameters),
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


def _text(name: str, description: str, *, is_required: bool = False, choices: tuple[str, ...] = ()) -> Parameter:
    return Parameter(name, ParameterKind.TEXT, description, is_required, choices)


def _count(name: str, description: str) -> Parameter:
    return Parameter(name, ParameterKind.COUNT, description)


_KEY: Final = _text(
    "key",
    "A name of your own for this call, of at most 200 characters. Repeat a call whose answer you did not get with the "
    "same key: it then happens once.",
)
_GOAL: Final = _text(
    "goal_id", "The goal's id, or its first 8 or more characters. Leave it out for the goal that is being worked on."
)
_NAMED_GOAL: Final = _text("goal_id", "The goal's id, or its first 8 or more characters.", is_required=True)
_NOTE: Final = _text("note", "Why, in a sentence; it is kept in the goal's history.")
_AMOUNTS: Final = (
    'Each as "2M" or "500k" (tokens), "$5" (cost), "90m" or "2h" (active time), or "40turns". What is not named stays; '
    '["none"] lifts all.'
)
_REPLACE: Final = Parameter(
    "replace",
    ParameterKind.FLAG,
    "True to go on although another goal is active, which is then paused. Ask the user first.",
)

_GET: Final = Tool(
    name="get_goal",
    title="Show the goal",
    description="Shows the goal that you work on as it stands now: its text, its criteria, what is left of its budget, "
    "its revision, and what to do next. Call it before you start, and whenever you may have lost sight of the goal. "
    "Without an active goal it shows the one that was changed last.",
    parameters=(_GOAL,),
    roles=_EVERYBODY,
    reads_only=True,
)
_LIST: Final = Tool(
    name="list_goals",
    title="List goals",
    description="Lists the goals, newest first, with their status and ids: at most 20 at a time.",
    parameters=(
        _text("status", "Only goals of this status.", choices=tuple(status.value for status in GoalStatus)),
        _text("text", "Only goals that have this in their text."),
        _text("cursor", "The next_cursor of the answer before, to see older ones."),
    ),
    roles=_EVERYBODY,
    reads_only=True,
)
_PROGRESS: Final = Tool(
    name="report_progress",
    title="Report a turn of work",
    description="Counts one turn of your work on the goal, with the tokens that it used as far as you know, and "
    "answers whether to go on. Call it once at the end of each turn, unless your host counts your turns itself. It "
    "completes nothing. Where a budget is used up, the goal is paused.",
    parameters=(
        _text("goal_id", "The id of the goal that you worked on, as get_goal shows it.", is_required=True),
        _count("input_tokens", "Tokens that the model read in this turn, cached ones included."),
        _count("cached_input_tokens", "How many of these came from a cache."),
        _count("output_tokens", "Tokens that the model wrote in this turn, reasoning included."),
        _count("reasoning_tokens", "How many of these were reasoning."),
        _count("active_seconds", "How long you worked in this turn, in seconds."),
        _text("model", "The model's name."),
        _KEY,
    ),
    roles=_WORKERS,
)
_SET_BUDGET: Final = Tool(
    name="set_budget",
    title="Set the goal's budget",
    description="Sets limits on what the goal may use. A goal that has already used up a limit is paused. Raising the "
    "budget resumes nothing; resume_goal does, and can set the budget in the same call.",
    parameters=(Parameter("budget", ParameterKind.TEXTS, f"The limits. {_AMOUNTS}", True), _GOAL, _KEY),
    roles=_OPERATORS,
)
_PAUSE: Final = Tool(
    name="pause_goal",
    title="Pause the goal",
    description="Stops work on the goal until it is resumed, wherever it is being worked on.",
    parameters=(_GOAL, _NOTE, _KEY),
    roles=_OPERATORS,
)
_RESUME: Final = Tool(
    name="resume_goal",
    title="Resume a goal",
    description="Makes a paused goal active again, so that work on it goes on.",
    parameters=(
        _NAMED_GOAL,
        Parameter("budget", ParameterKind.TEXTS, f"Set these limits first. {_AMOUNTS}"),
        _REPLACE,
        _KEY,
    ),
    roles=_OPERATORS,
)
_CLEAR: Final = Tool(
    name="clear_goal",
    title="Give a goal up",
    description="Gives the goal up for good: it can never be resumed. Its history stays. Ask the user first.",
    parameters=(_NAMED_GOAL, _NOTE, _KEY),
    roles=_OPERATORS,
    destructive=True,
)
_TEXT: Final = _text("text", "What is to be achieved, in the user's words.", is_required=True)
_CREATE_AS_AGENT: Final = Tool(
    name="create_goal",
    title="Set the goal",
    description="Sets the goal, where there is no unfinished one. Use it only when the user asks for it.",
    parameters=(_TEXT, _KEY),
    roles=frozenset({Role.AGENT}),
)
_CREATE_AS_OPERATOR: Final = Tool(
    name="create_goal",
    title="Set a goal",
    description="Sets a new goal and makes it the active one. Use it only when the user asks for it.",
    parameters=(
        _TEXT,
        Parameter("budget", ParameterKind.TEXTS, f"Limits on what it may use. {_AMOUNTS}"),
        Parameter(
            "checks", ParameterKind.TEXTS, 'Commands that must exit with 0, such as "pytest -q"; no shell runs them.'
        ),
        Parameter("judges", ParameterKind.TEXTS, "Questions that a judging model must answer with yes."),
        Parameter("approvals", ParameterKind.TEXTS, "What a person must approve."),
        _REPLACE,
        _KEY,
    ),
    roles=_OPERATORS,
)


def _revision(settings: ServerSettings) -> Parameter:
    shown = "as the last answer showed it to you. A goal that has changed since is not touched."
    if settings.shared:
        return Parameter("revision", ParameterKind.COUNT, f"The goal's revision, {shown}", True)
    return _count("revision", f"The goal's revision, {shown} Needed only if you did not look at it here before.")


def _reports(settings: ServerSettings) -> tuple[Tool, ...]:
    complete = Tool(
        name="report_complete",
        title="Report the goal complete",
        description="Reports that every part of the goal is reached. Its criteria are checked; they decide, not your "
        "word. Call it only when you have seen the evidence for each part.",
        parameters=(
            _text("summary", "What was done, and how you know.", is_required=True),
            _GOAL,
            _revision(settings),
            _KEY,
        ),
        roles=_WORKERS,
        destructive=True,
    )
    blocked = Tool(
        name="report_blocked",
        title="Report the goal blocked",
        description="Reports that nothing you can do moves any part of the goal. It is paused until somebody removes "
        "the obstacle. Hard, slow or unclear work is not blocked.",
        parameters=(
            _text("reason", "What exactly stops you, and who can remove it.", is_required=True),
            _GOAL,
            _revision(settings),
            _KEY,
        ),
        roles=_WORKERS,
    )
    return complete, blocked


def tools_for(settings: ServerSettings) -> dict[str, Tool]:
    """Return the tools that a server with these settings offers, by name."""
    creating = (_CREATE_AS_OPERATOR, *((_CREATE_AS_AGENT,) if settings.agent_may_create else ()))
    all_tools = (_GET, _LIST, _PROGRESS, *_reports(settings), *creating, _PAUSE, _RESUME, _CLEAR, _SET_BUDGET)
    return {tool.name: tool for tool in all_tools if settings.role in tool.roles}


def listed(tools: dict[str, Tool]) -> list[types.Tool]:
    """Return the tools as the protocol lists them."""
    return [tool.as_type() for tool in tools.values()]


def schema_of(tools: dict[str, Tool], name: str) -> dict[str, Any] | None:
    """Return the schema of the arguments of the tool of this name, if there is one."""
    tool = tools.get(name)
    return None if tool is None else object_schema(tool.parameters)
