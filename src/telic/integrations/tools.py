"""The tools by which a model acts on its goal: one table for the adapters and the MCP server.

A tool's name, description, parameters, check and call stand here alone, so that a model reads and gets the same
through whichever of them it works.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from telic.domain.errors import GoalError, InvalidInput, StaleUpdate, StoreError
from telic.domain.limits import MAX_COUNTER
from telic.integrations.reports import report_blocked, report_complete, set_goal
from telic.integrations.session import GoalSession
from telic.prompt import quote, render
from telic.services.json_schema import Schema, mismatch

Arguments = Mapping[str, Any]
"""A tool's checked arguments. Those that were left out are None; a table without a key has none."""


TEXT: Final[Schema] = {"type": "string"}
COUNT: Final[Schema] = {"type": "integer", "minimum": 0, "maximum": MAX_COUNTER}
FLAG: Final[Schema] = {"type": "boolean"}
TEXTS: Final[Schema] = {"type": "array", "items": TEXT, "maxItems": 50}


@dataclass(frozen=True, slots=True)
class ToolParameter:
    """One argument of a tool, and the JSON schema of its values."""

    name: str
    description: str
    values: Schema = field(default_factory=lambda: TEXT)
    is_required: bool = False

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of its values, as clients get it."""
        return {**self.values, "description": self.description}


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
    known = [each.name for each in parameters]
    # Models write null for what they leave out.
    values = {name: value for name, value in given.items() if value is not None or name not in known}
    problem = mismatch(object_schema(parameters), values, tool)
    if problem is not None:
        raise InvalidInput(problem)
    return dict.fromkeys(known) | values


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
    (ToolParameter("summary", "What was done, and how you know.", is_required=True),),
    lambda session, given: report_complete(session, given["summary"], key=given.get("key")),
)
REPORT_BLOCKED: Final = GoalTool(
    "report_blocked",
    "Reports that nothing you can do moves any part of the goal. It is paused until somebody removes the obstacle. "
    "Hard, slow or unclear work is not blocked.",
    (ToolParameter("reason", "What exactly stops you, and who can remove it.", is_required=True),),
    lambda session, given: report_blocked(session, given["reason"], key=given.get("key")),
)
CREATE_GOAL: Final = GoalTool(
    "create_goal",
    "Sets the goal, where there is no unfinished one. Use it only when the user asks for it.",
    (ToolParameter("text", "What is to be achieved, in the user's words.", is_required=True),),
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
