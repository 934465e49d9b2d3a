"""Options that several commands have, and what their values mean."""

import getpass
import os
from collections.abc import Callable
from typing import Any, Final

import click

from telic.domain.errors import InvalidInput
from telic.domain.goal import Goal
from telic.domain.lease import Lease
from telic.domain.limits import DEFAULT_MAX_CHARS
from telic.wording.amounts import parse_amount

Option = Callable[[Any], Any]

_MICRO: Final = 1_000_000
QUOTED_MONEY: Final = "a shell takes $5 for a variable: put money in single quotes, '$5'"


class _Amount(click.ParamType[str]):
    """An amount as it was typed, which a shell has not taken away."""

    name = "amount"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text, as long as it can be an amount and is not the next option."""
        if not str(value).strip() or str(value).startswith("--"):
            self.fail(f"no amount is there, but {str(value)!r}: {QUOTED_MONEY}", param, ctx)
        return str(value)


AMOUNT: Final = _Amount()

key = click.option("--key", help="Makes the call happen once, however often it is repeated.")
revision = click.option("--revision", type=int, help="Refuse unless the goal is at this revision.")
note = click.option("--note", help="A free remark, kept in the history.")
max_chars = click.option("--max-chars", type=int, default=DEFAULT_MAX_CHARS, show_default=True, help="Longest text.")
replace = click.option(
    "--replace",
    "replaces",
    is_flag=True,
    help="Pause the scope's active goal for this one, also where a worker drives it.",
)
goal_id = click.argument("goal_id", metavar="[ID]", required=False)
holder = click.option("--holder", required=True, metavar="NAME", help="The worker: a name of its own, as host/process.")
lease_token = click.option("--lease-token", type=int, required=True, metavar="N", help="The token that claim gave.")


def budgets(help: str) -> Option:
    """Limits, each a text with its unit."""
    return click.option("--budget", "budgets", type=AMOUNT, multiple=True, metavar="AMOUNT", help=help)


def ttl(default: str) -> Option:
    """How long something lasts unless it is renewed or used."""
    return click.option("--ttl", default=default, show_default=True, metavar="TIME", help="It lasts so long: 90s, 5m.")


def lease(command: Option) -> Option:
    """The command has the options that show a lease; both or none are given."""
    token = click.option("--lease-token", type=int, metavar="N", help="Refuse unless the lease is kept; with --holder.")
    return token(click.option("--holder", metavar="NAME", help="Whose lease it is.")(command))


def lease_of(goal: Goal, holder: str | None, token: int | None) -> Lease | None:
    """The lease that was shown, if any.

    Raises:
        InvalidInput: half of one was.
    """
    if holder is None and token is None:
        return None
    if holder is None or token is None:
        raise InvalidInput("a lease is shown by both --holder and --lease-token")
    return Lease(goal, holder, token)


def amount(name: str, text: str | None) -> int:
    """The amount of this name that the text means; nothing is 0.

    Raises:
        InvalidNumber: it means another, or none.
    """
    return 0 if text is None else parse_amount(name, text)


def login_name() -> str:
    """The name of whoever runs the command; a user without a name is called by number."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"uid {os.getuid()}"


def seconds(text: str) -> float:
    """The seconds that the text means: `90s`, `5m`, `2h`.

    Raises:
        InvalidNumber: it means none.
    """
    return amount("active_microseconds", text) / _MICRO
