"""The protocol over HTTP: where it listens, whom it serves, and how it ends."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mcp.server.transport_security import TransportSecuritySettings
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp

from telic.domain.errors import InvalidInput
from telic.http.guard import MAX_BODY_BYTES, HttpGuard, HttpRefusal, RequestRates, bearer_of, check_names
from telic.http.serving import HttpServer, listen
from telic.http.tokens import Token, choose_token, is_everywhere, is_same, names_of, url_of
from telic.interfaces.mcp.conversation import ServerSettings
from telic.interfaces.mcp.server import GoalServer, open_store
from telic.observability.observer import Observer
from telic.services.outcomes import http_status

DEFAULT_PORT: Final = 7420
PATH: Final = "/mcp"
ENVIRONMENT_NAME: Final = "TELIC_MCP_TOKEN"

_REQUESTS_PER_SECOND: Final = 100
_MAX_SESSIONS: Final = 100
_SESSION_IDLE_SECONDS: Final = 1_800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpOptions:
    """The address to listen on, and the clients to serve.

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
    """Return the token that clients must show, as `choose_token`."""
    return choose_token(options.host, given=options.given_token, file=options.token_file, variable=ENVIRONMENT_NAME)


class McpSite:
    """The guard's view of a server of the protocol.

    Raises:
        InvalidInput: it listens everywhere, and nobody said under which name.
    """

    def __init__(self, options: HttpOptions, token: str) -> None:
        # Every address is no name: clients would have to guess which one this machine has for them.
        hosts = [*options.allowed_hosts, *(() if is_everywhere(options.host) else names_of(options.host))]
        if not hosts:
            raise InvalidInput(
                f"{options.host!r} is every address: --allow-host NAME says how clients call this machine"
            )
        self._token = token
        self._hosts = _with_any_port(hosts)
        own = (f"{scheme}://{host}" for host in hosts for scheme in ("http", "https"))
        self._origins = frozenset(map(str.lower, options.allowed_origins)) | _with_any_port(own)

    def check_address(self, request: HTTPConnection) -> None:
        """Raise HttpRefusal for pages of other sites, also for those that lead here by a name of their own."""
        check_names(request.headers, self._hosts, self._origins)

    def is_known(self, request: HTTPConnection) -> bool:
        """Return whether the request shows the token."""
        return is_same(bearer_of(request.headers), self._token)

    def is_open(self, _: HTTPConnection) -> bool:
        """Return whether the request is served to anybody: none is."""
        return False

    def answer(self, _: HTTPConnection, refusal: HttpRefusal) -> ASGIApp:
        """Return the reason, as text: no request of the protocol has been read."""
        return PlainTextResponse(refusal.reason, http_status(refusal.code), refusal.headers)


def _with_any_port(names: Iterable[str]) -> frozenset[str]:
    return frozenset(form for name in names for form in (name.lower(), f"{name.lower()}:*"))


async def serve_http(
    location: str,
    settings: ServerSettings,
    options: HttpOptions,
    on_ready: Callable[[str, Token], None],
    observer: Observer | None = None,
) -> None:
    """The server was stopped, and the store is closed. `on_ready` is called once it listens, with the address.

    Raises:
        StoreError: the store cannot be opened.
        NotAllowed, InvalidInput: it would not be safe to listen there, or is not possible.
    """
    token = token_of(options)
    site = McpSite(options, token.secret)
    with listen(options.host, options.port) as listener:
        async with open_store(location, settings, observer) as store:
            app = GoalServer(store, settings).lowlevel.streamable_http_app(
                streamable_http_path=PATH,
                json_response=True,
                max_request_body_size=MAX_BODY_BYTES,
                session_idle_timeout=_SESSION_IDLE_SECONDS,
                max_sessions=_MAX_SESSIONS,
                # The guard has looked at the names already.
                transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
            )
            guard = HttpGuard(app, site, RequestRates(requests_per_second=_REQUESTS_PER_SECOND))
            on_ready(url_of(options.host, listener.getsockname()[1]) + PATH, token)
            await HttpServer(guard).serve(sockets=[listener])
