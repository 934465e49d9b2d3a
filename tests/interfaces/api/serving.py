"""The API in a real uvicorn on loopback, in a thread with an event loop of its own, and a client for it."""

import asyncio
import http.client
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

import telic
from telic.interfaces.web.api import api_routes

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
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
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
        reply = self.post("/goals", {"text": text, **more})
        assert reply.status == 201, reply.raw
        return reply


class _Server(threading.Thread):
    def __init__(self, location: str, *, allow_write: bool) -> None:
        super().__init__(daemon=True)
        self._location = location
        self._allow_write = allow_write
        self._is_up = threading.Event()
        self._server: uvicorn.Server | None = None
        self.store: telic.AsyncGoalStore | None = None
        self.port = 0

    def run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        async with telic.connect_async(self._location) as self.store:
            routes = api_routes(self.store, allow_write=self._allow_write)
            app = Starlette(routes=[Mount(ROOT, routes=routes)])
            config = uvicorn.Config(
                app, host="127.0.0.1", port=0, log_level="error", lifespan="off", timeout_graceful_shutdown=1
            )
            self._server = uvicorn.Server(config)
            serving = asyncio.create_task(self._server.serve())
            while not self._server.started and not serving.done():
                await asyncio.sleep(0.01)
            self.port = self._server.servers[0].sockets[0].getsockname()[1]
            self._is_up.set()
            await serving

    def wait_until_up(self) -> None:
        assert self._is_up.wait(60)

    def stop(self) -> None:
        assert self._server is not None
        self._server.should_exit = True
        self.join(60)
        assert not self.is_alive()


@contextmanager
def serving(location: str, *, allow_write: bool = True) -> Iterator[Client]:
    """A client of the API over the store at the location."""
    server = _Server(location, allow_write=allow_write)
    server.start()
    server.wait_until_up()
    try:
        yield Client(server.port)
    finally:
        server.stop()
