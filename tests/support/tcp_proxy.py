"""A TCP proxy before a server on this machine, that a test tells to be slow, deaf or cruel."""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit, urlunsplit

T = TypeVar("T")

READY_FOR_QUERY = b"Z\x00\x00\x00\x05"
"""The message with which PostgreSQL ends its answer: by then what was asked for is committed."""


class TcpProxy:
    """Forwards every connection to a port of 127.0.0.1, from a thread of its own.

    `delay_seconds` is how long each direction takes. `bursts` counts how often a client began to speak after
    the server had: on one connection, that is the number of round trips.
    """

    def __init__(self, server_port: int) -> None:
        self.delay_seconds = 0.0
        self.bursts = 0
        self.swallowed = 0
        self._server_port = server_port
        self._swallowing: list[bytes] = []
        self._holding: list[bytes] = []
        self._is_closing = False
        self._links: set[_Link] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tcp-proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._call(self._open())
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def url(self, server_url: str) -> str:
        """The server's URL, led through this proxy."""
        parts = urlsplit(server_url)
        user = parts.netloc.rpartition("@")[0]
        return urlunsplit(parts._replace(netloc=f"{user}@127.0.0.1:{self.port}"))

    def swallow_reply_to(self, marker: bytes) -> None:
        """The next client message with these bytes reaches the server, whose answer is lost with the connection."""
        self._call(self._arm(self._swallowing, marker))

    def hold_after(self, marker: bytes) -> None:
        """`hold`, as soon as a client message with these bytes has been sent on."""
        self._call(self._arm(self._holding, marker))

    def hold(self) -> None:
        """From now on nothing moves, but nothing is closed either; new connections are taken and left waiting."""
        self._call(self._set_gate(False))

    def release(self) -> None:
        """All that was held moves on, as after a network's outage."""
        self._call(self._set_gate(True))

    def cut(self) -> None:
        """Every connection is broken off."""
        self._call(self._cut())

    def _call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    async def _open(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        self._is_closing = True
        self._server.close()
        self.gate.set()
        await self._cut()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others, timeout=10)

    async def _arm(self, markers: list[bytes], marker: bytes) -> None:
        markers.append(marker)

    async def _set_gate(self, is_open: bool) -> None:
        if is_open:
            self.gate.set()
        else:
            self.gate.clear()

    async def _cut(self) -> None:
        for link in list(self._links):
            link.cut()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self.gate.wait()
        try:
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._server_port)
        except OSError:
            writer.transport.abort()
            return
        if self._is_closing:
            writer.transport.abort()
            server_writer.transport.abort()
            return
        link = _Link(self, (reader, writer), (server_reader, server_writer))
        self._links.add(link)
        try:
            await link.run()
        finally:
            self._links.discard(link)
            link.cut()

    def takes_reply_to(self, data: bytes) -> bool:
        """Whether the answer to this message is the one to lose; once for each time it was asked for."""
        return _strike(self._swallowing, data)

    def holds_after(self, data: bytes) -> bool:
        """Whether nothing is to move once this message has; once for each time it was asked for."""
        return _strike(self._holding, data)


def _strike(markers: list[bytes], data: bytes) -> bool:
    """Whether the data has one of the markers, which is then struck off the list."""
    for marker in markers:
        if marker in data:
            markers.remove(marker)
            return True
    return False


_Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Link:
    """One client's connection and the one to the server that it is joined to."""

    def __init__(self, proxy: TcpProxy, client: _Stream, server: _Stream) -> None:
        self._proxy = proxy
        self._client_reader, self._client_writer = client
        self._server_reader, self._server_writer = server
        self._server_spoke_last = True
        self._swallows = False

    async def run(self) -> None:
        directions = [
            self._pump(self._client_reader, self._server_writer, self._from_client),
            self._pump(self._server_reader, self._client_writer, self._from_server),
        ]
        tasks = [asyncio.create_task(direction) for direction in directions]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def cut(self) -> None:
        self._client_writer.transport.abort()
        self._server_writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, look: Any) -> None:
        """Delivers what the reader gives, each piece after the delay and in order, until one side ends."""
        moving: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        delivery = asyncio.create_task(self._deliver(moving, writer))
        try:
            with contextlib.suppress(OSError):
                while data := await reader.read(65536):
                    if look(data):
                        moving.put_nowait((asyncio.get_running_loop().time() + self._proxy.delay_seconds, data))
            moving.put_nowait((0.0, b""))
            await delivery
        finally:
            delivery.cancel()

    async def _deliver(self, moving: "asyncio.Queue[tuple[float, bytes]]", writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while True:
                due, data = await moving.get()
                await self._proxy.gate.wait()
                if not data:
                    return
                await asyncio.sleep(due - asyncio.get_running_loop().time())
                writer.write(data)
                await writer.drain()
                if writer is self._server_writer and self._proxy.holds_after(data):
                    self._proxy.gate.clear()

    def _from_client(self, data: bytes) -> bool:
        if self._server_spoke_last:
            self._proxy.bursts += 1
            self._server_spoke_last = False
        self._swallows = self._swallows or self._proxy.takes_reply_to(data)
        return True

    def _from_server(self, data: bytes) -> bool:
        self._server_spoke_last = True
        if self._swallows and READY_FOR_QUERY in data[-6:]:
            self._proxy.swallowed += 1
            self.cut()
        return not self._swallows
