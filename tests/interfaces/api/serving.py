"""The API in a real uvicorn on loopback, in a thread with an event loop of its own, and a client for it."""

import asyncio
import http.client
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Queue
from typing import Any
from urllib.parse import quote, urlencode

from starlette.applications import Starlette
from starlette.requests import HTTPConnection
from starlette.routing import Mount
from starlette.types import ASGIApp

import telic
from telic.http.guard import HttpGuard, HttpRefusal, RequestRates, bearer_of
from telic.http.serving import HttpServer, listen
from telic.interfaces.api.answers import ApiRefusal, problem_answer
from telic.interfaces.api.routes import api_routes

ROOT = "/api/v1"


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.raw)

    @property
    def tag(self) -> str:
        return self.headers["ETag"]


@dataclass(frozen=True)
class Client:
    """One request a connection, as the least of all clients makes it."""

    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{ROOT}"

    def raw(self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=240)
        try:
            connection.request(method, ROOT + path, body=body, headers=dict(headers or {}))
            response = connection.getresponse()
            return Reply(response.status, response.headers, response.read())
        finally:
            connection.close()

    def get(self, path: str, headers: Mapping[str, str] | None = None, **query: Any) -> Reply:
        asked = f"?{urlencode(query, quote_via=quote)}" if query else ""
        return self.raw("GET", path + asked, headers=headers)

    def send(
        self, method: str, path: str, body: Any = None, *, key: str | None = None, tag: str | None = None
    ) -> Reply:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        headers |= {} if key is None else {"Idempotency-Key": key}
        headers |= {} if tag is None else {"If-Match": tag}
        return self.raw(method, path, None if body is None else json.dumps(body).encode(), headers)

    def post(self, path: str, body: Any = None, *, key: str | None = None, tag: str | None = None) -> Reply:
        return self.send("POST", path, body, key=key, tag=tag)

    def created(self, text: str = "a goal", **more: Any) -> Reply:
        reply = self.post("/goals", {"text": text, "replace": True, **more})
        assert reply.status == 201, reply.raw
        return reply


class _Server(HttpServer):
    """Tells when it listens."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(app)
        self.is_up = threading.Event()
        self.port = 0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.port = self.servers[0].sockets[0].getsockname()[1]
        self.is_up.set()


class _Site:
    """Lets in whoever has the token, under any name of the host."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    def check_address(self, request: HTTPConnection) -> None:
        pass

    def is_known(self, request: HTTPConnection) -> bool:
        return self._token in (None, bearer_of(request.headers))

    def is_open(self, request: HTTPConnection) -> bool:
        return False

    def answer(self, request: HTTPConnection, refusal: HttpRefusal) -> ASGIApp:
        return problem_answer(ApiRefusal(refusal.code, refusal.reason, refusal.headers))


async def _serve(location: str, allow_write: bool, token: str | None, started: "Queue[_Server]") -> None:
    async with telic.connect_async(location) as store:
        app = Starlette(routes=[Mount(ROOT, routes=api_routes(store, allow_write=allow_write))])
        server = _Server(HttpGuard(app, _Site(token), RequestRates(requests_per_second=10_000, guesses=10_000)))
        started.put(server)
        with listen("127.0.0.1", 0) as listening:
            await server.serve([listening])


@contextmanager
def serving(location: str, *, allow_write: bool = True, token: str | None = None) -> Iterator[Client]:
    """A client of the API over the store at the location."""
    started: Queue[_Server] = Queue()
    thread = threading.Thread(target=lambda: asyncio.run(_serve(location, allow_write, token, started)), daemon=True)
    thread.start()
    server = started.get(timeout=60)
    assert server.is_up.wait(240)
    try:
        yield Client(server.port)
    finally:
        server.should_exit = True
        thread.join(60)
        assert not thread.is_alive()
