"""`telic mcp`: goals for hosts that speak the Model Context Protocol."""

import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from telic.domain.base_errors import needs_extra
from telic.domain.budget import Budget
from telic.domain.errors import InvalidInput
from telic.domain.goal import DEFAULT_SCOPE
from telic.interfaces.cli.observing import observer_of
from telic.interfaces.cli.store_place import default_store
from telic.interfaces.cli.terminal import Terminal
from telic.observability.observer import Observer
from telic.prompt.escape import visible
from telic.store.connect import name_of
from telic.wording.amounts import parse_budget

if TYPE_CHECKING:
    from telic.http.tokens import Token
    from telic.interfaces.mcp.settings import ServerSettings

_ROLES: Final = ("observer", "agent", "operator")
_PORT: Final = 7420
_path = click.Path(path_type=Path)


def _pinned(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say what the server serves; no client can change them."""
    for option in (
        click.option("--workspace", type=_path, help="Check criteria in this folder when completion is reported."),
        click.option(
            "--create-budget",
            "budgets",
            multiple=True,
            metavar="AMOUNT",
            help="Of goals that the agent sets: 2M or 500k tokens, $5, 90m, 40turns; may be repeated.",
        ),
        click.option("--allow-create", is_flag=True, help="Let the agent set a goal where there is no unfinished one."),
        click.option(
            "--role",
            type=click.Choice(_ROLES),
            default="agent",
            show_default=True,
            help="An observer looks; an agent reports on its work; an operator also steers.",
        ),
        click.option(
            "--scope",
            envvar="TELIC_SCOPE",
            default=DEFAULT_SCOPE,
            show_default=True,
            help="Whose goals, also TELIC_SCOPE.",
        ),
        click.option(
            "--store",
            envvar="TELIC_STORE",
            help="A path, or a sqlite:/// or postgresql:// URL, also TELIC_STORE.  [default: the user's data folder]",
        ),
    ):
        command = option(command)
    return command


def _over_http(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of the server over HTTP."""
    for option in (
        click.option("--allow-origin", "allowed_origins", multiple=True, metavar="URL", help="A page that may call."),
        click.option("--allow-host", "allowed_hosts", multiple=True, metavar="NAME", help="Its name to clients."),
        click.option(
            "--token-file",
            type=_path,
            help="Where the token is, or is to be kept; or set TELIC_MCP_TOKEN.  [default: a new one, shown once]",
        ),
        click.option("--port", type=click.IntRange(0, 65_535), default=_PORT, show_default=True, help="0 takes any."),
        click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on."),
        click.option("--http", "over_http", is_flag=True, help="Serve over HTTP, at /mcp, instead of standard input."),
    ):
        command = option(command)
    return command


@click.command()
@_over_http
@_pinned
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
        from telic.interfaces.mcp import running
        from telic.interfaces.mcp.settings import Role, ServerSettings
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
        running.run_until_stopped(running.serve_stdio(place, settings, observer_of(context)))


def _serve_http(place: str, settings: "ServerSettings", observer: Observer | None, **listening: Any) -> None:
    with needs_extra("mcp", "telic mcp --http"):
        from telic.interfaces.mcp import http, running
    options = http.HttpOptions(**listening, given_token=os.environ.get(http.ENVIRONMENT_NAME))
    running.run_until_stopped(http.serve_http(place, settings, options, _say_where, observer))


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
    """Nothing that a client sent controls the terminal in which the log is read."""

    def format(self, record: logging.LogRecord) -> str:
        """The record, every hidden character in it written out."""
        return "\n".join(visible(line) for line in super().format(record).split("\n"))


def _log_to_standard_error() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_VisibleFormatter("telic: %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])


COMMANDS = (mcp,)
