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

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

import telic
from telic.interfaces.api import api_routes
from telic.interfaces.api.problems import problem

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


class _Uvicorn(uvicorn.Server):
    """Tells when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = threading.Event()
        self.port = 0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.port = self.servers[0].sockets[0].getsockname()[1]
        self.is_up.set()


class _Doorkeeper:
    """Lets in whoever has the token, as the guard does that the API is mounted behind."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if Headers(scope=scope).get("Authorization") == f"Bearer {self._token}":
            await self._app(scope, receive, send)
            return
        told = problem("unauthorized", "give the token") | {"status": 401}
        await JSONResponse(told, 401, media_type="application/problem+json")(scope, receive, send)


async def _serve(location: str, allow_write: bool, token: str | None, started: "Queue[_Uvicorn]") -> None:
    async with telic.connect_async(location) as store:
        app: ASGIApp = Starlette(routes=[Mount(ROOT, routes=api_routes(store, allow_write=allow_write))])
        app = app if token is None else _Doorkeeper(app, token)
        server = _Uvicorn(
            uvicorn.Config(app, "127.0.0.1", 0, log_level="error", lifespan="off", timeout_graceful_shutdown=1)
        )
        started.put(server)
        await server.serve()


@contextmanager
def serving(location: str, *, allow_write: bool = True, token: str | None = None) -> Iterator[Client]:
    """A client of the API over the store at the location."""
    started: Queue[_Uvicorn] = Queue()
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
