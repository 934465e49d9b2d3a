"""A model server on a socket that speaks four providers' wire formats, plain and streamed, and follows one script."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from tests.support.wire_formats import FORMATS, Reply, text_of


@dataclass
class Asked:
    """A request as it came."""

    path: str
    body: dict[str, Any]

    @property
    def text(self) -> str:
        """All of it that a model would read, as one text."""
        return text_of(self.body)


@dataclass
class WireServer:
    """What the server was asked, and what it answers next; after the last reply every request fails.

    Where requests come in no certain order, `replies` gives each its reply; it comes before the script.
    """

    script: list[Reply] = field(default_factory=list)
    replies: Callable[[Asked], Reply | None] = lambda _asked: None
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
            return self.replies(asked) or (self.script.pop(0) if self.script else Reply(status=418))

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
            self._send(404, b"{}", "application/json")

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
            path = urlsplit(self.path).path
            form = next((form for form in FORMATS if form.matches(path, body)), None)
            if form is None:
                self._send(404, b"{}", "application/json")
                return
            reply = state.take(Asked(self.path, body))
            if reply.before is not None:
                reply.before()
            if reply.hangs:
                state.closing.wait(240)
                self.close_connection = True
                return
            if reply.breaks_after is not None:
                self._break(form.stream(reply), reply.breaks_after)
            elif reply.status != 200:
                self._send(reply.status, form.error(reply.status), "application/json")
            elif form.is_streamed(self.path, body):
                self._send(200, form.stream(reply), "text/event-stream")
            else:
                self._send(200, json.dumps(form.body(reply)).encode(), "application/json")

        def _break(self, stream: bytes, events: int) -> None:
            """The connection ends before what was announced has come."""
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Content-Length", str(len(stream)))
            self.end_headers()
            self.wfile.write(b"".join(each + b"\n\n" for each in stream.split(b"\n\n")[:events]))
            self.wfile.flush()
            self.close_connection = True

        def _send(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

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
