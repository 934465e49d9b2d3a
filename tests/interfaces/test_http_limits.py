"""One door for the dashboard, the API and MCP: what clients that guess, flood, dawdle or say nothing can do there."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp

import telic
from telic.http import guard
from telic.http.guard import HttpGuard, RequestRates
from telic.interfaces.api.routes import api_routes
from telic.interfaces.mcp.http import HttpOptions, McpSite
from telic.interfaces.web.app import create_app, guarded
from telic.interfaces.web.settings import DashboardSettings
from tests.interfaces.mcp.clients import over_http
from tests.support.dashboards import TOKEN, running_dashboard

HOST = "http://127.0.0.1:8137"
KNOWN = {"Authorization": f"Bearer {TOKEN}"}
PATHS = ["/", "/api/v1/goals", "/mcp"]


class Clock:
    """Stands still until it is told otherwise."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@asynccontextmanager
async def door(path: str, place: Path, clock: Callable[[], float], per_second: float = 1_000) -> AsyncIterator[ASGIApp]:
    """What is listened for by the server that has this path, with a clock of the test's own."""
    rates = RequestRates(requests_per_second=per_second, clock=clock)
    if path == "/mcp":
        yield HttpGuard(PlainTextResponse("served"), McpSite(HttpOptions(), TOKEN), rates)
        return
    async with telic.connect_async(str(place / "goals.db")) as store:
        app = create_app(store, DashboardSettings(token=TOKEN), api_routes(store, allow_write=True))
        yield guarded(app, rates)


def client_of(app: ASGIApp, address: str = "10.0.0.1") -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app, client=(address, 1)), base_url=HOST)


@pytest.mark.parametrize("path", PATHS)
async def test_who_guesses_the_token_is_slowed_down_and_keeps_nobody_out(path: str, tmp_path: Path) -> None:
    """Twenty guesses, then one a second, for each address; those with the token are served all the while."""
    clock = Clock()
    async with door(path, tmp_path, clock) as app, client_of(app) as http, client_of(app, "10.0.0.2") as other:
        guesses = [(await http.get(path, headers={"Authorization": f"Bearer {n}"})).status_code for n in range(25)]
        assert guesses == [401] * 20 + [429] * 5
        assert (await http.get(path, headers=KNOWN)).status_code == 200
        assert (await other.get(path)).status_code == 401
        clock.seconds = 1.0
        assert [(await http.get(path)).status_code for _ in range(2)] == [401, 429]


async def test_guesses_of_every_kind_count(tmp_path: Path) -> None:
    """By the form and by the entrance's code as well; what is right, or open to all, is no guess."""
    clock = Clock()
    async with door("/", tmp_path, clock) as app, client_of(app) as http:
        for _ in range(30):
            assert (await http.get("/static/dashboard.js")).status_code == 200
            assert (await http.post("/enter", data={"token": TOKEN})).status_code == 303
            http.cookies.clear()
        for number in range(10):
            assert (await http.post("/enter", data={"token": f"{number}"})).status_code == 401
            assert (await http.get("/enter", params={"code": f"{number}"})).status_code == 401
        refused = await http.post("/enter", data={"token": TOKEN})
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "5")
        assert "frame-ancestors" in refused.headers["Content-Security-Policy"]


@pytest.mark.parametrize("path", PATHS)
async def test_guesses_at_the_same_moment_all_count(path: str, tmp_path: Path) -> None:
    async with door(path, tmp_path, Clock()) as app, client_of(app) as http:
        answers = await asyncio.gather(*(http.get(path) for _ in range(60)))
        assert sorted(answer.status_code for answer in answers) == [401] * 20 + [429] * 40


@pytest.mark.parametrize("path", PATHS)
async def test_a_flood_is_told_to_wait(path: str, tmp_path: Path) -> None:
    clock = Clock()
    async with door(path, tmp_path, clock, per_second=5) as app, client_of(app) as http:
        answers = [await http.get(path, headers=KNOWN) for _ in range(12)]
        assert [answer.status_code for answer in answers] == [200] * 10 + [429] * 2
        assert answers[-1].headers["Retry-After"] == "1"
        clock.seconds = 1.0
        assert (await http.get(path, headers=KNOWN)).status_code == 200


@pytest.mark.parametrize("path", PATHS)
async def test_a_body_that_does_not_come_is_not_waited_for(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request is refused, and its connection ends; nothing behind the guard has seen it."""
    monkeypatch.setattr(guard, "BODY_SECONDS", 0.05)
    sent: list[Any] = []
    messages = [{"type": "http.request", "body": b"{", "more_body": True}]

    async def receive() -> Any:
        if messages:
            return messages.pop()
        return await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    async with door(path, tmp_path, Clock()) as app:
        headers = [(b"host", b"127.0.0.1:8137"), (b"authorization", f"Bearer {TOKEN}".encode())]
        scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": headers}
        await app({**scope, "client": ("10.0.0.1", 1), "scheme": "http", "root_path": ""}, receive, send)
    assert sent[0]["status"] == 408
    assert (b"connection", b"close") in [(name.lower(), value) for name, value in sent[0]["headers"]]


@pytest.mark.parametrize("beginning", [b"", b"GET / HTTP/1.1\r\nhost: local"])
def test_a_connection_that_asks_nothing_is_let_go(beginning: bytes, tmp_path: Path) -> None:
    """By the dashboard and its API as by MCP: silent, or in the midst of its first lines."""
    place = str(tmp_path / "goals.db")
    telic.connect(place).close()
    with running_dashboard(place) as dashboard, over_http(place, TELIC_MCP_TOKEN=TOKEN) as server:
        for port in (int(dashboard.address.rpartition(":")[2]), server.port):
            with socket.create_connection(("127.0.0.1", port), timeout=240) as connection:
                connection.sendall(beginning)
                assert connection.recv(1_000) == b""
