"""A dashboard's settings, and the sessions of the browsers that it let in."""

import base64
import binascii
import hmac
import secrets
import time
from dataclasses import dataclass
from typing import Final

from telic.domain.errors import InvalidInput
from telic.domain.limits import check_name
from telic.http.tokens import checked_token, is_same, names_of, url_of

DEFAULT_PORT: Final = 8137
MAX_ACTOR_CHARS: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class DashboardSettings:
    """Settings of one dashboard: where it is served, and to whom.

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
        """Return where a browser on this machine finds it."""
        return url_of(self.host, self.port)

    @property
    def hosts(self) -> frozenset[str]:
        """Return what the Host header of an honest request may say, in lower case and with the port."""
        usual = names_of(self.host)
        names = [name.lower() for name in (*usual, *self.names)]
        # Browsers leave the usual port out. A name that was given may have a port of its own: that of a proxy.
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


SESSION_SECONDS: Final = 7 * 86_400
_MAX_COOKIE_CHARS: Final = 1_000


@dataclass(frozen=True, slots=True)
class BrowserSession:
    """One browser that was let in; `value` is its cookie."""

    name: str
    value: str


class SessionSigner:
    """Knows the token. Sessions are signed, not stored: they outlive a restart with the same token."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._secret = hmac.digest(token.encode(), b"telic dashboard", "sha256")
        self._code: str | None = None

    def new_code(self) -> str:
        """Return a code that lets one browser in, once; a former one is void."""
        self._code = secrets.token_urlsafe(24)
        return self._code

    def spend_code(self, code: str) -> bool:
        """Return whether the code lets somebody in; from now on it does not."""
        is_right = self._code is not None and is_same(code, self._code)
        if is_right:
            self._code = None
        return is_right

    def is_token(self, text: str) -> bool:
        """Return whether this is the token; how long that takes tells nothing of it."""
        return is_same(text, self._token)

    def open_session(self, name: str) -> BrowserSession:
        """Return a new session of somebody with this name."""
        body = f"{int(time.time())}.{secrets.token_urlsafe(12)}.{base64.urlsafe_b64encode(name.encode()).decode()}"
        return BrowserSession(name, f"{body}.{self.sign('session', body)}")

    def session(self, cookie: str | None) -> BrowserSession | None:
        """Return the session that the cookie names, if this dashboard opened it and it is not too old."""
        if not cookie or len(cookie) > _MAX_COOKIE_CHARS:
            return None
        body, _, signature = cookie.rpartition(".")
        if not is_same(signature, self.sign("session", body)):
            return None
        opened, _, name = body.split(".")
        if time.time() > int(opened) + SESSION_SECONDS:
            return None
        try:
            return BrowserSession(check_actor_name(base64.urlsafe_b64decode(name).decode()), cookie)
        except (binascii.Error, UnicodeDecodeError, InvalidInput):
            return None

    def form_token(self, session: BrowserSession) -> str:
        """Return what every form of this session carries, and no other site can know."""
        return self.sign("form", session.value)

    def sign(self, purpose: str, text: str) -> str:
        """Return a code that cannot be made without the token."""
        return hmac.digest(self._secret, f"{purpose}\n{text}".encode(), "sha256").hex()
