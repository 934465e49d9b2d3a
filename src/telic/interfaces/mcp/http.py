"""The protocol over HTTP: where it listens, whom it serves, and how it ends."""

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mcp.server.transport_security import TransportSecuritySettings
from starlette.types import ASGIApp
from uvicorn import Config, Server

from telic.domain.errors import InvalidInput
from telic.http.tokens import Token, choose_token, is_loopback
from telic.interfaces.mcp.connections import BoundedConnection
from telic.interfaces.mcp.guard import MAX_BODY_BYTES, Guard
from telic.interfaces.mcp.rates import Rates
from telic.interfaces.mcp.running import ENDING, open_store
from telic.interfaces.mcp.server import GoalServer
from telic.interfaces.mcp.settings import ServerSettings
from telic.observability.observer import Observer

DEFAULT_PORT: Final = 7420
PATH: Final = "/mcp"
ENVIRONMENT_NAME: Final = "TELIC_MCP_TOKEN"

_REQUESTS_PER_SECOND: Final = 100
_MAX_SESSIONS: Final = 100
_SESSION_IDLE_SECONDS: Final = 1_800.0
_MAX_HEAD_BYTES: Final = 16 * 1024
_KEEP_ALIVE_SECONDS: Final = 5
_GRACE_SECONDS: Final = 3
_LOOPBACK_NAMES: Final = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpOptions:
    """Where to listen, and whom to serve.

    `allowed_hosts` are names under which clients may reach the server, and `allowed_origins` pages that may, besides
    those of the loopback interface or of `host`. `given_token` is what the environment says.
    """

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    token_file: Path | None = None
    given_token: str | None = None


def token_of(options: HttpOptions) -> Token:
    """The token that clients must show. Raises as `choose_token`."""
    return choose_token(options.host, given=options.given_token, file=options.token_file, variable=ENVIRONMENT_NAME)


def security(options: HttpOptions) -> TransportSecuritySettings:
    """Which Host and Origin headers are accepted: a page of another site cannot reach the server by a name of its own.

    Raises:
        InvalidInput: the server listens everywhere, and nobody said under which name.
    """
    hosts = [*options.allowed_hosts]
    if is_loopback(options.host):
        hosts += _LOOPBACK_NAMES
    elif not _is_everywhere(options.host):
        hosts.append(f"[{options.host}]" if ":" in options.host else options.host)
    elif not hosts:
        raise InvalidInput(f"{options.host!r} is every address: --allow-host NAME says how clients call this machine")
    return TransportSecuritySettings(
        allowed_hosts=[form for host in hosts for form in (host, f"{host}:*")],
        allowed_origins=[
            *options.allowed_origins,
            *(f"{scheme}://{host}{port}" for host in hosts for scheme in ("http", "https") for port in ("", ":*")),
        ],
    )


def _is_everywhere(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return not host


async def serve_http(
    location: str,
    settings: ServerSettings,
    options: HttpOptions,
    on_ready: Callable[[str, Token], None],
    observer: Observer | None = None,
) -> None:
    """The server was stopped, and the store is closed. `on_ready` hears where it listens. A missing store is made.

    Raises:
        StoreError: the store cannot be opened.
        NotAllowed, InvalidInput: it would not be safe to listen there, or is not possible.
    """
    allowed = security(options)
    token = token_of(options)
    with _listening(options) as listener:
        async with open_store(location, settings, observer) as store:
            goals = GoalServer(store, settings)
            app = goals.lowlevel.streamable_http_app(
                streamable_http_path=PATH,
                json_response=True,
                max_request_body_size=MAX_BODY_BYTES,
                session_idle_timeout=_SESSION_IDLE_SECONDS,
                max_sessions=_MAX_SESSIONS,
                transport_security=allowed,
            )
            guard = Guard(app, token=token.secret, rates=Rates(requests_per_second=_REQUESTS_PER_SECOND))
            on_ready(_url(options, listener), token)
            await _HttpServer(_config(guard)).serve(sockets=[listener])


def _listening(options: HttpOptions) -> socket.socket:
    """A socket on which clients can connect from now on."""
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    try:
        return socket.create_server((options.host, options.port), family=family, backlog=128)
    except OSError as error:
        raise InvalidInput(f"cannot listen on {options.host!r}, port {options.port}: {error.strerror}") from error


def _url(options: HttpOptions, listener: socket.socket) -> str:
    host = f"[{options.host}]" if ":" in options.host else options.host
    return f"http://{host}:{listener.getsockname()[1]}{PATH}"


def _config(app: ASGIApp) -> Config:
    return Config(
        app,
        http=BoundedConnection,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        h11_max_incomplete_event_size=_MAX_HEAD_BYTES,
    )


class _HttpServer(Server):
    """Ends at a signal as everything here does: cleanly, and with the store closed."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Inside, a signal lets requests under way come to their end."""
        for number in ENDING:
            asyncio.get_running_loop().add_signal_handler(number, self._end)
        yield

    def _end(self) -> None:
        self.should_exit = True
