"""The tools by which a model acts on its goal: one table for the adapters and the MCP server.

A tool's name, description, parameters, check and call stand here alone, so that a model reads and gets the same
through whichever of them it works.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from telic.domain.errors import GoalError, InvalidInput, StaleUpdate, StoreError
from telic.domain.limits import MAX_COUNTER
from telic.integrations.reports import report_blocked, report_complete, set_goal
from telic.integrations.session import GoalSession
from telic.prompt import quote, render

Arguments = Mapping[str, Any]
"""A tool's checked arguments. Those that were left out are None; a table without a key has none."""


class ParameterKind(Enum):
    """Which values a parameter takes."""

    TEXT = "a text"
    COUNT = "a whole number from 0"
    FLAG = "true or false"
    TEXTS = "a list of texts"


_MOST_TEXTS: Final = 50
_SCHEMAS: Final[dict[ParameterKind, dict[str, Any]]] = {
    ParameterKind.TEXT: {"type": "string"},
    ParameterKind.COUNT: {"type": "integer", "minimum": 0, "maximum": MAX_COUNTER},
    ParameterKind.FLAG: {"type": "boolean"},
    ParameterKind.TEXTS: {"type": "array", "items": {"type": "string"}, "maxItems": _MOST_TEXTS},
}


@dataclass(frozen=True, slots=True)
class ToolParameter:
    """One argument of a tool: how clients are told of it, and by the same table how it is checked."""

    name: str
    kind: ParameterKind
    description: str
    is_required: bool = False
    choices: tuple[str, ...] = ()

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of its values."""
        choices: dict[str, Any] = {"enum": list(self.choices)} if self.choices else {}
        return _SCHEMAS[self.kind] | choices | {"description": self.description}

    def accepts(self, value: object) -> bool:
        """Return whether the value is one of them; True is no number here."""
        match self.kind:
            case ParameterKind.TEXT:
                return isinstance(value, str) and (not self.choices or value in self.choices)
            case ParameterKind.COUNT:
                return type(value) is int and 0 <= value <= MAX_COUNTER
            case ParameterKind.FLAG:
                return type(value) is bool
            case ParameterKind.TEXTS:
                return (
                    isinstance(value, list) and len(value) <= _MOST_TEXTS and all(type(each) is str for each in value)
                )


def object_schema(parameters: Sequence[ToolParameter]) -> dict[str, Any]:
    """Return the JSON schema of a tool's arguments: these, and nothing else."""
    return {
        "type": "object",
        "properties": {each.name: each.schema() for each in parameters},
        "required": [each.name for each in parameters if each.is_required],
        "additionalProperties": False,
    }


def checked(tool: str, parameters: Sequence[ToolParameter], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that were given, and None for those that were left out.

    Raises:
        InvalidInput: one is missing, or not of its kind, or not known here.
    """
    known = {each.name: each for each in parameters}
    if given.keys() - known.keys():
        takes = ", ".join(known) or "nothing"
        raise InvalidInput(f"{tool} takes {takes}, and nothing else; the host gives the scope")
    for name, parameter in known.items():
        if given.get(name) is None:
            if parameter.is_required:
                raise InvalidInput(f"{tool} needs {name}: {parameter.kind.value}")
        elif not parameter.accepts(given[name]):
            wanted = f"one of {', '.join(parameter.choices)}" if parameter.choices else parameter.kind.value
            raise InvalidInput(f"{name} must be {wanted}")
    return {name: given.get(name) for name in known}


@dataclass(frozen=True, slots=True)
class GoalTool:
    """A tool as a model is told of it, and its call, which answers in words that the model reads."""

    name: str
    description: str
    parameters: tuple[ToolParameter, ...]
    use: Callable[[GoalSession, Arguments], Awaitable[str]]

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of its arguments."""
        return object_schema(self.parameters)


def text_parameter(
    name: str, description: str, *, is_required: bool = False, choices: tuple[str, ...] = ()
) -> ToolParameter:
    """Return a parameter that takes a text."""
    return ToolParameter(name, ParameterKind.TEXT, description, is_required, choices)


async def _show(session: GoalSession, _: Arguments) -> str:
    """Return the active goal, or the one that the session saw last; the session has seen it as it stands now."""
    active = await session.patiently(lambda: session.store.active(session.scope))
    session.seen = active or await session.latest()
    return await _shown(session)


async def _shown(session: GoalSession) -> str:
    if session.seen is None:
        return "There is no goal."
    return render(session.seen, secret=await session.patiently(session.store.secret))


GET_GOAL: Final = GoalTool(
    "get_goal",
    "Shows the goal that you work on as it stands now: its text, its criteria, and what is left of its budget. Call it "
    "whenever you may have lost sight of the goal.",
    (),
    _show,
)
REPORT_COMPLETE: Final = GoalTool(
    "report_complete",
    "Reports that every part of the goal is reached. Its criteria are checked; they decide, not your word. Call it "
    "only when you have seen the evidence for each part.",
    (text_parameter("summary", "What was done, and how you know.", is_required=True),),
    lambda session, given: report_complete(session, given["summary"], key=given.get("key")),
)
REPORT_BLOCKED: Final = GoalTool(
    "report_blocked",
    "Reports that nothing you can do moves any part of the goal. It is paused until somebody removes the obstacle. "
    "Hard, slow or unclear work is not blocked.",
    (text_parameter("reason", "What exactly stops you, and who can remove it.", is_required=True),),
    lambda session, given: report_blocked(session, given["reason"], key=given.get("key")),
)
CREATE_GOAL: Final = GoalTool(
    "create_goal",
    "Sets the goal, where there is no unfinished one. Use it only when the user asks for it.",
    (text_parameter("text", "What is to be achieved, in the user's words.", is_required=True),),
    lambda session, given: set_goal(session, given["text"], key=given.get("key")),
)


class GoalTools:
    """The tools of one session; a sub-agent has none."""

    def __init__(self, session: GoalSession) -> None:
        self._session = session
        creating = (CREATE_GOAL,) if session.settings.model_may_create else ()
        self.offered: tuple[GoalTool, ...] = (
            () if session.is_sub_agent else (GET_GOAL, REPORT_COMPLETE, REPORT_BLOCKED, *creating)
        )

    async def call(self, name: str, arguments: object) -> str:
        """The tool was used, or the answer says why not, and nothing changed. `arguments` are an object or its JSON.

        Raises:
            StoreError: the store is away or broken.
        """
        self._session.tools_at_work += 1
        try:
            tool = next((tool for tool in self.offered if tool.name == name), None)
            if tool is None:
                raise InvalidInput("there is no such tool")
            return await tool.use(self._session, checked(name, tool.parameters, _object(arguments)))
        except StoreError:
            raise
        except StaleUpdate as error:
            self._session.seen = error.goal
            return f"Refused: the goal was changed meanwhile. It stands like this now.\n\n{await _shown(self._session)}"
        except GoalError as error:
            return f"Refused: {quote(str(error))}"
        finally:
            self._session.tools_at_work -= 1


def _object(arguments: object) -> dict[str, Any]:
    value = arguments
    if isinstance(arguments, str):
        value = None
        with suppress(ValueError, RecursionError):
            value = json.loads(arguments or "{}")
    if not isinstance(value, dict):
        raise InvalidInput("the arguments must be one JSON object")
    return {str(name): given for name, given in value.items()}
