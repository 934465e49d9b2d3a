"""Settings of a dashboard, fixed when it starts."""

from dataclasses import dataclass
from typing import Final

from telic.domain.errors import InvalidInput
from telic.domain.limits import check_name
from telic.http.tokens import checked_token, is_loopback, url_of

DEFAULT_PORT: Final = 8137
MAX_ACTOR_CHARS: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class DashboardSettings:
    """How one dashboard is served, and to whom.

    Everybody who has the token is let in. Only `scope` is shown where it is given. `names` are the hosts that requests
    may be addressed to besides the one it listens on.

    Raises:
        InvalidInput: the token is too short to keep anybody out, or a name is unusable.
    """

    token: str
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    allow_write: bool = False
    scope: str | None = None
    actor_name: str = "operator"
    names: tuple[str, ...] = ()
    max_live_pages: int = 1_000
    requests_per_second: int = 500

    def __post_init__(self) -> None:
        checked_token(self.token, "the settings")
        check_actor_name(self.actor_name)
        if self.scope is not None:
            check_name("scope", self.scope)

    @property
    def address(self) -> str:
        """Where a browser on this machine finds it."""
        return url_of(self.host, self.port)

    @property
    def hosts(self) -> frozenset[str]:
        """Return what the Host header of an honest request may say, in lower case and with the port."""
        usual = (
            ("127.0.0.1", "localhost", "[::1]") if is_loopback(self.host) else (self.address[7:].rpartition(":")[0],)
        )
        names = [name.lower() for name in (*usual, *self.names)]
        return frozenset(f"{name}:{self.port}" for name in names) | frozenset(
            names if self.port == 80 else names[len(usual) :]
        )


def check_actor_name(name: str) -> str:
    """Return the name under which somebody's acts are recorded.

    Raises:
        InvalidInput: it is empty, too long, or holds what is not printable or a slash.
    """
    check_name("the operator's name", name)
    if len(name) > MAX_ACTOR_CHARS or not name.isprintable() or "/" in name or name != name.strip():
        raise InvalidInput(f"an operator's name has at most {MAX_ACTOR_CHARS} printable characters, and no slash")
    return name
