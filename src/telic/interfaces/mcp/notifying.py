"""Notifications of changes by any process, for subscribers: one watcher for all of a server's clients."""

import asyncio
import logging
from collections import Counter, OrderedDict
from collections.abc import Collection, Generator
from contextlib import contextmanager
from typing import Final, Protocol

from mcp.server.subscriptions import InMemorySubscriptionBus, ResourcesListChanged, ResourceUpdated

from telic.domain.budget import Usage
from telic.domain.errors import PASSING, GoalError
from telic.domain.events import EventKind
from telic.interfaces.mcp.resources import parse_uri, uris_of
from telic.services.insight import ScopedGoals
from telic.store.async_store import AsyncGoalStore

# So many of all clients together are kept; the oldest gives way.
MAX_SUBSCRIPTIONS: Final = 1_000

_USAGE_SECONDS: Final = 1.0
_SEND_SECONDS: Final = 2.0
_log = logging.getLogger(__name__)


class ResourceListener(Protocol):
    """A client that is notified through its own connection."""

    async def send_resource_updated(self, uri: str) -> None:
        """The client knows that the resource changed."""


class Notifier:
    """The subscribers of resources, and what watches for changes."""

    def __init__(self, store: AsyncGoalStore, scope: str) -> None:
        self.bus = InMemorySubscriptionBus()
        self._store = store
        self._scope = scope
        self._listeners: OrderedDict[tuple[str, str], ResourceListener] = OrderedDict()
        self._streams: Counter[str] = Counter()
        self._usage: dict[str, tuple[int, Usage]] = {}

    def subscribe(self, client: str, uri: str, listener: ResourceListener) -> None:
        """The client is notified of the resource's changes until it unsubscribes."""
        self.unsubscribe(client, uri)
        self._listeners[client, uri] = listener
        while len(self._listeners) > MAX_SUBSCRIPTIONS:
            self._listeners.popitem(last=False)

    def unsubscribe(self, client: str, uri: str) -> None:
        """The client is no longer notified of it."""
        self._listeners.pop((client, uri), None)

    @contextmanager
    def streaming(self, uris: Collection[str]) -> Generator[None]:
        """Inside the context, a stream of the message bus is subscribed to these resources."""
        self._streams.update(uris)
        try:
            yield
        finally:
            self._streams.subtract(uris)
            self._streams += Counter()

    async def run(self, cursor: str) -> None:
        """Subscribers are notified of every change after the cursor, until this is cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._follow_events(cursor))
                tasks.create_task(self._follow_usage())
        except* GoalError as errors:
            _log.error("no changes are notified any more: %s", "; ".join(map(str, errors.exceptions)))

    async def _follow_events(self, cursor: str) -> None:
        async for event in self._store.watch(scope=self._scope, after=cursor):
            for uri in uris_of(event.event.goal_id):
                await self._publish(uri)
            if event.event.kind is EventKind.CREATED:
                await self.bus.publish(ResourcesListChanged())

    async def _publish(self, uri: str) -> None:
        await self.bus.publish(ResourceUpdated(uri))
        for key in [key for key in self._listeners if key[1] == uri]:
            await self._send(key)

    async def _send(self, key: tuple[str, str]) -> None:
        # A client that does not read must not keep others waiting: it is unsubscribed.
        listener = self._listeners.get(key)
        if listener is None:
            return
        try:
            async with asyncio.timeout(_SEND_SECONDS):
                await listener.send_resource_updated(key[1])
        except TimeoutError:
            self.unsubscribe(*key)

    async def _follow_usage(self) -> None:
        # Turns are no events: what they use is looked at once a second, while somebody wants to know.
        while True:
            await asyncio.sleep(_USAGE_SECONDS)
            wanted = {uri for _, uri in self._listeners} | set(self._streams)
            self._usage = {uri: known for uri, known in self._usage.items() if uri in wanted}
            for uri in wanted:
                await self._look_at(uri)

    async def _look_at(self, uri: str) -> None:
        try:
            goal = await ScopedGoals(self._store, self._scope).at(parse_uri(uri).goal_id)
        except PASSING:
            return
        if goal is None:
            return
        # A change of the revision is an event, of which the subscribers know already.
        known, self._usage[uri] = self._usage.get(uri), (goal.revision, goal.usage)
        if known is not None and known[0] == goal.revision and known[1] != goal.usage:
            await self._publish(uri)
