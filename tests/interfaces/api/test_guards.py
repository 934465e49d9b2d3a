"""What makes a write safe: tags, keys, and a server that only reads."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import telic
from tests.interfaces.api.serving import Client, Reply, serving


def test_a_stale_tag_is_refused_with_the_present_goal(client: Client) -> None:
    created = client.created()
    path = f"/goals/{created.json['id']}"
    paused = client.post(f"{path}/pause", tag=created.tag)
    stale = client.post(f"{path}/clear", tag=created.tag)
    assert (stale.status, stale.json["code"], stale.headers["ETag"]) == (412, "stale_update", paused.tag)
    assert stale.json["goal"] == paused.json == client.get(path).json
    assert client.post(f"{path}/clear", tag=stale.headers["ETag"]).status == 200


@pytest.mark.parametrize(
    ("method", "action", "body"),
    [
        ("PATCH", "", {"text": "x"}),
        ("PUT", "/budget", {}),
        ("POST", "/resume", {}),
        ("POST", "/complete", {}),
        ("POST", "/clear", {}),
        ("POST", "/approve", {"criterion": 1}),
        ("POST", "/reject", {"criterion": 1}),
    ],
)
def test_what_needs_a_tag_is_refused_without(client: Client, method: str, action: str, body: object) -> None:
    created = client.created()
    path = f"/goals/{created.json['id']}"
    refused = client.send(method, path + action, body)
    assert (refused.status, refused.json["code"]) == (428, "precondition_required")
    for tag in ("1", 'W/"1"', '"x"', '"1", "2"'):
        assert client.send(method, path + action, body, tag=tag).status == 400
    assert client.get(path).tag == created.tag


def test_recording_turns_makes_no_user_stale(client: Client) -> None:
    """A tag changes with every turn, so that nothing old is taken for present; only the revision guards."""
    created = client.created()
    path = f"/goals/{created.json['id']}"
    turned = client.post(f"{path}/turns", {"tokens": 3})
    assert turned.tag == client.get(path).tag != created.tag
    assert client.get(path, {"If-None-Match": created.tag}).status == 200
    assert client.post(f"{path}/pause", tag=created.tag).status == 200
    assert client.post(f"{path}/resume", tag='"2"').status == 200


@pytest.mark.parametrize("known", ["{tag}", "W/{tag}", '"other", {tag}', "*"])
def test_what_the_client_has_is_not_sent_again(client: Client, known: str) -> None:
    created = client.created()
    reply = client.get(f"/goals/{created.json['id']}", {"If-None-Match": known.format(tag=created.tag)})
    assert (reply.status, reply.raw, reply.tag) == (304, b"", created.tag)


def at_once(number: int, send: "object") -> list[Reply]:
    barrier = threading.Barrier(number)

    def one(index: int) -> Reply:
        barrier.wait()
        assert callable(send)
        reply = send(index)
        assert isinstance(reply, Reply)
        return reply

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(one, range(number)))


def test_of_two_writers_with_one_tag_one_wins(api: Client) -> None:
    """However often they try."""
    tag, path = (created := api.created()).tag, f"/goals/{created.json['id']}"
    for _ in range(10):
        replies = at_once(2, lambda index, tag=tag: api.send("PATCH", path, {"text": f"{tag}/{index}"}, tag=tag))
        assert sorted(reply.status for reply in replies) == [200, 412]
        winner = next(reply for reply in replies if reply.status == 200)
        assert next(reply for reply in replies if reply.status == 412).json["goal"] == winner.json
        tag = winner.tag
    assert api.get(path).json["revision"] == created.json["revision"] + 10


def test_the_same_key_has_one_effect(api: Client) -> None:
    """However often and at once it is sent, also with the tag that it made stale."""
    replies = at_once(6, lambda _: api.post("/goals", {"text": "once"}, key="k"))
    created = replies[0]
    assert {reply.json["id"] for reply in replies} == {created.json["id"]}
    path = f"/goals/{created.json['id']}"
    turns = at_once(6, lambda _: api.post(f"{path}/turns", {"tokens": 5}, key="t"))
    assert {(reply.status, reply.json["turn"]["number"]) for reply in turns} == {(201, 1)}
    pauses = at_once(6, lambda _: api.post(f"{path}/pause", {"note": "n"}, key="p", tag=created.tag))
    assert {(reply.status, reply.json["revision"]) for reply in pauses} == {(200, created.json["revision"] + 1)}
    assert api.get(path).json["usage"]["tokens"] == 5
    assert len(api.get(f"{path}/events").json) == 2
    assert len(api.get("/goals").json["goals"]) == 1
    for reply in (
        api.post("/goals", {"text": "another"}, key="k"),
        api.post(f"{path}/turns", {"tokens": 6}, key="t"),
        api.post(f"{path}/resume", key="p", tag="*"),
    ):
        assert (reply.status, reply.json["code"][-9:]) == (409, "_conflict")


@pytest.mark.parametrize("key", ["", "has space", "x" * 201, "h\xe9"])
def test_a_key_is_printable_ascii(client: Client, key: str) -> None:
    assert client.post("/goals", {"text": "x"}, key=key).status == 400
    assert client.get("/goals").json["goals"] == []


def test_a_server_that_only_reads(place: str) -> None:
    """It tells everything and changes nothing, whatever it is sent."""
    with telic.connect(place) as store:
        goal = store.create("kept")
    with serving(place, allow_write=False) as client:
        assert client.get(f"/goals/{goal.id}").status == 200
        paths = client.get("/openapi.json").json["paths"]
        writes = [(path, method) for path, methods in paths.items() for method in methods if method != "get"]
        assert len(writes) > 15
        for path, method in writes:
            refused = client.send(method.upper(), path.format(goal_id=goal.id), {"anything": 1}, tag="*")
            assert (refused.status, refused.json["code"]) == (403, "read_only")
    with telic.connect(place) as store:
        assert store.get(goal.id) == goal
