"""All surfaces, as the contract reads them: what each tells of goals, through its own code down to what is shown."""

import asyncio
import json
import re
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import redirect_stdout
from html.parser import HTMLParser
from io import StringIO
from typing import Any

from textual.widgets import Static

import telic
from telic.domain.clock import SystemClock
from telic.domain.goal import Goal
from telic.domain.jsonable import time_from_json
from telic.interfaces.cli import app as command
from telic.interfaces.mcp.calls import ToolCalls
from telic.interfaces.mcp.conversation import McpConversation, Role, ServerSettings
from telic.interfaces.mcp.resources import read_resource
from telic.interfaces.mcp.tools import tools_for
from telic.interfaces.terminal.goal_screen import GoalScreen
from telic.interfaces.web.app import create_app
from telic.interfaces.web.goal_page import GoalView
from telic.interfaces.web.listing import ListQuery, ListView
from telic.interfaces.web.settings import DashboardSettings
from telic.prompt.escape import visible
from telic.services.chat.commands import execute
from telic.services.chat.reply_text import render
from telic.store.async_store import AsyncGoalStore
from telic.testing.surfaces import Reading, Surface
from telic.wording.amounts import first_words
from tests.interfaces import acting, explaining
from tests.interfaces.api.serving import serving
from tests.interfaces.top.screen import running

Readings = dict[str, Reading]


def _facts_of(data: Mapping[str, Any], events: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the facts of a goal in full, as the command and the API tell it."""
    lease = data["lease"]
    return {
        **data,
        "wake_at": data["wake_at"] and time_from_json(data["wake_at"]),
        "outcomes": [check["outcome"] for check in data["checks"]],
        "why": [line for check in data["checks"] for line in _why(check)],
        "worker": lease["worker"],
        "is_due_later": lease["due_in_microseconds"] > 0,
        "latest": [events[-1]["kind"], events[-1]["actor"]],
    }


def _why(check: Mapping[str, Any]) -> list[str]:
    answer, verdict = check["approval"], check["verdict"]
    if answer is not None:
        return [f"by {answer['decided_by']}: {answer['note']}"]
    if verdict is None:
        return []
    tail = verdict.get("output_tail", "").splitlines()[-1:]
    return [*tail, *filter(None, [verdict.get("detail")]), *verdict.get("reasons", ()), *verdict.get("suggestions", ())]


def _command(place: str, *words: str) -> str:
    """Return what the command writes. It runs in this process: to start one for each goal takes minutes."""
    with redirect_stdout(StringIO()) as output:
        assert command.run([*words, "--store", place]) == 0
    return output.getvalue()


def _shell_text(place: str, goals: Sequence[Goal]) -> Readings:
    return {goal.id: _command(place, "show", goal.id) + _events(place, goal) for goal in goals}


def _events(place: str, goal: Goal) -> str:
    """Return the table of events with the word that stands before a name on other surfaces."""
    rows = (line.split("\t") for line in _command(place, "events", goal.id).splitlines()[1:])
    return "\n".join(f"{kind} by {actor} {more}" for _, _, kind, actor, *more in rows)


def _shell_rows(place: str, goals: Sequence[Goal]) -> Readings:
    lines = _command(place, "list", "--all-scopes", "--limit", "1000").splitlines()[1:]
    return {goal.id: _row_of(goal, lines) for goal in goals}


def _row_of(goal: Goal, lines: Sequence[str]) -> str:
    return next(line for line in lines if _beginning(goal) in line)


def _beginning(goal: Goal) -> str:
    return visible(first_words(goal.text))[:40]


def _json(place: str, *words: str) -> Any:
    return json.loads(_command(place, *words, "--json"))


def _shell_json(place: str, goals: Sequence[Goal]) -> Readings:
    return {goal.id: _facts_of(_json(place, "show", goal.id), _json(place, "events", goal.id)) for goal in goals}


def _of_rows(rows: Sequence[Mapping[str, Any]]) -> Readings:
    return {row["id"]: row for row in rows}


def _shell_json_rows(place: str, _: Sequence[Goal]) -> Readings:
    return _of_rows(_json(place, "list", "--all-scopes", "--limit", "1000")["goals"])


def _api(place: str, goals: Sequence[Goal]) -> Readings:
    with serving(place) as api:
        return {
            goal.id: _facts_of(api.get(f"/goals/{goal.id}/details").json, api.get(f"/goals/{goal.id}/events").json)
            for goal in goals
        }


def _api_rows(place: str, _: Sequence[Goal]) -> Readings:
    with serving(place) as api:
        return _of_rows(api.get("/goals", limit=1000).json["goals"])


def _in_loop(place: str, read: Callable[[AsyncGoalStore], Coroutine[Any, Any, Readings]]) -> Readings:
    async def reading() -> Readings:
        async with await telic.connect_async(place, create=False) as store:
            return await read(store)

    return asyncio.run(reading())


class _Lines(HTMLParser):
    """Puts what a page shows on lines, as a browser does."""

    _BREAKING = frozenset({"p", "div", "li", "tr", "h1", "h2", "section", "pre", "form", "table", "dl", "ul", "ol"})

    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.text += "\n" if tag in self._BREAKING else ""

    def handle_endtag(self, tag: str) -> None:
        self.text += "\n" if tag in self._BREAKING else " " if tag in ("td", "dt", "dd") else ""

    def handle_data(self, data: str) -> None:
        self.text += data


def _shown(html: str) -> str:
    lines = _Lines()
    lines.feed(html)
    lines.close()
    return lines.text


_PAGES = DashboardSettings(token="a-token-for-the-contract")


def _dashboard(place: str, goals: Sequence[Goal]) -> Readings:
    async def read(store: AsyncGoalStore) -> Readings:
        state, found = create_app(store, _PAGES).state.app_state, Readings()
        for goal in goals:
            view = GoalView(state, goal.id)
            await view.look()
            found[goal.id] = _shown("\n".join(view.whole().values()))
        return found

    return _in_loop(place, read)


def _dashboard_rows(place: str, goals: Sequence[Goal]) -> Readings:
    async def read(store: AsyncGoalStore) -> Readings:
        view = ListView(create_app(store, _PAGES).state.app_state, ListQuery())
        await view.look()
        rows = view.whole()["goals"].split("<tr ")
        return {goal.id: _shown(next(f"<tr {row}" for row in rows if goal.id in row)) for goal in goals}

    return _in_loop(place, read)


def _unquoted(data: Any) -> Any:
    """Return the data as it was before it was quoted for a model."""
    if isinstance(data, str) and re.fullmatch(r'".*"', data):
        return json.loads(data)
    if isinstance(data, dict):
        return {name: _unquoted(value) for name, value in data.items()}
    return [_unquoted(each) for each in data] if isinstance(data, list) else data


def _calls(store: AsyncGoalStore, scope: str) -> ToolCalls:
    settings = ServerSettings(scope=scope, role=Role.OPERATOR)
    return ToolCalls(McpConversation(store, settings), tools_for(settings))


def _mcp(place: str, goals: Sequence[Goal]) -> Readings:
    async def read(store: AsyncGoalStore) -> Readings:
        return {goal.id: await _mcp_facts(store, goal) for goal in goals}

    return _in_loop(place, read)


async def _mcp_facts(store: AsyncGoalStore, goal: Goal) -> dict[str, Any]:
    calls = _calls(store, goal.scope)
    answer = (await calls.call("get_goal", {"goal_id": goal.id})).as_result().structured_content
    assert answer is not None
    data, checks = _unquoted(answer["goal"]), _unquoted(answer["checks"])
    last = (await read_resource(calls.conversation, f"goal://{goal.id}/history")).splitlines()[-1]
    found = re.match(r"\d+\. \S+ \S+ ([\w ]+) by (\w+),", last)
    assert found is not None
    return {
        **data,
        "scope": _unquoted(answer["source"]["scope"]),
        "wake_at": data["wake_at"] and time_from_json(data["wake_at"]),
        "outcomes": [check["outcome"] for check in checks],
        "why": [line for check in checks for line in _mcp_why(check)],
        "worker": _unquoted(answer["worker"]),
        "is_due_later": answer["due_in_microseconds"] > 0,
        **{name: answer[name] for name in ("held", "uncertain", "estimated")},
        "latest": list(found.groups()),
    }


def _mcp_why(check: Mapping[str, Any]) -> list[str]:
    said = [re.sub(r"^(because|suggested): ", "", part) for part in (check["why"] or "").split("; ") if part]
    return [*(check["output_tail"] or "").splitlines()[-1:], *(part.removeprefix("timed out: ") for part in said)]


def _mcp_rows(place: str, goals: Sequence[Goal]) -> Readings:
    async def read(store: AsyncGoalStore) -> Readings:
        found = Readings()
        for goal in goals:
            answer = (await _calls(store, goal.scope).call("list_goals", {})).as_result().structured_content
            assert answer is not None
            found |= {row["id"]: row for row in _unquoted(answer["goals"])}
        return found

    return _in_loop(place, read)


def _chat(place: str, goals: Sequence[Goal]) -> Readings:
    with telic.connect(place, create=False) as store:
        return {
            goal.id: "\n".join(
                render(execute(store, f"/goal {verb} {goal.id}", scope=goal.scope)) for verb in ("status", "history")
            )
            for goal in goals
        }


def _chat_rows(place: str, goals: Sequence[Goal]) -> Readings:
    with telic.connect(place, create=False) as store:
        lists = {goal.id: render(execute(store, "/goal list", scope=goal.scope)).splitlines() for goal in goals}
    return {goal.id: _row_of(goal, lists[goal.id]) for goal in goals}


def _terminal(place: str, goals: Sequence[Goal]) -> Readings:
    async def read() -> Readings:
        found = Readings()
        async with running(place, size=(400, 120)) as top:
            for goal in goals:
                await top.app.push_screen(GoalScreen(top.app, goal, SystemClock()))
                await top.shows(goal.id, "live ·", "history, latest first")
                # What the parts hold, however much of it the screen has drawn by now.
                parts = [str(part.content) for part in top.app.screen.query(Static) if part.display]
                found[goal.id] = "\n".join(parts)
                top.app.pop_screen()
        return found

    return asyncio.run(read())


def _terminal_rows(place: str, goals: Sequence[Goal]) -> Readings:
    async def read() -> Readings:
        async with running(place, size=(300, 120), page_rows=100) as top:
            await top.until(lambda screen: all(_beginning(goal) in screen for goal in goals))
            return {goal.id: _row_of(goal, top.rows) for goal in goals}

    return asyncio.run(read())


SURFACES = (
    Surface("command", _shell_text, _shell_rows, acting=acting.COMMAND, explaining=explaining.COMMAND),
    Surface("command --json", _shell_json, _shell_json_rows),
    Surface("HTTP API", _api, _api_rows, acting=acting.API, explaining=explaining.API),
    Surface("dashboard", _dashboard, _dashboard_rows, acting=acting.DASHBOARD, explaining=explaining.DASHBOARD),
    Surface("MCP", _mcp, _mcp_rows, acting=acting.MCP, explaining=explaining.MCP),
    Surface("terminal", _terminal, _terminal_rows, acting=acting.TOP, explaining=explaining.TOP),
    Surface("chat", _chat, _chat_rows, acting=acting.CHAT, explaining=explaining.CHAT),
    Surface("adapters", explaining=explaining.ADAPTERS),
)
"""Each surface is one row: what it tells of one goal and of many, how people act through it, how it tells of errors."""
