"""A model server on a socket that speaks four providers' wire formats, plain and streamed, and follows one script."""

import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from tests.support.wire_formats import FORMATS, MODEL, Reply, messages_of, text_of, tool_names

COUNTING = ("/count_tokens", ":countTokens")
"""The ends of the paths that only count tokens."""


@dataclass
class Asked:
    """A request as it came."""

    path: str
    body: dict[str, Any]

    @property
    def text(self) -> str:
        """All of it that a model would read, as one text."""
        return text_of(self.body)

    @property
    def newest(self) -> str:
        """The text of its newest message."""
        return text_of(messages_of(self.body)[-1:])

    @property
    def tools(self) -> list[str]:
        return tool_names(self.body)

    @property
    def model(self) -> str:
        """The model that was asked for; Gemini's format names it in the path."""
        named = self.body.get("model") or urlsplit(self.path).path.rsplit("/", 1)[-1].partition(":")[0]
        return str(named)


@dataclass
class WireServer:
    """What the server was asked, and what it answers next; after the last reply every request fails.

    `play`, where it is given, answers in place of the script.
    """

    script: list[Reply] = field(default_factory=list)
    play: Callable[[Asked], Reply] | None = None
    asked: list[Asked] = field(default_factory=list)
    port: int = 0
    closing: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def take(self, asked: Asked) -> Reply:
        with self._lock:
            self.asked.append(asked)
            if self.play is not None:
                return self.play(asked)
            return self.script.pop(0) if self.script else Reply(status=418)

    def answer_first(self, replies: Callable[[Asked], Reply | None]) -> None:
        """A request gets the reply that this gives it, else the script's next one."""
        self.play = lambda asked: replies(asked) or (self.script.pop(0) if self.script else Reply(status=418))

    def wait_for(self, count: int, seconds: float = 120.0) -> None:
        """So many requests have come."""
        until = time.monotonic() + seconds
        while len(self.asked) < count:
            assert time.monotonic() < until, f"{len(self.asked)} requests came, not {count}"
            time.sleep(0.01)


@contextmanager
def running_wire_server() -> Iterator[WireServer]:
    state = WireServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            """Tests print nothing."""

        def do_HEAD(self) -> None:
            self._send(200, b"", "text/plain")

        def do_GET(self) -> None:
            if self.path.endswith("/models"):
                models = {"object": "list", "data": [{"id": MODEL, "object": "model"}], "models": []}
                self._send(200, json.dumps(models).encode(), "application/json")
            else:
                self._send(404, b"{}", "application/json")

        def do_POST(self) -> None:
            # A client may leave before it is answered: it was interrupted.
            with suppress(ConnectionError):
                self._answer()

        def _answer(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}"
            is_packed = self.headers.get("Content-Encoding") == "gzip"
            body = json.loads(gzip.decompress(content) if is_packed else content)
            path = urlsplit(self.path).path
            if path.endswith(COUNTING):
                self._send(200, json.dumps({"input_tokens": 1_000, "totalTokens": 1_000}).encode(), "application/json")
                return
            form = next((form for form in FORMATS if form.matches(path, body)), None)
            if form is None:
                self._send(404, b"{}", "application/json")
                return
            reply = state.take(Asked(self.path, body))
            if reply.before is not None:
                reply.before()
            if reply.cut_after is not None:
                self._cut(form.stream(reply), reply)
                return
            if reply.hangs:
                state.closing.wait()
                self.close_connection = True
                return
            if reply.status != 200:
                error = reply.error or form.error(reply.status, reply.message)
                self._send(reply.status, json.dumps(error).encode(), "application/json", reply.headers)
            elif form.is_streamed(self.path, body):
                self._send(200, form.stream(reply), "text/event-stream", reply.headers)
            else:
                self._send(200, json.dumps(form.body(reply)).encode(), "application/json", reply.headers)

        def _cut(self, stream: bytes, reply: Reply) -> None:
            events = b"".join(event + b"\n\n" for event in stream.split(b"\n\n")[: reply.cut_after])
            if reply.error is not None:
                events += b"event: error\ndata: " + json.dumps(reply.error).encode() + b"\n\n"
            promised = events if reply.ends_early or reply.error else stream
            self._begin(200, {"Content-Type": "text/event-stream", "Content-Length": str(len(promised))})
            self.wfile.write(events)
            self.wfile.flush()
            if reply.hangs:
                state.closing.wait()
            self.close_connection = True

        def _send(self, status: int, body: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
            self._begin(status, {"Content-Type": kind, "Content-Length": str(len(body))} | (headers or {}))
            self.wfile.write(body)

        def _begin(self, status: int, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    state.port = server.server_port
    try:
        yield state
    finally:
        state.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()
