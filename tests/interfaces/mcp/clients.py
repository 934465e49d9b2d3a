"""Clients of a real `telic mcp` process: the SDK's own, and raw ones that do what no client should."""

import contextlib
import json
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import mcp_types as types
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

import telic
from tests.interfaces.shell import TELIC

SECONDS = 30.0
HANDSHAKE = (
    {
        "jsonrpc": "2.0",
        "id": 0,
        "method": "initialize",
        "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}},
    },
    {"jsonrpc": "2.0", "method": "notifications/initialized"},
)


def call(id: int, tool: str, **arguments: Any) -> dict[str, Any]:
    """The message that uses a tool."""
    return {
        "jsonrpc": "2.0",
        "id": id,
        "method": "tools/call",
        "params": {"name": tool, "arguments": arguments},
    }


def text_of(result: types.CallToolResult) -> str:
    (content,) = result.content
    assert isinstance(content, types.TextContent)
    return content.text


def data_of(result: types.CallToolResult) -> dict[str, Any]:
    assert isinstance(result.structured_content, dict)
    return result.structured_content


class Updates:
    """What a client that shook hands was told of its subscriptions."""

    def __init__(self) -> None:
        self.uris: list[str] = []

    async def __call__(self, message: Any) -> None:
        if isinstance(message, types.ResourceUpdatedNotification):
            self.uris.append(str(message.params.uri))


@contextlib.asynccontextmanager
async def over_stdio(
    store: str, *arguments: str, mode: str = "auto", updates: Updates | None = None
) -> AsyncIterator[Client]:
    """The SDK's client of a server of its own, over a store that is there."""
    telic.connect(store).close()
    server = StdioServerParameters(
        command=str(TELIC), args=["mcp", "--store", store, *arguments], env=dict(os.environ), cwd=Path.cwd()
    )
    async with Client(server, mode=mode, read_timeout_seconds=SECONDS, message_handler=updates, cache=None) as client:
        yield client


@dataclass(frozen=True)
class HttpServer:
    """A server that listens."""

    process: "subprocess.Popen[str]"
    url: str
    token: str

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2].partition("/")[0])

    def headers(self, **more: str) -> dict[str, str]:
        return {
            "authorization": f"Bearer {self.token}",
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            **{name.replace("_", "-"): value for name, value in more.items()},
        }

    @contextlib.asynccontextmanager
    async def client(self, mode: str = "auto", updates: Updates | None = None) -> AsyncIterator[Client]:
        """The SDK's client, with the token."""
        headers = {"authorization": f"Bearer {self.token}"}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=SECONDS) as http,
            Client(
                streamable_http_client(self.url, http_client=http),
                mode=mode,
                read_timeout_seconds=SECONDS,
                message_handler=updates,
                cache=None,
            ) as client,
        ):
            yield client

    def end(self) -> str:
        """What it said on standard error, once it was asked to end, and did so with 0."""
        self.process.terminate()
        _, errors = self.process.communicate(timeout=SECONDS)
        assert self.process.returncode == 0, errors
        return errors


@contextlib.contextmanager
def over_http(store: str, *arguments: str, **variables: str) -> Iterator[HttpServer]:
    """A server on a port of its own over a store that is there; it is gone at the end."""
    telic.connect(store).close()
    process = subprocess.Popen(
        [TELIC, "mcp", "--http", "--port", "0", "--store", store, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | variables,
    )
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert line.startswith("listening on "), line + process.stderr.read()
        token = variables.get("TELIC_MCP_TOKEN") or process.stderr.readline().removeprefix("token ").strip()
        yield HttpServer(process, line.split()[-1], token)
    finally:
        process.kill()
        process.communicate()


class RawStdio:
    """A server's two ends, on which anything can be written."""

    def __init__(self, store: str, *arguments: str) -> None:
        telic.connect(store).close()
        self.process = subprocess.Popen(
            [TELIC, "mcp", "--store", store, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._input = self.process.stdin
        self._output = self.process.stdout

    def write(self, data: bytes) -> None:
        self._input.write(data)
        self._input.flush()

    def send(self, *messages: Any) -> None:
        """All of them, in one write."""
        self.write("".join(json.dumps(message) + "\n" for message in messages).encode())

    def read(self) -> dict[str, Any]:
        """The next message; what is none fails."""
        line = self._output.readline()
        assert line.endswith(b"\n"), line
        return json.loads(line)

    def shake_hands(self) -> None:
        self.send(*HANDSHAKE)
        assert self.read()["result"]["serverInfo"]["name"] == "telic"

    def ask(self, message: dict[str, Any]) -> dict[str, Any]:
        """The answer to the message, the next that comes."""
        self.send(message)
        answer = self.read()
        assert answer["id"] == message["id"]
        return answer["result"]

    def end(self) -> tuple[bytes, bytes]:
        """What was left to read when the input ended; the server ended with 0."""
        output, errors = self.process.communicate(timeout=SECONDS)
        assert self.process.returncode == 0, errors
        return output, errors

    def __enter__(self) -> "RawStdio":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()
