"""`telic top`: the goals of a store in the terminal, live."""

import asyncio
import os
import signal
import sys
from importlib import import_module

import click

from telic.domain.base_errors import needs_extra
from telic.domain.errors import InvalidInput
from telic.interfaces.cli.options import login_name
from telic.interfaces.cli.store_place import default_store
from telic.store.async_store import AsyncGoalStore
from telic.store.connect import connect_async

_TIMEOUT_SECONDS = 5.0
"""A person looks on: an outage is told soon."""


@click.command()
@click.option(
    "--store",
    default=lambda: os.environ.get("TELIC_STORE") or None,
    help="A path, or a sqlite:/// or postgresql:// URL, also TELIC_STORE.  [default: the user's data folder]",
)
@click.option("--scope", help="Only goals of this scope.  [default: every scope]")
@click.option(
    "--allow-write", is_flag=True, help="Let goals be paused, resumed, cleared, answered, and their budgets set."
)
@click.option("--as", "operator", metavar="NAME", help="Who acts, for the history.  [default: the login name]")
def top(store: str | None, scope: str | None, allow_write: bool, operator: str | None) -> int:
    """Show goals live on the whole terminal; ? tells the keys.

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

    async def open_store() -> AsyncGoalStore:
        return await connect_async(place, create=False, timeout_seconds=_TIMEOUT_SECONDS)

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


COMMANDS = (top,)
