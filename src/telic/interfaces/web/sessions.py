"""Sessions of browsers, signed, and the codes by which a dashboard knows its own forms."""

import base64
import binascii
import hmac
import secrets
import time
from dataclasses import dataclass
from typing import Final

from telic.domain.errors import InvalidInput
from telic.http.tokens import is_same
from telic.interfaces.web.settings import check_actor_name

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

    def is_form_token(self, session: BrowserSession, text: str) -> bool:
        """Return whether the form was drawn for this session."""
        return is_same(text, self.form_token(session))

    def sign(self, purpose: str, text: str) -> str:
        """Return a code that cannot be made without the token."""
        return hmac.digest(self._secret, f"{purpose}\n{text}".encode(), "sha256").hex()
