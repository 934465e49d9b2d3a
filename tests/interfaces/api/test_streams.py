"""Events as server-sent events: what other processes commit, each exactly once, however the client behaves."""

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import pytest

import telic
from telic.http import event_stream
from telic.http import serving as http_serving
from telic.interfaces.api import feed
from telic.interfaces.api.operation import OpenStreams
from tests.interfaces.api.serving import ROOT, Client, serving
from tests.interfaces.shell import Shell


class Reader:
    """A client of the stream that knows what the HTML standard says about its lines."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self._response = response
        self.last_id = ""

    def block(self) -> dict[str, str]:
        """The next event, or comment, whatever it takes."""
        fields: dict[str, str] = {}
        while (line := self._response.readline().decode().rstrip("\n")) or not fields:
            assert line, "the stream has ended"
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
        self.last_id = fields.get("id", self.last_id)
        return fields

    def event(self) -> dict[str, Any]:
        while "data" not in (block := self.block()):
            pass
        found: dict[str, Any] = json.loads(block["data"])
        assert found["cursor"] == self.last_id
        return found


@contextmanager
def streaming(client: Client, query: str = "", last_id: str | None = None) -> Iterator[Reader]:
    connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=240)
    headers = {} if last_id is None else {"Last-Event-ID": last_id}
    connection.request("GET", f"{ROOT}/events/stream{query}", headers=headers)
    response = connection.getresponse()
    assert response.status == 200, response.read()
    assert response.headers["Content-Type"] == "text/event-stream"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    reader = Reader(response)
    begin = reader.block()
    assert begin.keys() == {"retry", "id"}
    try:
        yield reader
    finally:
        response.close()
        connection.close()


def test_what_another_process_changes_appears(api: Client, location: str) -> None:
    """From now on, or from where the stream is told; of a scope or a goal alone."""
    api.created("before")
    other = Shell(location)
    with streaming(api) as everything, streaming(api, "?scope=s") as scoped:
        goal_id = other.json("create", "there", "--scope", "s")["id"]
        with streaming(api, f"?goal_id={goal_id}&after={quote(everything.last_id)}") as of_goal:
            other("create", "elsewhere", "--scope", "other")
            other("pause", goal_id)
            seen = [everything.event() for _ in range(3)]
            assert [event["scope"] for event in seen] == ["s", "other", "s"]
            for narrow in (scoped, of_goal):
                events = [narrow.event() for _ in range(2)]
                assert [event["event"]["kind"] for event in events] == ["created", "paused"]
                assert [event["event"] for event in events] == [seen[0]["event"], seen[2]["event"]]


WRITER = """
import sys, telic
with telic.connect(sys.argv[1]) as store:
    for number in range(int(sys.argv[2])):
        store.create(f"{number}", scope=f"{sys.argv[3]}/{number % 7}")
"""


def test_a_client_that_reconnects_gets_each_event_once(api: Client, location: str) -> None:
    """It is cut off again and again while two processes write; ids say where it goes on."""
    with streaming(api) as reader:
        last_id = reader.last_id
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, location, "60", name]) for name in ("a", "b")]
    seen: list[tuple[str, int]] = []
    with telic.connect(location) as store:
        expected = 120 + 2 * (60 - 7)
        while len(seen) < expected:
            with streaming(api, last_id=last_id) as reader:
                for _ in range(min(17, expected - len(seen))):
                    event = reader.event()["event"]
                    seen.append((event["goal_id"], event["number"]))
                last_id = reader.last_id
        for writer in writers:
            assert writer.wait(240) == 0
        everything = [(event.event.goal_id, event.event.number) for event in store.events(limit=1000)]
    assert sorted(seen) == sorted(everything)
    with streaming(api, last_id=last_id) as reader:
        api.created("the last")
        assert reader.event()["event"]["kind"] == "created"


def test_a_slow_reader_misses_nothing_and_harms_nobody(client: Client, place: str) -> None:
    """Megabytes wait for it in the store, not in the server; others are served meanwhile."""
    with streaming(client) as slow, streaming(client) as quick:
        with telic.connect(place) as store:
            for number in range(400):
                store.create(f"{number} " + "\u2028" * 4_000, scope=f"{number}", max_chars=20_000)
        assert [quick.event()["scope"] for _ in range(400)] == [str(number) for number in range(400)]
        assert client.get("/health").status == 200
        assert [slow.event()["scope"] for _ in range(400)] == [str(number) for number in range(400)]


def test_a_quiet_stream_is_kept_alive(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "KEEP_ALIVE_SECONDS", 0.1)
    with streaming(client) as reader:
        assert reader.block() == {"": "nothing new"}
        assert reader.block() == {"": "nothing new"}
        client.created()
        assert reader.event()["event"]["kind"] == "created"


def test_a_client_that_goes_is_let_go(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, also where nothing happens: its place is free again."""
    monkeypatch.setattr(feed, "MOST_STREAMS", 2)
    with streaming(client), streaming(client):
        refused = client.get("/events/stream")
        assert (refused.status, refused.json["code"]) == (503, "too_many_streams")
        assert int(refused.headers["Retry-After"]) > 0
    deadline = time.monotonic() + 60
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=240)
        connection.request("GET", f"{ROOT}/events/stream")
        status = connection.getresponse().status
        connection.close()
        if status == 200:
            break
        assert time.monotonic() < deadline


def _read_all(reader: Reader) -> None:
    while True:
        reader.event()


def test_a_reader_that_takes_nothing_is_let_go(client: Client, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is cut off; what it missed is there when it comes again."""
    monkeypatch.setattr(http_serving, "SLOW_SECONDS", 0.5)
    with streaming(client) as stuck:
        cursor = stuck.last_id
        with telic.connect(place) as store:
            for number in range(1_000):
                store.create(f"{number} " + "\u2028" * 4_000, scope=f"{number}", max_chars=20_000)
        time.sleep(3)
        with pytest.raises((AssertionError, OSError, http.client.HTTPException)):
            _read_all(stuck)
    with streaming(client, last_id=cursor) as again:
        assert [again.event()["scope"] for _ in range(1_000)] == [str(number) for number in range(1_000)]


@pytest.mark.parametrize("last_id", ["nonsense", "0/1/2/3", "0" * 32 + "///0"])
def test_a_cursor_of_another_feed(client: Client, last_id: str) -> None:
    refused = client.get("/events/stream", {"Last-Event-ID": last_id})
    assert (refused.status, refused.json["code"]) == (422, "invalid_cursor")
    assert client.get("/events/stream", after=last_id).status == 422
    assert client.get("/events/stream", goal_id="00000000").status == 404


def test_it_ends_with_the_server(place: str) -> None:
    """Nobody has to wait for the clients of streams."""
    with serving(place) as client:
        connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=240)
        connection.request("GET", f"{ROOT}/events/stream")
        response = connection.getresponse()
        assert response.status == 200
    assert response.read().endswith(b"\n\n")
    connection.close()


async def test_a_failure_within_the_stream_is_told() -> None:
    """A status was told already: the problem comes as an event, without what must not be known."""

    async def failing() -> Any:
        raise telic.errors.StoreCorrupt("row 7")
        yield

    streams = OpenStreams()
    told = [text async for text in feed._written(failing(), "c", streams)]
    assert told[0] == "retry: 1000\nid: c\n\n"
    assert told[1].startswith("event: problem\ndata: {")
    assert "store_corrupt" in told[1]
    assert (len(told), streams.open) == (2, 0)
