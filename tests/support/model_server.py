"""A model server that speaks OpenAI's chat completions on the wire, and answers as it is told."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

USAGE = {
    "prompt_tokens": 1_000,
    "completion_tokens": 50,
    "total_tokens": 1_050,
    "prompt_tokens_details": {"cached_tokens": 400},
    "completion_tokens_details": {"reasoning_tokens": 20},
}


@dataclass(frozen=True)
class Scripted:
    """One response: `arguments` go into a call of the answer's tool, `raw` is the whole body."""

    arguments: str | None = None
    text: str | None = None
    raw: bytes | None = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    usage: dict[str, Any] | None = field(default_factory=lambda: dict(USAGE))
    hangs: bool = False
    model: str = "gpt-4o-mini"


def answering(verdict: str, **parts: list[str]) -> Scripted:
    return Scripted(
        arguments=json.dumps({"verdict": verdict, "reasons": [], "blocking_problems": [], "suggestions": []} | parts)
    )


def failing(status: int, code: str = "error", **headers: str) -> Scripted:
    body = json.dumps({"error": {"message": "refused", "type": code, "code": code}}).encode()
    return Scripted(raw=body, status=status, headers={name.replace("_", "-"): value for name, value in headers.items()})


class ModelServer:
    """What the server was asked, and what it answers next; the last response is repeated."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.script: list[Scripted] = []
        self.closing = threading.Event()
        self.asked = threading.Event()
        self.port = 0

    def model(self, name: str = "gpt-4o-mini") -> OpenAIChatModel:
        url = f"http://127.0.0.1:{self.port}/v1"
        return OpenAIChatModel(name, provider=OpenAIProvider(base_url=url, api_key="a-key-of-the-tests"))

    def next(self) -> Scripted:
        return self.script.pop(0) if len(self.script) > 1 else self.script[0]


@contextmanager
def running_model_server() -> Iterator[ModelServer]:
    state = ModelServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            """Tests print nothing."""

        def do_POST(self) -> None:
            state.requests.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            response = state.next()
            state.asked.set()
            if response.hangs:
                state.closing.wait(240)
                self.close_connection = True
                return
            body = _body(response)
            self.send_response(response.status)
            for name, value in ({"Content-Type": "application/json"} | response.headers).items():
                self.send_header(name, value)
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


def _body(response: Scripted) -> bytes:
    if response.raw is not None:
        return response.raw
    message: dict[str, Any] = {"role": "assistant", "content": response.text}
    if response.arguments is not None:
        function = {"name": "answer", "arguments": response.arguments}
        message["tool_calls"] = [{"id": "call-1", "type": "function", "function": function}]
    body = {
        "id": "response-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": response.model,
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
    }
    return json.dumps(body if response.usage is None else body | {"usage": response.usage}).encode()
