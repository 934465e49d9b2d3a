"""The tools by which a model acts on its goal: what they take, what they do, what they answer."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from telic.domain.errors import GoalError, InvalidInput, StaleUpdate, StoreError
from telic.integrations.reports import report_blocked, report_complete, set_goal
from telic.integrations.session import GoalSession
from telic.prompt import quote, render


@dataclass(frozen=True, slots=True)
class GoalTool:
    """A tool as a model is told of it. Each parameter is a text that must be given; there are no others."""

    name: str
    description: str
    parameters: Mapping[str, str]

    def schema(self) -> dict[str, Any]:
        """The JSON schema of its arguments."""
        return {
            "type": "object",
            "properties": {
                name: {"type": "string", "description": description} for name, description in self.parameters.items()
            },
            "required": list(self.parameters),
            "additionalProperties": False,
        }


_GET: Final = GoalTool("get_goal", "Shows the goal as it stands, with its criteria and what is left of its budget.", {})
_COMPLETE: Final = GoalTool(
    "report_complete",
    "Reports that every part of the goal is reached. Its criteria are checked; they decide.",
    {"summary": "What was done, and how you know."},
)
_BLOCKED: Final = GoalTool(
    "report_blocked",
    "Reports that nothing you can do moves any part of the goal. It is paused until somebody removes the obstacle.",
    {"reason": "What exactly stops you, and who can remove it."},
)
_CREATE: Final = GoalTool(
    "create_goal",
    "Sets the goal of this conversation, where it has none. Use it only when the user asks for it.",
    {"text": "What is to be achieved, in the user's words."},
)


class GoalTools:
    """The tools of one session; a sub-agent has none."""

    def __init__(self, session: GoalSession) -> None:
        self._session = session
        creating = (_CREATE,) if session.settings.model_may_create else ()
        self.offered = () if session.is_sub_agent else (_GET, _COMPLETE, _BLOCKED, *creating)

    async def call(self, name: str, arguments: object) -> str:
        """The tool was used, or the answer says why not, and nothing changed. `arguments` are an object or its JSON.

        Raises:
            StoreError: the store is away or broken.
        """
        self._session.tools_at_work += 1
        try:
            given = self._checked(name, arguments)
            return await self._use(name, given)
        except StoreError:
            raise
        except StaleUpdate as error:
            self._session.seen = error.goal
            return f"Refused: the goal was changed meanwhile. It stands like this now.\n\n{await self._shown()}"
        except GoalError as error:
            return f"Refused: {quote(str(error))}"
        finally:
            self._session.tools_at_work -= 1

    def _checked(self, name: str, arguments: object) -> Mapping[str, str]:
        tool = next((tool for tool in self.offered if tool.name == name), None)
        if tool is None:
            raise InvalidInput("there is no such tool")
        given = _object(arguments)
        if given.keys() != tool.parameters.keys() or not all(isinstance(value, str) for value in given.values()):
            takes = " and ".join(tool.parameters) or "nothing"
            raise InvalidInput(f"{name} takes {takes}, as text, and nothing else; the goal and its scope are given")
        return given

    async def _use(self, name: str, given: Mapping[str, str]) -> str:
        match name:
            case _GET.name:
                return await self._get()
            case _COMPLETE.name:
                return await report_complete(self._session, given["summary"])
            case _BLOCKED.name:
                return await report_blocked(self._session, given["reason"])
            case _:
                return await set_goal(self._session, given["text"])

    async def _get(self) -> str:
        session = self._session
        active = await session.patiently(lambda: session.store.active(session.scope))
        if active is None and session.seen is not None:
            goal_id = session.seen.id
            active = await session.patiently(lambda: session.store.get(goal_id))
        session.seen = active or session.seen
        return await self._shown()

    async def _shown(self) -> str:
        session = self._session
        if session.seen is None:
            return "There is no goal."
        return render(session.seen, secret=await session.patiently(session.store.secret))


def _object(arguments: object) -> dict[str, Any]:
    value = arguments
    if isinstance(arguments, str):
        value = None
        with suppress(ValueError, RecursionError):
            value = json.loads(arguments or "{}")
    if not isinstance(value, dict):
        raise InvalidInput("the arguments must be one JSON object")
    return {str(name): given for name, given in value.items()}
