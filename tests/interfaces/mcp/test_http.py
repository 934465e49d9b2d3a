"""Over HTTP: who is let in, what may be sent, and what a client that misbehaves can do to others."""

import contextlib
import json
import resource
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.responses import PlainTextResponse

import telic
from telic.http.guard import HttpGuard, RequestRates
from telic.interfaces.mcp.http import HttpOptions, McpSite, token_of
from tests.interfaces.mcp.clients import HANDSHAKE, HttpServer, call, data_of, over_http

SECRET = "a-token-of-the-test-" + "x" * 20


@pytest.fixture
def place(tmp_path: Path) -> str:
    return str(tmp_path / "goals.db")


@pytest.fixture
def server(place: str) -> Iterator[HttpServer]:
    with over_http(place, TELIC_MCP_TOKEN=SECRET) as server:
        yield server


@pytest.fixture(scope="module")
def shared_place(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("shared") / "goals.db")


@pytest.fixture(scope="module")
def shared(shared_place: str) -> Iterator[HttpServer]:
    with over_http(shared_place, TELIC_MCP_TOKEN=SECRET) as server:
        yield server


def _post(server: HttpServer, message: Any, **headers: Any) -> httpx2.Response:
    content = message if isinstance(message, bytes) else json.dumps(message).encode()
    return httpx2.post(server.url, content=content, headers=server.headers(**headers), timeout=240)


def _session(server: HttpServer) -> dict[str, str]:
    """The headers of a session whose hands are shaken."""
    opened = _post(server, HANDSHAKE[0])
    assert opened.status_code == 200, opened.text
    headers = {"mcp-session-id": opened.headers["mcp-session-id"], "mcp-protocol-version": "2025-06-18"}
    assert _post(server, HANDSHAKE[1], **headers).status_code == 202
    return headers


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_clients_share_a_server_and_say_what_they_have_seen(
    shared: HttpServer, shared_place: str, mode: str
) -> None:
    """Since it cannot tell them apart, what one was shown counts for none of the others."""
    with telic.connect(shared_place) as store:
        goal = store.create("Move billing")
        async with shared.client(mode) as first, shared.client(mode) as second:
            tools = {tool.name: tool for tool in (await first.list_tools()).tools}
            assert "revision" in tools["report_complete"].input_schema["required"]
            seen = data_of(await first.call_tool("get_goal"))["goal"]
            assert (await second.call_tool("report_complete", {"summary": "done"})).is_error
            store.edit(goal.id, text="Move billing and invoices")
            stale = await second.call_tool("report_complete", {"summary": "done", "revision": seen["revision"]})
            assert (stale.is_error, data_of(stale)["goal"]["revision"]) == (True, 2)
            report = {"summary": "done", "revision": 2, "goal_id": goal.id, "key": "done"}
            for client, outcome in ((first, "changed"), (second, "unchanged")):
                assert data_of(await client.call_tool("report_complete", report))["outcome"] == outcome
        assert len(store.events(goal.id)) == 3


def test_only_the_token_opens_it_and_only_under_its_own_names(server: HttpServer) -> None:
    """Missing, wrong, longer, in another place or of another scheme, it is refused; so are foreign hosts and pages."""
    for given in ("", "Bearer", f"Bearer {SECRET}x", f"Bearer {SECRET[:-1]}", f"Basic {SECRET}", SECRET, "Bearer \xff"):
        refused = _post(server, HANDSHAKE[0], authorization=given.encode("latin-1"))
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer"), given
    assert httpx2.post(f"{server.url}?token={SECRET}", json=HANDSHAKE[0]).status_code == 401
    for host in ("evil.example", f"evil.example:{server.port}", "127.0.0.1.evil.example", "localhost.evil.example:80"):
        assert _post(server, HANDSHAKE[0], host=host).status_code == 421
    for origin in ("https://evil.example", "null", "http://127.0.0.1.evil.example", "file://"):
        assert _post(server, HANDSHAKE[0], origin=origin).status_code == 403
    for origin in (f"http://localhost:{server.port}", "http://127.0.0.1"):
        assert _post(server, HANDSHAKE[0], origin=origin).status_code == 200
    assert _post(server, HANDSHAKE[0], content_type="text/plain").status_code == 400
    errors = server.end()
    assert SECRET not in errors
    assert "Traceback" not in errors


def test_a_request_is_small_and_whole_and_counted_once(shared: HttpServer, shared_place: str) -> None:
    with telic.connect(shared_place) as store:
        goal = store.create("Move billing")
        headers = _session(shared)
        turn = call(5, "report_progress", goal_id=goal.id, output_tokens=10, key="turn-1")
        for _ in range(2):
            answer = _post(shared, turn, **headers)
            assert answer.json()["result"]["structuredContent"]["outcome"] == "recorded"
        assert store.get(goal.id).usage.turns == 1
        assert _post(shared, b"{", **headers).status_code == 400
        assert _post(shared, b"[" * 100_000, **headers).status_code == 400
        for body in (b"x" * 10_000_000, _in_pieces(10_000_000)):
            with contextlib.suppress(httpx2.TransportError):
                # The server may hang up while the client still sends.
                too_large = httpx2.post(shared.url, content=body, headers=shared.headers(**headers), timeout=240)
                assert too_large.status_code == 413
        two = _raw(shared, json.dumps(turn).encode(), headers) + _raw(shared, json.dumps(turn).encode(), headers)
        with socket.create_connection(("127.0.0.1", shared.port), timeout=240) as connection:
            connection.sendall(two)
            assert _read_until(connection, b'"recorded"', times=2)
        with socket.create_connection(("127.0.0.1", shared.port), timeout=240) as connection:
            connection.sendall(_raw(shared, json.dumps(turn).encode(), headers)[:-30])
        assert _post(shared, turn, **headers).status_code == 200
        assert store.get(goal.id).usage.turns == 1


def _in_pieces(size: int) -> Iterator[bytes]:
    for _ in range(size // 100_000):
        yield b"x" * 100_000


def _raw(server: HttpServer, body: bytes, headers: dict[str, str]) -> bytes:
    sent = server.headers(**headers) | {"host": f"127.0.0.1:{server.port}", "content-length": str(len(body))}
    head = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
    return f"POST /mcp HTTP/1.1\r\n{head}\r\n".encode() + body


def _read_until(connection: socket.socket, what: bytes, *, times: int) -> bool:
    seen = b""
    while seen.count(what) < times:
        piece = connection.recv(65_536)
        if not piece:
            return False
        seen += piece
    return True


def test_a_thousand_idle_connections_keep_nobody_out(shared: HttpServer) -> None:
    """Each newcomer is served at once, and what waits for nothing is let go."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = 1_000 if hard == resource.RLIM_INFINITY or hard > 1_200 else hard - 200
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count + 200), hard))
    try:
        with contextlib.ExitStack() as idle:
            connections = [
                idle.enter_context(socket.create_connection(("127.0.0.1", shared.port), timeout=240))
                for _ in range(count)
            ]
            for connection in connections[::50]:
                with contextlib.suppress(OSError):
                    connection.sendall(b"POST /mcp HTTP/1.1\r\nhost: local")
            assert _post(shared, HANDSHAKE[0]).status_code == 200
            # The last of them was not pushed out by others: it ends when its time is up.
            last = connections[-1]
            assert last.recv(1) == b""
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_too_many_requests_are_told_to_wait() -> None:
    """A client with the token after its burst, a stranger after some guesses, and neither at the other's cost."""
    seconds = 0.0
    rates = RequestRates(requests_per_second=10, clock=lambda: seconds)
    options = HttpOptions(allowed_hosts=("goals.example",))
    guard = HttpGuard(PlainTextResponse("served"), McpSite(options, SECRET), rates)
    known = {"authorization": f"Bearer {SECRET}"}
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(guard), base_url="http://goals.example") as http:
        guesses = [await http.post("/mcp") for _ in range(25)]
        assert [guess.status_code for guess in guesses] == [401] * 20 + [429] * 5
        answers = [await http.post("/mcp", headers=known) for _ in range(25)]
        assert [answer.status_code for answer in answers] == [200] * 20 + [429] * 5
        assert {answer.headers["retry-after"] for answer in answers[20:]} == {"1"}
        seconds = float(answers[-1].headers["retry-after"])
        assert (await http.post("/mcp", headers=known)).status_code == 200
        assert [(await http.post("/mcp")).status_code for _ in range(2)] == [401, 429]


def _refused(**options: Any) -> str:
    with pytest.raises(telic.GoalError) as refusal:
        token_of(HttpOptions(**options)), McpSite(HttpOptions(**options), SECRET)
    return str(refusal.value)


def test_where_others_could_reach_it_a_token_must_be_set_beforehand(place: str, tmp_path: Path) -> None:
    token_file = tmp_path / "token"
    assert "set a token first" in _refused(host="0.0.0.0")
    assert "set a token first" in _refused(host="::", token_file=token_file)
    assert "set a token first" in _refused(host="goals.example", given_token="")
    assert "--allow-host" in _refused(host="0.0.0.0", given_token=SECRET)
    assert "16 or more" in _refused(given_token="short")
    assert "16 or more" in _refused(given_token=SECRET + "\r\n")
    assert not token_file.exists()
    with over_http(place, "--host", "0.0.0.0", "--allow-host", "goals.example", TELIC_MCP_TOKEN=SECRET) as server:
        url = f"http://127.0.0.1:{server.port}/mcp"
        named = httpx2.post(url, json=HANDSHAKE[0], headers=server.headers(host="goals.example"))
        assert named.status_code == 200
        assert httpx2.post(url, json=HANDSHAKE[0], headers=server.headers()).status_code == 421


def test_a_token_file_is_made_once_and_kept_private(place: str, tmp_path: Path) -> None:
    token_file = tmp_path / "token"
    with over_http(place, "--token-file", str(token_file)) as server:
        assert stat.S_IMODE(token_file.stat().st_mode) == 0o600
        assert token_file.read_text().strip() == server.token
        assert _post(server, HANDSHAKE[0]).status_code == 200
    token_file.chmod(0o644)
    assert "chmod 600" in _refused(token_file=token_file)
    (tmp_path / "link").symlink_to(token_file)
    assert "cannot be read" in _refused(token_file=tmp_path / "link")
