"""Requests that are wrong: each is refused with a problem that says why, and changes nothing."""

import inspect
import json
import signal
import socket
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telic.domain import errors
from telic.interfaces.api.answers import HEADERS, ApiRefusal, problem_answer, problem_of
from telic.interfaces.api.operation import parse_json
from telic.interfaces.api.routes import OPERATIONS
from telic.services.json_schema import mismatch
from telic.services.outcomes import HTTP_REFUSALS, OUTCOMES, http_status
from tests.interfaces.api.serving import Client, Reply, serving
from tests.support.postgres_server import PostgresServer

JSON = {"Content-Type": "application/json"}


def is_problem(reply: Reply, status: int, code: str) -> bool:
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    told = reply.json
    assert {"type", "title", "status", "detail", "code", "retryable"} <= told.keys()
    assert told["type"] == f"urn:telic:error:{told['code']}"
    assert (reply.status, told["status"], told["code"]) == (status, status, code), told
    return True


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"null",
        b"",
        b'"text"',
        b'{"text": "x", "text": "y"}',
        b'{"text": "x", "budget": {"turns": NaN}}',
        b'{"text": "x", "budget": {"turns": 1e999}}',
        b'{"text": "x", "budget": {"turns": 1.5}}',
        b'{"text": "x", "budget": {"turns": true}}',
        b'{"text": "x", "budget": {"turns": "1"}}',
        b'{"text": "x", "budget": {"turns": 0}}',
        b'{"text": "x", "budget": {"turns": 9007199254740992}}',
        b'{"text": "x", "budget": {"turns": ' + b"9" * 5_000 + b"}}",
        b'{"text": "x", "budget": null}',
        b'{"text": "x", "unknown": 1}',
        b'{"text": "x", "budget": {"unknown": 1}}',
        b'{"text": "x", "criteria": [{"kind": "approval", "unknown": 1}]}',
        b'{"text": "x", "criteria": [{"kind": "unknown"}]}',
        b'{"text": ""}',
        b'{"text": 1}',
        b'{"text": "x", "scope": ""}',
        b'{"text": "\xff"}',
        b'{"text": "x"}\x00',
        '{"text": "x"}'.encode("utf-16"),
        b"\xef\xbb\xbf" + b'{"text": "x"}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
    ids=lambda body: repr(body[:50]),
)
def test_a_body_that_does_not_match(client: Client, body: bytes) -> None:
    assert is_problem(client.raw("POST", "/goals", body, JSON), 400, "invalid_request")
    assert client.get("/goals").json["goals"] == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ('{"text": " "}', "empty_text"),
        ('{"text": "a\\u0000b"}', "invalid_text"),
        ('{"text": "\\ud800"}', "invalid_text"),
        ('{"text": "xx", "max_chars": 1}', "text_too_long"),
        ('{"text": "x", "criteria": [{"kind": "command"}]}', "invalid_input"),
        ('{"text": "x", "criteria": [{"kind": "command", "argv": ["a"], "folder": "../.."}]}', "invalid_input"),
    ],
)
def test_a_body_that_matches_and_is_unusable(client: Client, body: str, code: str) -> None:
    assert is_problem(client.raw("POST", "/goals", body.encode(), JSON), 422, code)
    assert client.get("/goals").json["goals"] == []


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1", "application/jsonp", ""],
)
def test_other_content_types(client: Client, content_type: str) -> None:
    reply = client.raw("POST", "/goals", b'{"text": "x"}', {"Content-Type": content_type})
    assert is_problem(reply, 415, "unsupported_media_type")


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; charset=UTF-8"])
def test_the_content_type(client: Client, content_type: str) -> None:
    assert client.raw("POST", "/goals", b'{"text": "x"}', {"Content-Type": content_type}).status == 201


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1001",
        "limit=x",
        "limit=1.5",
        "limit=",
        "status=gone",
        "unknown=1",
        "limit=1&limit=2",
        "text=%ff",
        "scope=%C3",
        "scope=",
        "cursor=",
        "&".join(f"a{n}=1" for n in range(100)),
    ],
)
def test_a_query_that_does_not_match(client: Client, query: str) -> None:
    assert is_problem(client.raw("GET", f"/goals?{query}"), 400, "invalid_request")


@pytest.mark.parametrize("goal_id", ["x", "0000000", "0" * 37, "gggggggg", "%00%00%00%00%00%00%00%00", "%ff" * 8])
def test_an_id_that_is_none(client: Client, goal_id: str) -> None:
    assert is_problem(client.get(f"/goals/{goal_id}"), 400, "invalid_request")


def test_methods_and_paths(client: Client) -> None:
    """What is not there is told with what is."""
    for method in ("DELETE", "PUT", "TRACE", "OPTIONS", "BREW"):
        reply = client.raw(method, "/goals")
        assert is_problem(reply, 405, "method_not_allowed")
        assert reply.headers["Allow"] == "GET, HEAD, POST"
    for path in ("", "/", "/nothing", "/goals/", "/goals/a/b/c", "//goals", "/openapi.json/"):
        if path:
            assert is_problem(client.get(path), 404, "not_found")
    head = client.raw("HEAD", "/goals")
    assert (head.status, head.raw) == (200, b"")
    assert head.headers["Content-Length"] == client.get("/goals").headers["Content-Length"]


def test_a_body_that_is_too_large(client: Client) -> None:
    """It is refused before all of it is there; a body just below the bound is read."""
    limit = 1_048_576
    filled = b'{"text": "x"}' + b" " * (limit - 13)
    assert client.raw("POST", "/goals", filled, JSON).status == 201
    assert is_problem(client.raw("POST", "/goals", filled + b" ", JSON), 413, "body_too_large")
    with socket.create_connection(("127.0.0.1", client.port), timeout=240) as endless:
        endless.sendall(
            b"POST /api/v1/goals HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n" + b"100000\r\n" + b" " * 0x100000 + b"\r\n" + b"1\r\n \r\n"
        )
        assert endless.recv(100).startswith(b"HTTP/1.1 413 ")


def test_a_store_that_is_away(own_server: PostgresServer) -> None:
    """503 with Retry-After and no word of the URL; the same request succeeds when the store is back."""
    url = own_server.url()
    with serving(url) as client:
        created = client.created()
        own_server.stop(signal.SIGQUIT)
        for reply in (
            client.post(f"/goals/{created.json['id']}/pause", key="p"),
            client.get("/events/stream"),
        ):
            assert reply.status == 503
            assert reply.json["code"] in ("store_unavailable", "outcome_unknown")
            assert is_problem(reply, 503, reply.json["code"])
            assert reply.json["retryable"] is True
            assert int(reply.headers["Retry-After"]) > 0
            assert b"secret-word" not in reply.raw
        own_server.start()
        paused = client.post(f"/goals/{created.json['id']}/pause", key="p")
        assert (paused.status, paused.json["status"]) == (200, "paused")


def test_every_error_has_a_status() -> None:
    """The table has each code once, and every row of it is one."""
    kinds = [kind for kind in vars(errors).values() if inspect.isclass(kind) and issubclass(kind, errors.GoalError)]
    assert set(OUTCOMES) == {kind.code for kind in kinds if kind is not errors.GoalError}
    assert not set(OUTCOMES) & set(HTTP_REFUSALS)
    for code in {*OUTCOMES, *HTTP_REFUSALS}:
        assert problem_answer(ApiRefusal(code, "why")).status_code == http_status(code)


def test_of_unknown_errors_nothing_is_told() -> None:
    told = json.dumps(problem_of(ValueError("secret-word")))
    assert "secret-word" not in told
    assert '"internal_error"' in told


HOSTILE = [
    "</script><script>alert(1)</script>",
    "\u2028\u2029\u202e\ufeff\u0085",
    "'\"`${x}{{x}}<!--",
    "\r\nSet-Cookie: a=b\r\n\r\n",
    "data: x\n\nid: 1\n",
    "\U0001f600\U000e0001\u200d\x01\x7f\x1b[2J",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_comes_back_exactly(api: Client, text: str) -> None:
    """In every field of every answer, errors included, as ASCII that nothing can take for something else."""
    criteria = [{"kind": "judge", "question": text}, {"kind": "approval", "question": text}]
    created = api.created(text, scope=text, criteria=criteria)
    path = f"/goals/{created.json['id']}"
    replies = [
        created,
        api.post(f"{path}/approve", {"criterion": 2, "note": text, "decided_by": text}, tag="*"),
        api.post(f"{path}/turns", {"tokens": 1, "model": text}),
        api.post("/leases", {"scope": text, "worker": text}),
        api.post("/leases", {"scope": text, "worker": "another"}),
        api.post(f"{path}/holds/release", {"hold": text}),
        api.post(f"{path}/pause", {"note": text, "wake_signal": text}),
        api.get(f"{path}/events"),
        api.get("/goals", scope=text, text=text),
        api.get("/events", scope=text),
        api.get("/usage", by="model"),
        api.get(f"/goals/{'x' * 8}{text.encode().hex()}"),
        api.post("/goals", {text: text}),
    ]
    for reply in replies:
        assert reply.raw.isascii()
        assert b"\n" not in reply.raw
        assert {name: reply.headers[name] for name in HEADERS} == HEADERS
        assert reply.headers["Content-Type"] in ("application/json", "application/problem+json")
        assert "Set-Cookie" not in reply.headers
    assert (replies[0].json["text"], replies[0].json["scope"], replies[0].json["criteria"]) == (text, text, criteria)
    assert replies[2].json["turn"]["model"] == replies[3].json["worker"] == replies[4].json["worker"] == text
    assert (replies[6].json["note"], replies[6].json["wake_signal"]) == (text, text)
    assert replies[7].json[1]["data"]["note"] == replies[7].json[1]["data"]["decided_by"] == text
    assert [goal["text"] for goal in replies[8].json["goals"]] == [text]
    assert {event["scope"] for event in replies[9].json["events"]} == {text}


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["text", "budget", "turns", "tokens", "criteria", "kind", "argv", "lease", "worker", "token", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
)


VALIDATORS = [(each.body, jsonschema.Draft202012Validator(each.body)) for each in OPERATIONS if each.body is not None]


@given(body=_VALUES)
@settings(max_examples=100)
def test_what_is_checked_is_what_is_documented(body: object) -> None:
    """The schemas mean to this checker what they mean to a checker of JSON Schema."""
    raw = json.dumps(body).encode()
    for schema, validator in VALIDATORS:
        assert (mismatch(schema, parse_json(raw), "the body") is None) == validator.is_valid(body)


def test_a_store_that_was_moved(tmp_path: Path, place: str, client: Client) -> None:
    """Nothing is acknowledged, and no retry is offered: the server must be started anew."""
    client.created()
    Path(place).rename(tmp_path / "elsewhere.db")
    reply = client.post("/goals", {"text": "x"})
    assert is_problem(reply, 503, "store_moved")
    assert "Retry-After" not in reply.headers
