"""What a tool of the Model Context Protocol costs over standard input and output, beside a bare server of the SDK."""

import contextlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import telic
from benchmarks.bench import Bench
from benchmarks.measure import Bar, Result, Spread, interleave

MEDIAN_MILLISECONDS: Final = 3

_BARE: Final = """
from mcp.server.mcpserver import MCPServer
server = MCPServer("bare", log_level="ERROR")
@server.tool()
def echo(text: str) -> str:
    return text
server.run("stdio")
"""
_HELLO: Final = {
    "protocolVersion": "2025-06-18",
    "capabilities": {},
    "clientInfo": {"name": "benchmark", "version": "1"},
}


def run(bench: Bench) -> Iterator[Result]:
    """From the write of a request to the end of its answer, one at a time, of servers in processes of their own."""
    place = bench.new_file("protocol")
    with telic.connect(place) as store:
        store.create("Move billing to the new API, with all its tests. " * 10, token_budget=2_000_000)
    calls = bench.size(200, 50)
    ours = [sys.executable, "-m", "telic.interfaces.cli", "mcp", "--store", str(place)]
    with _serving(ours) as goals, _serving([sys.executable, "-c", _BARE]) as bare:
        works = [
            lambda: goals.median_seconds(calls, "get_goal", {}),
            lambda: bare.median_seconds(calls, "echo", {"text": "Move billing to the new API"}),
        ]
        interleave(works, 2)
        rounds = interleave(works, bench.repetitions)
    telic_times, other_times = (Spread.of(times) for times in zip(*rounds, strict=True))
    yield Result(
        work="MCP over stdio: get_goal, median",
        reference="a bare server of the SDK that echoes",
        ratio=Spread.of(1000 * ours for ours, _ in rounds),
        unit="ms",
        bar=Bar(MEDIAN_MILLISECONDS, is_floor=False),
        telic=telic_times,
        other=other_times,
    )


class _Server:
    """A server whose hands are shaken."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        self._requests = 0
        self.ask("initialize", _HELLO)
        self._send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def median_seconds(self, calls: int, tool: str, arguments: dict[str, Any]) -> float:
        """What one call of the tool took."""
        taken: list[float] = []
        for _ in range(calls):
            started = time.perf_counter()
            answer = self.ask("tools/call", {"name": tool, "arguments": arguments})
            taken.append(time.perf_counter() - started)
            assert not json.loads(answer)["result"]["isError"]
        return statistics.median(taken)

    def ask(self, method: str, params: dict[str, Any]) -> bytes:
        """The answer, as it came."""
        self._requests += 1
        self._send({"jsonrpc": "2.0", "id": self._requests, "method": method, "params": params})
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()


@contextlib.contextmanager
def _serving(command: list[str]) -> Iterator[_Server]:
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path.cwd())
    try:
        yield _Server(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait()
