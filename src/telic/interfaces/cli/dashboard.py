"""The command that serves the web dashboard."""

import os
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

import click

from telic.domain.base_errors import needs_extra
from telic.http.tokens import choose_token
from telic.interfaces.cli.observing import observer_of
from telic.interfaces.cli.store_place import default_store
from telic.interfaces.cli.terminal import Terminal

if TYPE_CHECKING:
    from telic.interfaces.web.settings import DashboardSettings

_VARIABLE = "TELIC_DASHBOARD_TOKEN"


@click.command()
@click.option(
    "--store",
    default=lambda: os.environ.get("TELIC_STORE") or None,
    help="A path, or a sqlite:/// or postgresql:// URL, also TELIC_STORE.  [default: the user's data folder]",
)
@click.option("--scope", help="Show the goals of this scope only.  [default: all]")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65_535), default=8137, show_default=True, help="0 takes any free one.")
@click.option("--name", "names", multiple=True, metavar="HOST", help="A name by which browsers may call it.")
@click.option("--allow-write", is_flag=True, help="Operators may pause, resume, approve, clear and set budgets.")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where the token is, or is to be kept; or set TELIC_DASHBOARD_TOKEN.  [default: a new one, shown once]",
)
@click.option("--as", "actor_name", default="operator", show_default=True, help="Whose name is kept in the history.")
@click.option("--open", "opens", is_flag=True, help="Open it in this machine's browser.")
@click.pass_context
def dashboard(
    context: click.Context,
    store: str | None,
    scope: str | None,
    host: str,
    port: int,
    names: tuple[str, ...],
    allow_write: bool,
    token_file: Path | None,
    actor_name: str,
    opens: bool,
) -> None:
    """Serve a web page over the store: the goals, live, and one of them in full.

    It is for this machine only, read-only, and let in is who has the token. The address that is written when it
    starts lets one browser in, once. On any other --host a token must be given, and --name says how it is called.
    """
    with needs_extra("web", "telic dashboard"):
        from telic.interfaces.web.server import serve
        from telic.interfaces.web.settings import DashboardSettings
    token = choose_token(host, given=os.environ.get(_VARIABLE), file=token_file, variable=_VARIABLE)
    settings = DashboardSettings(
        token=token.secret,
        host=host,
        port=port,
        allow_write=allow_write,
        scope=scope,
        actor_name=actor_name,
        names=names,
    )
    announcement = _Announcement(is_token_new=token.is_new, opens=opens)
    serve(store or default_store(), settings, announcement.make, observer_of(context))


class _Announcement:
    """What is said when the dashboard listens."""

    def __init__(self, *, is_token_new: bool, opens: bool) -> None:
        self._is_token_new = is_token_new
        self._opens = opens

    def make(self, settings: "DashboardSettings", address: str) -> None:
        """Where it is, and how to get in."""
        terminal = Terminal(as_json=False)
        terminal.line(f"the dashboard is at {settings.address}")
        terminal.line(f"this address lets one browser in, once: {address}")
        if self._is_token_new:
            terminal.line(f"the token for any other: {settings.token}")
        if not settings.allow_write:
            terminal.hint("it is read-only; --allow-write lets operators act")
        terminal.flush()
        if self._opens:
            webbrowser.open(address)


COMMANDS = (dashboard,)
