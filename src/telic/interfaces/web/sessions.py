"""Who is let in, under which name, and what proves that a form was drawn by this dashboard for this session."""

import base64
import binascii
import hmac
import secrets
import time
from dataclasses import dataclass
from typing import Final

from telic.domain.errors import InvalidInput
from telic.interfaces.web.settings import check_actor_name

SESSION_SECONDS: Final = 7 * 86_400
_MAX_COOKIE_CHARS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Session:
    """One browser that was let in; `value` is its cookie."""

    name: str
    value: str


class Keeper:
    """Knows the token. Sessions are signed, not stored: they outlive a restart with the same token."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._secret = hmac.digest(token.encode(), b"telic dashboard", "sha256")
        self._code: str | None = None

    def new_code(self) -> str:
        """A code that lets one browser in, once; a former one is void."""
        self._code = secrets.token_urlsafe(24)
        return self._code

    def spend_code(self, code: str) -> bool:
        """Whether the code lets somebody in; from now on it does not."""
        is_right = self._code is not None and _same(code, self._code)
        if is_right:
            self._code = None
        return is_right

    def is_token(self, text: str) -> bool:
        """Whether this is the token; how long that takes tells nothing of it."""
        return _same(text, self._token)

    def open_session(self, name: str) -> Session:
        """A new session of somebody with this name."""
        body = f"{int(time.time())}.{secrets.token_urlsafe(12)}.{base64.urlsafe_b64encode(name.encode()).decode()}"
        return Session(name, f"{body}.{self.sign('session', body)}")

    def session(self, cookie: str | None) -> Session | None:
        """The session that the cookie names, if this dashboard opened it and it is not too old."""
        if not cookie or len(cookie) > _MAX_COOKIE_CHARS:
            return None
        body, _, signature = cookie.rpartition(".")
        if not _same(signature, self.sign("session", body)):
            return None
        opened, _, name = body.split(".")
        if time.time() > int(opened) + SESSION_SECONDS:
            return None
        try:
            return Session(check_actor_name(base64.urlsafe_b64decode(name).decode()), cookie)
        except (binascii.Error, UnicodeDecodeError, InvalidInput):
            return None

    def form_token(self, session: Session) -> str:
        """What every form of this session carries, and no other site can know."""
        return self.sign("form", session.value)

    def is_form_token(self, session: Session, text: str) -> bool:
        """Whether the form was drawn for this session."""
        return _same(text, self.form_token(session))

    def sign(self, purpose: str, text: str) -> str:
        """A code that only who knows the token can make."""
        return hmac.digest(self._secret, f"{purpose}\n{text}".encode(), "sha256").hex()


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))
