"""Commands that start the other interfaces: the dashboard, the MCP server, and the live list in the terminal."""

import asyncio
import logging
import os
import signal
import sys
import webbrowser
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from telic.domain.base_errors import needs_extra
from telic.domain.budget import Budget
from telic.domain.errors import InvalidInput
from telic.http.tokens import choose_token
from telic.interfaces.cli import options
from telic.interfaces.cli.options import FILE
from telic.interfaces.cli.surroundings import complete_scopes, default_store, login_name, observer_of
from telic.interfaces.cli.terminal import Terminal
from telic.observability.observer import Observer
from telic.prompt.escape import visible
from telic.store.connect import connect_async, name_of
from telic.wording.amounts import parse_budget

if TYPE_CHECKING:
    from telic.http.tokens import Token
    from telic.interfaces.mcp.conversation import ServerSettings
    from telic.interfaces.web.settings import DashboardSettings
    from telic.store.async_store import AsyncGoalStore

_VARIABLE: Final = "TELIC_DASHBOARD_TOKEN"
# A person looks on: an outage is shown soon.
_TOP_TIMEOUT_SECONDS: Final = 5.0


def _listening(port: int) -> options.Option:
    """Return the options of a server that listens."""
    host = click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
    at = click.option(
        "--port", type=click.IntRange(0, 65_535), default=port, show_default=True, help="0 takes any free one."
    )
    return lambda command: host(at(command))


def _token_file(variable: str) -> options.Option:
    help = f"Where the token is, or is to be kept; or set {variable}.  [default: a new one, shown once]"
    return click.option("--token-file", type=FILE, help=help)


@click.command()
@options.store
@click.option("--scope", shell_complete=complete_scopes, help="Show the goals of this scope only.  [default: all]")
@_listening(8137)
@click.option("--name", "names", multiple=True, metavar="HOST", help="A name by which browsers may call it.")
@click.option("--allow-write", is_flag=True, help="Operators may pause, resume, approve, clear and set budgets.")
@_token_file(_VARIABLE)
@click.option("--as", "actor_name", default="operator", show_default=True, help="Whose name is kept in the history.")
@click.option("--open", "opens", is_flag=True, help="Open it in this machine's browser.")
@click.pass_context
def dashboard(context: click.Context, /, store: str | None, token_file: Path | None, opens: bool, **given: Any) -> None:
    """Serve the dashboard: a web page that lists the goals, live, and shows one of them in full.

    It listens on this machine only, shows without changing anything, and lets in who has the token. The address that
    is written when it starts lets one browser in, once. Another --host needs a token that you give, and --name says
    by which names browsers call it.
    """
    with needs_extra("web", "telic dashboard"):
        from telic.interfaces.web.app import serve
        from telic.interfaces.web.settings import DashboardSettings
    token = choose_token(given["host"], given=os.environ.get(_VARIABLE), file=token_file, variable=_VARIABLE)
    settings = DashboardSettings(token=token.secret, **given)
    announce = _announcing(is_token_new=token.is_new, opens=opens)
    serve(store or default_store(), settings, announce, observer_of(context))


def _announcing(*, is_token_new: bool, opens: bool) -> Callable[["DashboardSettings", str], None]:
    def announce(settings: "DashboardSettings", address: str) -> None:
        terminal = Terminal(as_json=False)
        terminal.line(f"the dashboard is at {settings.address}")
        terminal.line(f"this address lets one browser in, once: {address}")
        if is_token_new:
            terminal.line(f"the token for any other: {settings.token}")
        if not settings.allow_write:
            terminal.hint("it is read-only; --allow-write lets operators act")
        terminal.flush()
        if opens:
            webbrowser.open(address)

    return announce


@click.command()
@click.option("--http", "over_http", is_flag=True, help="Serve over HTTP, at /mcp, instead of standard input.")
@_listening(7420)
@_token_file("TELIC_MCP_TOKEN")
@click.option("--allow-host", "allowed_hosts", multiple=True, metavar="NAME", help="Its name to clients.")
@click.option("--allow-origin", "allowed_origins", multiple=True, metavar="URL", help="A page that may call.")
@options.store
@options.scope
@click.option(
    "--role",
    type=click.Choice(["observer", "agent", "operator"]),
    default="agent",
    show_default=True,
    help="An observer looks; an agent reports on its work; an operator also steers.",
)
@click.option("--allow-create", is_flag=True, help="Let the agent set a goal where there is no unfinished one.")
@options.budgets(
    "Of goals that the agent sets: 2M or 500k tokens, $5, 90m, 40turns; may be repeated.", "--create-budget"
)
@click.option("--workspace", type=FILE, help="Check criteria in this folder when completion is reported.")
@click.pass_context
def mcp(
    context: click.Context,
    /,
    store: str | None,
    scope: str,
    role: str,
    allow_create: bool,
    budgets: tuple[str, ...],
    workspace: Path | None,
    over_http: bool,
    **listening: Any,
) -> None:
    """Serve goals over the Model Context Protocol, on standard input and output.

    The scope and the role are fixed here; nothing that a client says widens them. With --http, clients must send the
    token as "Authorization: Bearer TOKEN"; other addresses than the loopback interface's need one set beforehand.
    """
    with needs_extra("mcp", "telic mcp"):
        from telic.interfaces.mcp.conversation import Role, ServerSettings
        from telic.interfaces.mcp.server import run_until_stopped, serve_stdio
    _log_to_standard_error()
    place = store or default_store()
    settings = ServerSettings(
        scope=scope,
        store_name=name_of(place),
        role=Role(role),
        agent_may_create=allow_create,
        created_budget=parse_budget(budgets, Budget()),
        workspace=None if workspace is None else _folder(workspace),
        shared=over_http,
    )
    if over_http:
        _serve_http(place, settings, observer_of(context), **listening)
    else:
        run_until_stopped(serve_stdio(place, settings, observer_of(context)))


def _serve_http(place: str, settings: "ServerSettings", observer: Observer | None, **listening: Any) -> None:
    with needs_extra("mcp", "telic mcp --http"):
        from telic.interfaces.mcp import http
        from telic.interfaces.mcp.server import run_until_stopped
    http_options = http.HttpOptions(**listening, given_token=os.environ.get(http.ENVIRONMENT_NAME))
    run_until_stopped(http.serve_http(place, settings, http_options, _say_where, observer))


def _say_where(url: str, token: "Token") -> None:
    """Write the server's address to standard error, and a new token, which is kept nowhere else."""
    terminal = Terminal(as_json=False, output=sys.stderr)
    terminal.line(f"listening on {url}")
    if token.is_new:
        terminal.line(f"token {token.secret}")
    terminal.flush()


def _folder(path: Path) -> Path:
    folder = path.resolve()
    if not folder.is_dir():
        raise InvalidInput(f"the workspace {str(path)!r} is no folder")
    return folder


class _VisibleFormatter(logging.Formatter):
    # Writes hidden characters out: nothing that a client sent controls the terminal in which the log is read.

    def format(self, record: logging.LogRecord) -> str:
        return "\n".join(visible(line) for line in super().format(record).split("\n"))


def _log_to_standard_error() -> None:
    # Standard output belongs to the protocol.
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_VisibleFormatter("telic: %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])


@click.command()
@options.store
@click.option("--scope", shell_complete=complete_scopes, help="Only goals of this scope.  [default: every scope]")
@click.option(
    "--allow-write", is_flag=True, help="Let goals be paused, resumed, cleared, answered, and their budgets set."
)
@click.option("--as", "operator", metavar="NAME", help="Who acts, for the history.  [default: the login name]")
def top(store: str | None, scope: str | None, allow_write: bool, operator: str | None) -> int:
    """Show goals live on the whole terminal; ? shows the keys.

    The list has every goal by pages, with its budget and who drives it; Enter shows one goal's page. What any process
    changes appears by itself. Nothing can be changed without --allow-write.
    """
    with needs_extra("top", "telic top"):
        import_module("textual")
    if operator is not None and not allow_write:
        raise InvalidInput("--as names who acts, which nobody does without --allow-write")
    # Textual draws on standard error.
    if not (sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty()):
        raise InvalidInput("telic top needs a terminal; telic list and telic show write text")
    name = (operator or login_name()) if allow_write else None
    return asyncio.run(_show(store or default_store(), scope, name))


async def _show(place: str, scope: str | None, operator: str | None) -> int:
    from telic.interfaces.terminal.app import TopApp

    async def open_store() -> "AsyncGoalStore":
        return await connect_async(place, create=False, timeout_seconds=_TOP_TIMEOUT_SECONDS)

    app = TopApp(open_store, scope=scope, operator=operator)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGHUP):
        # To end by itself gives the terminal back as it was.
        loop.add_signal_handler(number, app.exit, None, 128 + number)
    try:
        await app.live.open()
        await app.run_async()
    finally:
        await app.live.close()
    return app.return_code or 0


COMMANDS = (dashboard, mcp, top)
