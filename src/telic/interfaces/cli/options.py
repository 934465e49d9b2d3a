"""Options that several commands have, what their values mean, and what the surroundings of a command say."""

import getpass
import inspect
import os
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any, Final

import click

from telic.domain.clock import MICRO, Instant, SystemClock, from_datetime
from telic.domain.criteria import typed_criteria
from telic.domain.errors import InvalidInput, InvalidNumber, StoreMisconfigured
from telic.domain.goal import DEFAULT_SCOPE, Goal
from telic.domain.lease import Lease
from telic.domain.limits import DEFAULT_MAX_CHARS
from telic.interfaces.cli import completion
from telic.observability.observer import Observer
from telic.wording.amounts import parse_amount, parse_duration

Option = Callable[[Any], Any]

_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
QUOTED_MONEY: Final = "a shell takes $5 for a variable: put money in single quotes, '$5'"


class AmountText(click.ParamType[Any]):
    """An amount as it was typed. The shell replaces an unquoted `$5` by nothing: that gets an error of its own."""

    name = "amount"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the text, as long as it can be an amount."""
        if not str(value).strip() or str(value).startswith("--"):
            self.fail(f"no amount is there, but {str(value)!r}: {QUOTED_MONEY}", param, ctx)
        return str(value)


class Amount(AmountText):
    """An amount of one kind, in the unit in which the store counts it."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the amount that the text means."""
        return value if isinstance(value, int) else parse_amount(self._kind, super().convert(value, param, ctx))


class Duration(click.ParamType[float]):
    """Seconds, from a number of them or an amount of time: `90`, `90s`, `30m`, `2h`."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds that the text means."""
        try:
            return float(value) if isinstance(value, int | float) else parse_duration(str(value)) / MICRO
        except InvalidNumber as error:
            self.fail(str(error), param, ctx)


class Moment(click.ParamType[Any]):
    """A moment: a date in UTC, a date with time and offset, or where that can be meant how long ago (`7d`)."""

    name = "moment"

    def __init__(self, *, may_be_ago: bool = False) -> None:
        self._may_be_ago = may_be_ago

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the moment that the text names.

        Raises:
            InvalidInput: it names none, or leaves open in which zone.
        """
        text, help = click.STRING.convert(value, param, ctx).strip(), "write 2026-12-31 (in UTC) or 2026-12-31T18:00Z"
        if self._may_be_ago:
            help = f"{help}, or 7d for seven days ago"
            with suppress(InvalidNumber):
                return Instant(max(0, SystemClock().now() - parse_amount("active_microseconds", text)))
        try:
            moment = datetime.fromisoformat(text)
            if _DATE.fullmatch(text):
                moment = moment.replace(tzinfo=UTC)
            if moment.tzinfo is not None:
                return from_datetime(moment)
        except (ValueError, OverflowError):
            raise InvalidInput(f"{text!r} is no moment: {help}") from None
        raise InvalidInput(f"{text!r} has no offset from UTC: end it in Z, or +01:00")


AMOUNT: Final = AmountText()
TOKENS: Final = Amount("tokens")
ACTIVE_TIME: Final = Amount("active_microseconds")
MONEY: Final = Amount("cost_microunits")
DURATION: Final = Duration()
MOMENT: Final = Moment()
MOMENT_OR_AGO: Final = Moment(may_be_ago=True)
FILE: Final = click.Path(path_type=Path)


def gather_options(name: str, make: Callable[..., Any], *options: Option) -> Option:
    """Return the decorator that adds the options, and hands what was typed over as the one value that `make` makes."""
    names = tuple(inspect.signature(make).parameters)

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def call(*arguments: Any, **typed: Any) -> Any:
            made = make(**{each: typed.pop(each) for each in names})
            return function(*arguments, **typed, **{name: made})

        for option in reversed(options):
            call = option(call)
        return call

    return decorate


@dataclass(frozen=True, slots=True)
class ShownLease:
    """The lease that a worker shows, or half of one, or none."""

    worker: str | None
    lease_token: int | None

    def of(self, goal: Goal) -> Lease | None:
        """Return the lease of this goal that was shown, if any.

        Raises:
            InvalidInput: half of one was.
        """
        if self.worker is None and self.lease_token is None:
            return None
        if self.worker is None or self.lease_token is None:
            raise InvalidInput("a lease is shown by both --worker and --lease-token")
        return Lease(goal, self.worker, self.lease_token)


# A default that is computed, not `envvar`: help then names the variable in one place, and an empty one counts as none.
store = click.option(
    "--store",
    default=lambda: os.environ.get("TELIC_STORE") or None,
    help="A path, or a sqlite:/// or postgresql:// URL, also TELIC_STORE.  [default: the user's data folder]",
)
scope = click.option(
    "--scope",
    default=lambda: os.environ.get("TELIC_SCOPE", DEFAULT_SCOPE),
    shell_complete=completion.scopes,
    help=f"The goals' owner, also TELIC_SCOPE.  [default: {DEFAULT_SCOPE}]",
)
goal_id = click.argument("goal_id", metavar="[ID]", required=False, shell_complete=completion.goals)
key = click.option("--key", help="Makes the call happen once, however often it is repeated.")
revision = click.option("--revision", type=int, help="Refuse unless the goal is at this revision.")
note = click.option("--note", help="A free remark, kept in the history.")
max_chars = click.option("--max-chars", type=int, default=DEFAULT_MAX_CHARS, show_default=True, help="Longest text.")
all_scopes = click.option("--all-scopes", is_flag=True, help="Goals of every scope.")
replace = click.option(
    "--replace",
    "replaces",
    is_flag=True,
    help="Pause the scope's active goal for this one, also where a worker drives it.",
)
worker = click.option(
    "--worker",
    required=True,
    metavar="NAME",
    help="The worker: a name of its own, as host/process.",
    shell_complete=completion.workers,
)
lease_token = click.option("--lease-token", type=int, required=True, metavar="N", help="The token that claim gave.")
lease = gather_options(
    "lease",
    ShownLease,
    click.option("--lease-token", type=int, metavar="N", help="Refuse unless the lease is kept; with --worker."),
    click.option("--worker", metavar="NAME", help="Whose lease it is.", shell_complete=completion.workers),
)
criteria = gather_options(
    "criteria",
    lambda checks, judges, approvals: tuple(typed_criteria(checks, judges, approvals)),
    click.option("--check", "checks", multiple=True, help="A command that must exit with 0; no shell runs it."),
    click.option("--judge", "judges", multiple=True, help="A question that a judging model must answer with yes."),
    click.option("--approve", "approvals", multiple=True, help="What a person must approve."),
)


def budgets(help: str, option: str = "--budget") -> Option:
    """Return the option of limits, each a text with its unit."""
    return click.option(option, "budgets", type=AMOUNT, multiple=True, metavar="AMOUNT", help=help)


def ttl(default: str) -> Option:
    """Return the option that says how long something lasts unless it is renewed or used."""
    help = "It lasts so long: 90s, 5m."
    return click.option("--ttl", type=DURATION, default=default, show_default=True, metavar="TIME", help=help)


def page(after: str, kind: type = int) -> Option:
    """Return the options of a listing that goes on after a number or a key."""
    limit = click.option("--limit", type=int, default=1000, show_default=True, help="At most so many.")
    begin = click.option("--after", type=kind, default=kind(), metavar="KEY" if kind is str else None, help=after)
    return lambda command: begin(limit(command))


def login_name() -> str:
    """Return the user's name; one without a name is called by number."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"uid {os.getuid()}"


def default_store() -> str:
    """Return the path of the file under the user's data folder; it may not be there.

    Raises:
        StoreMisconfigured: the user has no such folder.
    """
    # Most commands name their store: they need not load what looks for folders.
    from platformdirs import user_data_path

    try:
        folder = user_data_path("telic")
    except (OSError, KeyError, RuntimeError):
        folder = Path()
    if not folder.is_absolute():
        raise StoreMisconfigured("the default store has no place: HOME is not set, and the user has no home folder")
    return str(folder / "goals.db")


def make_folder_of(store: str) -> None:
    """The folder of a store that is to be made is there, for its owner only; a URL has none.

    Raises:
        StoreMisconfigured: it cannot be made.
    """
    if "://" in store:
        return
    folder = Path(store).parent
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreMisconfigured(f"the store's folder {folder} cannot be made: {error.strerror}") from error


def observer_of(context: click.Context) -> Observer | None:
    """Return what observes the stores that the command opens, if anything does."""
    found = context.find_root().obj
    return found if isinstance(found, Observer) else None
