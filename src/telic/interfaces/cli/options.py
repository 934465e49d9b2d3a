"""Options that several commands have, and what their values mean."""

import getpass
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import click

from telic.domain.clock import Instant, SystemClock, from_datetime
from telic.domain.errors import InvalidInput, InvalidNumber
from telic.domain.goal import Goal
from telic.domain.lease import Lease
from telic.domain.limits import DEFAULT_MAX_CHARS
from telic.wording.amounts import parse_amount, parse_duration

Option = Callable[[Any], Any]

_MICRO: Final = 1_000_000
QUOTED_MONEY: Final = "a shell takes $5 for a variable: put money in single quotes, '$5'"


class _Amount(click.ParamType[str]):
    """An amount as it was typed, which a shell has not taken away."""

    name = "amount"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text, as long as it can be an amount and is not the next option."""
        if not str(value).strip() or str(value).startswith("--"):
            self.fail(f"no amount is there, but {str(value)!r}: {QUOTED_MONEY}", param, ctx)
        return str(value)


AMOUNT: Final = _Amount()


class _Duration(click.ParamType[float]):
    """Seconds, from a number of them or an amount of time: `90`, `90s`, `30m`, `2h`."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The seconds that the text means."""
        try:
            return float(value) if isinstance(value, int | float) else parse_duration(str(value)) / _MICRO
        except InvalidNumber as error:
            self.fail(str(error), param, ctx)


DURATION: Final = _Duration()

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
    """Return the option that says how long something lasts unless it is renewed or used."""
    return click.option("--ttl", default=default, show_default=True, metavar="TIME", help="It lasts so long: 90s, 5m.")


def lease(command: Option) -> Option:
    """Return the command with the options that show a lease; both or none are given."""
    token = click.option("--lease-token", type=int, metavar="N", help="Refuse unless the lease is kept; with --holder.")
    return token(click.option("--holder", metavar="NAME", help="Whose lease it is.")(command))


def lease_of(goal: Goal, holder: str | None, token: int | None) -> Lease | None:
    """Return the lease that was shown, if any.

    Raises:
        InvalidInput: half of one was.
    """
    if holder is None and token is None:
        return None
    if holder is None or token is None:
        raise InvalidInput("a lease is shown by both --holder and --lease-token")
    return Lease(goal, holder, token)


def amount(name: str, text: str | None) -> int:
    """Return the amount of this name that the text means; nothing is 0.

    Raises:
        InvalidNumber: it means another, or none.
    """
    return 0 if text is None else parse_amount(name, text)


def login_name() -> str:
    """Return the name of whoever runs the command; a user without a name is called by number."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"uid {os.getuid()}"


def seconds(text: str) -> float:
    """Return the seconds that the text means: `90s`, `5m`, `2h`.

    Raises:
        InvalidNumber: it means none.
    """
    return amount("active_microseconds", text) / _MICRO


_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT_HELP: Final = "write 2026-12-31 (in UTC) or 2026-12-31T18:00Z"


def parse_moment(text: str, help: str = _MOMENT_HELP) -> Instant:
    """The moment that the text names: a date in UTC, or a date with time and offset.

    Raises:
        InvalidInput: it names none, or leaves open in which zone.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
        if _DATE.fullmatch(text.strip()):
            moment = moment.replace(tzinfo=UTC)
        if moment.tzinfo is None:
            raise InvalidInput(f"{text!r} has no offset from UTC: end it in Z, or +01:00")
        return from_datetime(moment)
    except (ValueError, OverflowError) as error:
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput(f"{text!r} is no moment: {help}") from None


def parse_since(text: str | None) -> Instant | None:
    """The moment that the text names, or that was so long ago.

    Raises:
        InvalidInput: it names none.
    """
    if text is None:
        return None
    try:
        ago = parse_amount("active_microseconds", text)
    except InvalidNumber:
        return parse_moment(text, f"{_MOMENT_HELP}, or 7d for seven days ago")
    return Instant(max(0, SystemClock().now() - ago))


def later_than(now: Instant, text: str) -> Instant:
    """The moment so much later.

    Raises:
        InvalidNumber: the text means no time.
    """
    return Instant(now + parse_amount("active_microseconds", text))
