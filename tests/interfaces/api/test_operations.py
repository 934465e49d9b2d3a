"""What each operation does, over HTTP, on both databases."""

from datetime import UTC, datetime, timedelta

import telic
from telic.domain.jsonable import event_to_json, turn_to_json
from tests.interfaces.api.serving import Client


def test_a_goal_from_its_creation_to_its_end(api: Client, location: str) -> None:
    """Each answer is the goal as the store has it, in the shape of the command and the exports."""
    created = api.post("/goals", {"text": "move", "scope": "s", "budget": {"tokens": 100, "turns": None}}, key="once")
    assert created.status == 201
    goal_id = created.json["id"]
    assert created.headers["Location"] == f"/api/v1/goals/{goal_id}"
    got = api.get(f"/goals/{goal_id}")
    assert (got.json, got.tag) == (created.json, created.tag)
    edited = api.send("PATCH", f"/goals/{goal_id}", {"text": "move on"}, tag=got.tag)
    assert (edited.status, edited.json["text"], edited.json["revision"]) == (200, "move on", got.json["revision"] + 1)
    budgeted = api.send("PUT", f"/goals/{goal_id}/budget", {"turns": 5}, tag=edited.tag)
    assert budgeted.json["budget"] == {
        "tokens": None,
        "turns": 5,
        "active_microseconds": None,
        "cost_microunits": None,
    }
    paused = api.post(f"/goals/{goal_id}/pause", {"note": "lunch"})
    assert (paused.json["status"], paused.json["reason"], paused.json["note"]) == ("paused", "user", "lunch")
    resumed = api.post(f"/goals/{goal_id}/resume", {"budget": {"tokens": 7}}, tag=paused.tag)
    assert (resumed.json["status"], resumed.json["budget"]["tokens"]) == ("active", 7)
    completed = api.post(f"/goals/{goal_id}/complete", {}, tag=resumed.tag)
    assert (completed.json["status"], completed.json["reason"]) == ("completed", "asserted")
    with telic.connect(location) as store:
        assert store.get(goal_id).to_json() == completed.json
        events = api.get(f"/goals/{goal_id}/events").json
        assert events == [event_to_json(event) for event in store.events(goal_id)]
    assert {event["actor"] for event in events} == {"operator"}
    assert events[0]["key"] == "once"


def test_clear_needs_no_body(api: Client) -> None:
    created = api.created()
    cleared = api.post(f"/goals/{created.json['id']}/clear", tag=created.tag)
    assert (cleared.json["status"], cleared.json["reason"]) == ("cleared", "dismissed")
    again = api.post(f"/goals/{created.json['id']}/resume", tag="*")
    assert (again.status, again.json["code"]) == (409, "invalid_transition")


def test_goals_are_found_by_prefix_filter_and_page(api: Client) -> None:
    """Pages follow one another by cursor; a prefix is enough where it is one goal's."""
    ids = [api.created(f"Goal {number}", scope=f"s{number}").json["id"] for number in range(5)]
    assert api.get(f"/goals/{ids[2][:35].upper()}").json["id"] == ids[2]
    assert api.get(f"/goals/{ids[0][:8]}").json["code"] == "ambiguous_id"
    missing = api.get("/goals/00000000-0000")
    assert (missing.status, missing.json["code"]) == (404, "goal_not_found")
    found, cursor = [], None
    while True:
        page = api.get("/goals", limit=2, **({} if cursor is None else {"cursor": cursor})).json
        found += [goal["id"] for goal in page["goals"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == ids[::-1]
    assert [goal["id"] for goal in api.get("/goals", scope="s3", status="active", text="goal 3").json["goals"]] == [
        ids[3]
    ]
    assert api.get("/goals", status="paused").json["goals"] == []


def test_a_list_is_narrowed_and_ordered(api: Client) -> None:
    """By why goals have their status, by who drives them, and by what changed last; other words are refused."""
    first, second, third = (api.created(f"Goal {number}", scope=f"s{number}").json["id"] for number in range(3))
    assert api.post("/leases", {"goal_id": second, "worker": "host/7"}).status in (200, 201)
    assert api.post(f"/goals/{first}/pause", {"reason": "blocked"}).status == 200

    def listed(**query: str) -> list[str]:
        return [goal["id"] for goal in api.get("/goals", **query).json["goals"]]

    assert listed(reason="blocked") == [first]
    assert listed(reason="stalled") == []
    assert listed(worker="host/7") == [second]
    assert listed(worker="host/8") == []
    assert listed(order="oldest") == [first, second, third]
    assert listed(order="changed") == [first, third, second]
    for query in ({"reason": "bored"}, {"order": "best"}, {"worker": ""}):
        assert api.get("/goals", **query).status == 400


def test_waiting_waking_and_signals(api: Client) -> None:
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    goal_id = api.created().json["id"]
    waiting = api.post(f"/goals/{goal_id}/pause", {"wake_at": tomorrow, "wake_signal": "deployed"}).json
    assert (waiting["reason"], waiting["wake_at"][:19]) == ("waiting", tomorrow[:19])
    assert [goal["id"] for goal in api.post("/signals", {"name": "deployed"}).json] == [goal_id]
    assert api.post("/signals", {"name": "deployed"}).json == []
    assert api.post(f"/goals/{goal_id}/wake").json["code"] == "goal_not_active"
    api.post(f"/goals/{goal_id}/pause", {"wake_signal": "x"})
    assert api.post(f"/goals/{goal_id}/wake").json["status"] == "active"
    unreal = api.post(f"/goals/{goal_id}/pause", {"wake_at": "2030-02-30T00:00:00Z"})
    assert (unreal.status, unreal.json["code"]) == (422, "invalid_input")


def test_people_answer_what_a_goal_asks(api: Client) -> None:
    criteria = [{"kind": "command", "argv": ["make", "test"]}, {"kind": "approval", "question": "ship it?"}]
    created = api.created(criteria=criteria)
    path = f"/goals/{created.json['id']}"
    assert created.json["criteria"] == criteria
    assert api.post(f"{path}/approve", {"criterion": 1}, tag="*").json["code"] == "invalid_input"
    answered = api.post(f"{path}/reject", {"criterion": 2, "note": "no", "decided_by": "Ada"}, tag=created.tag)
    assert answered.status == 200
    api.post(f"{path}/approve", {"criterion": 2}, tag=created.tag)
    told = [(event["kind"], event["data"]["decided_by"]) for event in api.get(f"{path}/events", after=1).json]
    assert told == [("rejected", "Ada"), ("approved", "operator")]
    assert api.post(f"{path}/complete", tag="*").json["reason"] == "accepted"


def test_turns_and_holds(api: Client, location: str) -> None:
    """Turns are counted once; a hold is settled by its turn, and refused where there is no room."""
    goal_id = api.created(budget={"tokens": 100}).json["id"]
    path = f"/goals/{goal_id}"
    held = api.post(f"{path}/holds", {"tokens": 60, "ttl_seconds": 600}, key="h1")
    assert (held.status, held.json["state"], held.json["reserved"]["turns"]) == (201, "open", 1)
    refused = api.post(f"{path}/holds", {"tokens": 50})
    assert (refused.status, refused.json["code"]) == (409, "budget_exceeded")
    assert {name: refused.json[name] for name in ("limit", "used", "budget", "held", "asked")} == {
        "limit": "tokens",
        "used": 0,
        "budget": 100,
        "held": 60,
        "asked": 50,
    }
    settled = api.post(
        f"{path}/turns", {"model_usage": {"input_tokens": 20, "output_tokens": 5}, "hold": "h1"}, key="t"
    )
    assert (settled.status, settled.json["turn"]["usage"]["tokens"]) == (201, 25)
    assert api.post(f"{path}/turns", {"tokens": 1, "hold": "h1"}).json["code"] == "hold_lost"
    api.post(f"{path}/holds", {"tokens": 10, "turns": 0}, key="h2")
    assert api.post(f"{path}/holds/release", {"hold": "h2"}).json["state"] == "released"
    assert [(each["key"], each["state"], each["turn_key"]) for each in api.get(f"{path}/holds").json] == [
        ("h1", "settled", "t"),
        ("h2", "released", None),
    ]
    judged = api.post(f"{path}/turns", {"usage": {"tokens": 5}, "kind": "judge", "model": "m"})
    assert judged.json["goal"]["usage"]["turns"] == 1
    spent = api.post(f"{path}/turns", {"tokens": 70})
    assert (spent.json["goal"]["status"], spent.json["goal"]["reason"]) == ("paused", "budget")
    for body in ({"kind": "work"}, {"tokens": 1, "usage": {}}):
        assert api.post(f"{path}/turns", body).json["code"] == "invalid_input"
    with telic.connect(location) as store:
        assert api.get(f"{path}/turns").json == [turn_to_json(turn) for turn in store.turns(goal_id)]
    assert len(api.get(f"{path}/turns", after=1, limit=1).json) == 1
    report = api.get("/usage", by="kind", goal_id=goal_id[:36], since="2000-01-01T00:00:00Z").json
    assert {group["name"]: group["usage"]["tokens"] for group in report["groups"]} == {"work": 95, "judge": 5}
    assert api.get("/usage", until="2000-01-01T00:00:00+01:00").json["total"]["lines"] == 0
    assert api.get("/usage").json["groups"][0]["name"] == goal_id


def test_leases(api: Client) -> None:
    """One worker drives a goal; writes that show a lost lease change nothing."""
    goal_id = api.created(scope="s").json["id"]
    claimed = api.post("/leases", {"scope": "s", "worker": "one", "ttl_seconds": 600.5})
    assert (claimed.status, claimed.json["goal"]["id"]) == (201, goal_id)
    lease = {"worker": "one", "token": claimed.json["token"]}
    other = api.post("/leases", {"goal_id": goal_id, "worker": "two"})
    assert (other.status, other.json["code"], other.json["worker"]) == (409, "lease_held", "one")
    state = api.get(f"/goals/{goal_id}/lease").json
    assert {name: state[name] for name in lease} == lease
    assert 0 < state["expires_in_microseconds"] <= 600_500_000
    assert api.post("/leases/due", {"worker": "two", "limit": 5}).json == []
    assert api.post("/leases/renew", {"goal_id": goal_id, **lease, "ttl_seconds": 60}).json["worker"] == "one"
    assert api.post(f"/goals/{goal_id}/turns", {"tokens": 1, "lease": lease}).status == 201
    assert api.post("/leases/release", {"goal_id": goal_id, **lease}).json["id"] == goal_id
    lost = api.post(f"/goals/{goal_id}/turns", {"tokens": 1, "lease": lease})
    assert (lost.status, lost.json["code"]) == (409, "lease_lost")
    assert [each["worker"] for each in api.post("/leases/due", {"worker": "two"}).json] == ["two"]
    assert api.post("/leases", {"worker": "x"}).json["code"] == "invalid_input"


def test_the_feed_in_pages(api: Client) -> None:
    """Every event once, whatever the page's length."""
    ids = [api.created(scope=f"s{number}").json["id"] for number in range(5)]
    seen, cursor = [], None
    while True:
        page = api.get("/events", limit=2, **({} if cursor is None else {"after": cursor})).json
        if not page["events"]:
            break
        seen += [event["event"]["goal_id"] for event in page["events"]]
        cursor = page["cursor"]
    assert sorted(seen) == sorted(ids)
    assert [event["scope"] for event in api.get("/events", scope="s3").json["events"]] == ["s3"]
    wrong = api.get("/events", after="nonsense")
    assert (wrong.status, wrong.json["code"]) == (422, "invalid_cursor")


def test_health(api: Client) -> None:
    assert api.get("/health").json == {"healthy": True}
