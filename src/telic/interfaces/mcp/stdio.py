"""The protocol over standard input and output, which carry nothing else.

The SDK's own transport reads in a thread that nothing can interrupt, and drops what is under way when the input ends.
Here a signal ends the server at once, and calls that were made before the input ended are answered.
"""

import asyncio
import os
import stat
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import anyio
import mcp_types as types
from anyio.abc import ObjectReceiveStream, ObjectSendStream
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage

MAX_MESSAGE_BYTES: Final = 1_000_000
_DRAIN_SECONDS: Final = 5.0
_ENDLESS: Final = "subscriptions/listen"

# The two ends that the SDK's server reads from and writes to: it has no public names for their types.
Streams = tuple[Any, Any]


@asynccontextmanager
async def open_stdio() -> AsyncGenerator[Streams]:
    """The messages that come on standard input, and where those for standard output go.

    Whatever else in this process writes to standard output, writes to standard error instead.
    """
    mode = os.fstat(sys.stdin.fileno()).st_mode
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or sys.stdin.isatty()):
        # A file is always readable, so nothing can wait for it but a thread.
        async with stdio_server() as streams:
            yield streams
        return
    async with _Wire() as wire, anyio.create_task_group() as tasks:
        incoming_sender, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        outgoing, outgoing_receiver = anyio.create_memory_object_stream[SessionMessage](0)
        tasks.start_soon(wire.receive, incoming_sender)
        tasks.start_soon(wire.send, outgoing_receiver)
        yield incoming, outgoing
        tasks.cancel_scope.cancel()


class _Wire:
    # The two descriptors, and which requests still wait for their answers.
    def __init__(self) -> None:
        self._under_way: set[types.RequestId] = set()
        self._all_answered = asyncio.Event()

    async def __aenter__(self) -> "_Wire":
        self._output = os.dup(sys.stdout.fileno())
        # Whatever prints from now on must not speak between two messages.
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        self._was_blocking = os.get_blocking(self._output)
        os.set_blocking(self._output, False)
        self._reader = asyncio.StreamReader(limit=MAX_MESSAGE_BYTES)
        self._transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(self._reader), sys.stdin
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        self._transport.close()
        # The descriptor may be shared with other processes, which know nothing of this.
        os.set_blocking(self._output, self._was_blocking)
        os.close(self._output)

    async def receive(self, messages: ObjectSendStream[SessionMessage | Exception]) -> None:
        """Hand each line on as a message; at the end of the input, wait for the calls that still run."""
        async with messages:
            with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
                while line := await self._line():
                    await messages.send(self._parsed(line))
                await self._drain()

    async def _line(self) -> bytes | ValueError:
        try:
            return await self._reader.readline()
        except ValueError as error:
            # It is too long. The client reads so in an answer, and the lines after it are read all the same.
            return error

    def _parsed(self, line: bytes | ValueError) -> SessionMessage | Exception:
        if isinstance(line, ValueError):
            return line
        try:
            message = types.jsonrpc_message_adapter.validate_json(line, by_name=False)
        except ValueError as error:
            return error
        # A subscription is answered when it ends: nobody waits for that at the end of the input.
        if isinstance(message, types.JSONRPCRequest) and message.method != _ENDLESS:
            self._under_way.add(message.id)
        return SessionMessage(message)

    async def _drain(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                while self._under_way:
                    self._all_answered.clear()
                    await self._all_answered.wait()

    async def send(self, messages: ObjectReceiveStream[SessionMessage]) -> None:
        """Write each message as a line. When the client reads no more, stop, and end the input too."""
        async with messages:
            try:
                async for message in messages:
                    await self._send(message.message)
            except (BrokenPipeError, ConnectionResetError):
                # Nobody reads any more: no answer is waited for.
                self._under_way.clear()
                self._transport.close()

    async def _send(self, message: types.JSONRPCMessage) -> None:
        line = message.model_dump_json(by_alias=True, exclude_unset=True)
        await self._write(line.encode() + b"\n")
        if isinstance(message, types.JSONRPCResponse | types.JSONRPCError):
            self._answered(message.id)

    def _answered(self, request_id: types.RequestId | None) -> None:
        if request_id is not None:
            self._under_way.discard(request_id)
        if not self._under_way:
            self._all_answered.set()

    async def _write(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            try:
                left = left[os.write(self._output, left) :]
            except BlockingIOError:
                await self._writable()

    async def _writable(self) -> None:
        loop, is_writable = asyncio.get_running_loop(), asyncio.Event()
        loop.add_writer(self._output, is_writable.set)
        try:
            await is_writable.wait()
        finally:
            loop.remove_writer(self._output)
