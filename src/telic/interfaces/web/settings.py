"""What a dashboard is told when it starts."""

import ipaddress
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from telic.domain.errors import InvalidInput
from telic.domain.limits import check_name

DEFAULT_PORT: Final = 8137
MIN_TOKEN_CHARS: Final = 16
MAX_ACTOR_CHARS: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class DashboardSettings:
    """How one dashboard is served, and to whom.

    Whoever has the token is let in. Only `scope` is shown where it is given. `names` are the hosts that requests may
    be addressed to besides the one it listens on.

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
    max_body_bytes: int = 1_048_576
    max_live_pages: int = 1_000

    def __post_init__(self) -> None:
        if len(self.token) < MIN_TOKEN_CHARS or not self.token.isascii() or not self.token.isprintable():
            raise InvalidInput(f"the token needs {MIN_TOKEN_CHARS} or more printable ASCII characters")
        check_actor_name(self.actor_name)
        if self.scope is not None:
            check_name("scope", self.scope)

    @property
    def address(self) -> str:
        """Where a browser on this machine finds it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def hosts(self) -> frozenset[str]:
        """What the Host header of an honest request may say, in lower case and with the port."""
        usual = (
            ("127.0.0.1", "localhost", "[::1]") if is_loopback(self.host) else (self.address[7:].rpartition(":")[0],)
        )
        names = [name.lower() for name in (*usual, *self.names)]
        return frozenset(f"{name}:{self.port}" for name in names) | frozenset(
            names if self.port == 80 else names[len(usual) :]
        )


def check_actor_name(name: str) -> str:
    """The name under which somebody's acts are recorded.

    Raises:
        InvalidInput: it is empty, too long, or holds what is not printable or a slash.
    """
    check_name("the operator's name", name)
    if len(name) > MAX_ACTOR_CHARS or not name.isprintable() or "/" in name or name != name.strip():
        raise InvalidInput(f"an operator's name has at most {MAX_ACTOR_CHARS} printable characters, and no slash")
    return name


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine can reach it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def choose_token(host: str, given: str | None, file: Path | None) -> str:
    """The token that was given, as it is or in a file; a new one where neither was, on this machine only.

    Raises:
        InvalidInput: the file cannot be read, or others could reach the dashboard and no token was given.
    """
    if file is not None:
        try:
            return file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInput(f"the token file cannot be read: {error}") from None
    if given:
        return given
    if not is_loopback(host):
        raise InvalidInput(f"{host} can be reached by others: give a token, by --token-file or TELIC_DASHBOARD_TOKEN")
    return secrets.token_urlsafe(32)
