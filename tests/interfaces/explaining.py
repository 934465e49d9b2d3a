"""All surfaces as they tell of errors: each is given a request that ends in the error, or the error itself."""

import html
import json
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from typing import Any
from unittest.mock import patch

from mcp_types import TextContent
from starlette.requests import Request

import telic
from telic.domain import errors
from telic.domain.errors import GoalError, StoreError
from telic.integrations.session import GoalSession
from telic.integrations.tools import GoalTool, GoalTools
from telic.interfaces.api.answers import problem_answer
from telic.interfaces.cli import app as command
from telic.interfaces.mcp.results import refusal
from telic.interfaces.terminal.formatting import refusal as refusal_on_screen
from telic.interfaces.web.app import create_app
from telic.interfaces.web.pages import show_goal_error
from telic.interfaces.web.settings import DashboardSettings
from telic.services.chat.commands import execute_async
from telic.services.chat.reply_text import render
from telic.services.next_steps import next_for_model, next_in_chat, next_on_screen
from telic.testing.surfaces import Answer, Explaining


async def _command(_: str, error: GoalError) -> Answer:
    with (
        redirect_stdout(StringIO()),
        redirect_stderr(StringIO()) as written,
        patch("telic.interfaces.cli.session.connect", side_effect=error),
    ):
        code = command.run(["show", "--json"])
    told = json.loads(written.getvalue())["error"]
    return Answer(is_done=False, status=code, code=told["code"], advice=told["hint"] or "")


async def _api(_: str, error: GoalError) -> Answer:
    answer = problem_answer(error)
    problem = json.loads(bytes(answer.body))
    return Answer(is_done=False, status=answer.status_code, code=problem["code"], advice=problem["hint"])


async def _dashboard(place: str, error: GoalError) -> Answer:
    async with await telic.connect_async(place, create=False) as store:
        app = create_app(store, DashboardSettings(token="a-token-for-the-contract"))
        scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": [], "app": app}
        request = Request(scope | {"state": {"session": None}, "path_params": {}})
        answer = await show_goal_error(request, error)
    page = html.unescape(bytes(answer.body).decode())
    assert str(error)[1:] in page
    return Answer(is_done=False, status=answer.status_code, advice=page)


async def _mcp(_: str, error: GoalError) -> Answer:
    answer = refusal(error).as_result()
    (text,), data = answer.content, answer.structured_content
    assert data is not None
    assert isinstance(text, TextContent)
    # Some hosts show the model one of the two alone.
    (advice,) = data["next"]
    assert f"- {advice}" in text.text
    return Answer(is_done=not answer.is_error, code=data["error"]["code"], advice=advice)


async def _terminal(_: str, error: GoalError) -> Answer:
    return Answer(is_done=False, advice=refusal_on_screen(error))


class _Failing:
    """A store that answers every question with the error."""

    def __init__(self, error: GoalError) -> None:
        self._error = error

    async def active(self, _: str) -> telic.Goal:
        raise self._error


async def _chat(_: str, error: GoalError) -> Answer:
    store: Any = _Failing(error)
    reply = await execute_async(store, "/goal status")
    assert reply.problem is not None
    assert reply.problem.is_retryable is error.retryable
    text = render(reply)
    assert f"[{error.code}]" in text
    return Answer(is_done=reply.is_done, code=reply.problem.code, advice=text)


async def _adapters(place: str, error: GoalError) -> Answer:
    async def fail(*_: object) -> str:
        raise error

    async with await telic.connect_async(place, create=False) as store:
        tools = GoalTools(GoalSession(store))
        tools.offered = (GoalTool("fail", "Fails.", (), fail), *tools.offered)
        return Answer(is_done=False, advice=await tools.call("fail", {}))


_RAISED = {kind.code for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, StoreError)}
_OF_IDS = {"goal_not_found", "ambiguous_id", "invalid_cursor"}
# The message of a missing extra is itself what to do: the line that installs it.
COMMAND = Explaining(_command, "exit_code", leaves_out=frozenset({"missing_extra"}))
API = Explaining(_api, "http_status", next_on_screen)
DASHBOARD = Explaining(_dashboard, "http_status", next_on_screen)
MCP = Explaining(_mcp, None, next_for_model)
TOP = Explaining(_terminal, None, next_on_screen)
CHAT = Explaining(_chat, None, next_in_chat)
# A failure of the store is the host's, and a model that has no tool for ids and pages can do nothing about these.
ADAPTERS = Explaining(_adapters, None, next_for_model, leaves_out=frozenset(_RAISED | _OF_IDS))
