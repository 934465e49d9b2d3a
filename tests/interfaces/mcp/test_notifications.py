"""What other processes change reaches subscribers, over both transports, in both eras, on both databases."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp.client.client import Client
from mcp.client.subscriptions import ResourceUpdated

import telic
from tests.interfaces.mcp.clients import SECONDS, Updates, data_of, over_http, over_stdio


@pytest.fixture
def place(tmp_path: Path) -> str:
    return str(tmp_path / "goals.db")


@asynccontextmanager
async def _connected(transport: str, place: str, mode: str, updates: Updates) -> AsyncIterator[Client]:
    if transport == "stdio":
        async with over_stdio(place, mode=mode, updates=updates) as client:
            yield client
    else:
        with over_http(place) as server:
            async with server.client(mode, updates) as client:
                yield client


async def _until(holds: Any) -> None:
    async with asyncio.timeout(SECONDS):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


ALSO_OVER = pytest.mark.long
"""What the gate sees in one way is seen in the other by the long tests."""


@pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")
@pytest.mark.parametrize("transport", [pytest.param("stdio", marks=ALSO_OVER), "http"])
async def test_subscribers_that_shook_hands_hear_of_changes(place: str, transport: str) -> None:
    """Of a pause by another process, of its usage, and of nothing after they have unsubscribed."""
    updates = Updates()
    with telic.connect(place) as store:
        goal = store.create("Move billing")
        async with _connected(transport, place, "legacy", updates) as client:
            for uri in ("goal://active", f"goal://{goal.id}", f"goal://{goal.id}/history"):
                await client.subscribe_resource(uri)
            with pytest.raises(Exception, match="id"):
                await client.subscribe_resource("goal://01920000-0000-7000-8000-000000000000")
            # Over HTTP a client listens a moment after it has shaken hands; what comes before that is lost.
            await asyncio.sleep(1)
            store.pause(goal.id)
            await _until(lambda: len(set(updates.uris)) == 3)
            assert data_of(await client.call_tool("get_goal"))["goal"]["status"] == "paused"
            await client.unsubscribe_resource("goal://active")
            await client.unsubscribe_resource(f"goal://{goal.id}/history")
            # Usage is told of from the second look on.
            await asyncio.sleep(2.5)
            updates.uris.clear()
            store.record_turn(goal.id, tokens=5)
            await _until(lambda: updates.uris)
            assert set(updates.uris) == {f"goal://{goal.id}"}


@pytest.mark.parametrize("transport", ["stdio", pytest.param("http", marks=ALSO_OVER)])
async def test_streams_of_changes_tell_of_this_scope_only(place: str, transport: str) -> None:
    """A stream acknowledges what the scope has, and tells when another process changes that."""
    with telic.connect(place) as store:
        goal, other = store.create("Move billing"), store.create("Theirs", scope="others")
        uris = [f"goal://{goal.id}", f"goal://{other.id}"]
        async with (
            _connected(transport, place, "auto", Updates()) as client,
            client.listen(resource_subscriptions=uris) as stream,
        ):
            assert stream.honored.resource_subscriptions == uris[:1]
            store.pause(other.id)
            store.pause(goal.id)
            async with asyncio.timeout(SECONDS):
                assert await anext(aiter(stream)) == ResourceUpdated(uris[0])


async def test_on_postgresql_a_goal_is_worked_on_and_watched(new_postgres_database: Any) -> None:
    place = new_postgres_database()
    async with telic.connect_async(place) as store:
        goal = await store.create("Move billing")
        async with over_stdio(place) as client, client.listen(resource_subscriptions=["goal://active"]) as stream:
            looked = data_of(await client.call_tool("get_goal"))["goal"]
            assert looked["id"] == goal.id
            await store.edit(goal.id, text="Move billing and invoices")
            async with asyncio.timeout(SECONDS):
                assert await anext(aiter(stream)) == ResourceUpdated("goal://active")
            assert (await client.call_tool("report_complete", {"summary": "done"})).is_error
            turn = {"goal_id": goal.id, "output_tokens": 7, "key": "turn-1"}
            for _ in range(2):
                await client.call_tool("report_progress", turn)
            assert not (await client.call_tool("report_complete", {"summary": "done"})).is_error
        ended = await store.get(goal.id)
        assert (ended.status, ended.usage.tokens, ended.usage.turns) == (telic.GoalStatus.COMPLETED, 7, 1)
