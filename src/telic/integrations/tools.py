"""The tools by which a model acts on its goal: one table for the adapters and the MCP server (ADR 50)."""

import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from telic.domain.errors import GoalError, InvalidInput, StaleUpdate, StoreError
from telic.domain.goal import Actor, Goal, GoalStatus, Reason
from telic.domain.ids import new_key
from telic.domain.limits import MAX_COUNTER
from telic.domain.loop_state import Claim
from telic.domain.verdict import Outcome
from telic.domain.verification import Verification
from telic.integrations.session import GoalSession
from telic.loop.agents.protocol import MAX_REPORT_TEXT_CHARS, storable_tail
from telic.loop.prompts import feedback_of
from telic.loop.verification.evidence import AgentWork
from telic.loop.verification.verifier import Verifier
from telic.prompt import quote, render
from telic.services.json_schema import Schema, mismatch
from telic.services.next_steps import next_for_model
from telic.services.settlement import GoalCheck, bill_void_check, settle

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
    """A tool as a model reads of it, and its call, which answers in words that the model reads."""

    name: str
    description: str
    parameters: tuple[ToolParameter, ...]
    use: Callable[[GoalSession, Arguments], Awaitable[str]]

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of its arguments."""
        return object_schema(self.parameters)


_CHECKED_BY_THE_HOST: Final = (
    "Noted. The goal's criteria are checked by the host; your word passes none of them. End your turn."
)


async def report_complete(session: GoalSession, summary: str, *, key: str | None = None) -> str:
    """Complete the goal if it has no criteria or all of them pass; return what the model is answered.

    A call that is repeated with its `key` completes nothing a second time.

    Raises:
        StaleUpdate: the goal is no longer as the model saw it.
        GoalError: the goal may not be completed, or the summary cannot be kept.
    """
    goal, call = session.seen, new_key() if key is None else key
    if goal is None:
        return "There is no goal to report."
    present = await session.with_retries(lambda: session.store.get(goal.id))
    if present.is_finished:
        session.seen = present
        return f"Nothing changed: the goal is {present.status} already. End your turn."
    if present.revision != goal.revision:
        raise StaleUpdate(present, goal.revision)
    verifier = session.settings.verifier
    if goal.criteria and verifier is not None:
        return await _verify(session, goal, verifier, summary)
    if goal.criteria:
        session.claim = Claim.COMPLETE
        return _CHECKED_BY_THE_HOST
    complete = partial(session.store.complete, goal.id, expected_revision=goal.revision, note=summary)
    session.seen = await session.with_retries(lambda: complete(actor=Actor.MODEL, key=call))
    return "The goal is completed. End your turn now."


async def _verify(session: GoalSession, goal: Goal, verifier: Verifier, summary: str) -> str:
    store, check = session.store, GoalCheck(goal_id=goal.id, key=new_key())
    approvals = await session.with_retries(lambda: store.approvals(goal.id))
    work = AgentWork(text=storable_tail(summary, MAX_REPORT_TEXT_CHARS))
    found = await verifier.verify(goal, work, approvals=approvals)
    try:
        settled = await session.with_retries(lambda: settle(store, check, found))
    except BaseException:
        # The keys of the lines are those of the settlement: should it have been made, nothing is billed twice.
        billed = await session.with_retries(lambda: bill_void_check(store, check, found.verdicts))
        session.note_budget_pause(billed)
        raise
    session.note_budget_pause(settled)
    session.seen = settled
    return _answer(session, settled, found)


def _answer(session: GoalSession, goal: Goal, found: Verification) -> str:
    if goal.is_finished:
        return "All criteria passed: the goal is completed. End your turn now."
    if found.is_verified:
        return f"All criteria passed, but the goal is {goal.status}. End your turn now."
    if found.outcome is Outcome.PENDING:
        return "All that can be checked passed; a person has to approve the rest. End your turn now."
    feedback = feedback_of(goal, found)
    if feedback is None:
        session.claim = Claim.COMPLETE
        return f"The criteria could not be checked, through no fault of yours. {_CHECKED_BY_THE_HOST}"
    return feedback


async def _report_blocked(session: GoalSession, given: Arguments) -> str:
    goal, call = session.seen, new_key() if given.get("key") is None else given["key"]
    if goal is None:
        return "There is no goal."
    pause = partial(session.store.transition, goal.id, GoalStatus.PAUSED, expected_revision=goal.revision)
    session.seen = await session.with_retries(
        lambda: pause(reason=Reason.BLOCKED, note=given["reason"], actor=Actor.MODEL, key=call)
    )
    return "The goal is paused as blocked. End your turn now."


async def _set_goal(session: GoalSession, given: Arguments) -> str:
    budget = session.settings.created_budget
    call = new_key() if given.get("key") is None else given["key"]
    session.seen = await session.with_retries(
        lambda: session.store.create(given["text"], scope=session.scope, budget=budget, actor=Actor.MODEL, key=call)
    )
    return "The goal is set."


async def _show(session: GoalSession, _: Arguments) -> str:
    # A goal that has just ended is no scope's active one, and still what the model asks for.
    active = await session.with_retries(lambda: session.store.active(session.scope))
    session.seen = active or await session.latest()
    return await _shown(session)


async def _shown(session: GoalSession) -> str:
    if session.seen is None:
        return "There is no goal."
    return render(session.seen, secret=await session.with_retries(session.store.secret))


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
    _report_blocked,
)
CREATE_GOAL: Final = GoalTool(
    "create_goal",
    "Sets the goal, where there is no unfinished one. Use it only when the user asks for it.",
    (ToolParameter("text", "What is to be achieved, in the user's words.", is_required=True),),
    _set_goal,
)


_TOOL: Final = re.compile(r"\b[a-z]+_[a-z_]+\b")


class GoalTools:
    """The tools of one session; a sub-agent has none."""

    def __init__(self, session: GoalSession) -> None:
        self._session = session
        creating = (CREATE_GOAL,) if session.settings.model_may_create else ()
        self.offered: tuple[GoalTool, ...] = (
            () if session.is_sub_agent else (GET_GOAL, REPORT_COMPLETE, REPORT_BLOCKED, *creating)
        )

    async def call(self, name: str, arguments: object) -> str:
        """Use the tool, or answer why not, with nothing changed. `arguments` are an object or its JSON.

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
            shown = await _shown(self._session)
            return f"Refused: the goal was changed meanwhile. It stands like this now.\n\n{shown}{self._next(error)}"
        except GoalError as error:
            return f"Refused: {quote(str(error))}{self._next(error)}"
        finally:
            self._session.tools_at_work -= 1

    def _next(self, error: GoalError) -> str:
        """Return what to do about the error, unless that needs a tool that is not offered."""
        step = next_for_model(error)
        return f"\n- {step}" if set(_TOOL.findall(step)) <= {tool.name for tool in self.offered} else ""


def _object(arguments: object) -> dict[str, Any]:
    if isinstance(arguments, str):
        with suppress(ValueError, RecursionError):
            arguments = json.loads(arguments or "{}")
    if not isinstance(arguments, dict):
        raise InvalidInput("the arguments must be one JSON object")
    return {str(name): given for name, given in arguments.items()}
