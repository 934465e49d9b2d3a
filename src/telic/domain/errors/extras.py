"""Libraries that only some programs need."""

from collections.abc import Generator
from contextlib import contextmanager

from telic.domain.errors.base import GoalError


class MissingExtra(GoalError, ModuleNotFoundError):
    """A library that this part of Telic needs is not installed. Nothing was written; install `extra`, then retry."""

    code = "missing_extra"

    def __init__(self, what: str, extra: str, also: str = "") -> None:
        super().__init__(f"{what} needs its extra: pip install 'telic[{extra}]'{also and ' '}{also}")
        self.extra = extra


@contextmanager
def needs_extra(extra: str, what: str, also: str = "") -> Generator[None]:
    """Import inside what the extra brings; `also` names the packages to install besides.

    Raises:
        MissingExtra: a module that is not Telic's own cannot be imported.
    """
    try:
        yield
    except ImportError as error:
        if isinstance(error, MissingExtra) or (error.name or "").partition(".")[0] == "telic":
            raise
        raise MissingExtra(what, extra, also) from error
