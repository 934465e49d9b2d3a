"""The secret that clients over HTTP must show: where it comes from, and what makes one good enough."""

import hmac
import ipaddress
import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from telic.domain.errors import InvalidInput, NotAllowed

MIN_TOKEN_CHARS: Final = 16
_MAX_FILE_BYTES: Final = 4_096


@dataclass(frozen=True, slots=True)
class Token:
    """The secret, and whether nobody but this process knows it yet."""

    secret: str
    is_new: bool


def choose_token(host: str, *, given: str | None, file: Path | None, variable: str) -> Token:
    """Return the token that clients must show: from its file, given by the variable's value, or new.

    A file that is missing is made, private, with a new token.

    Raises:
        NotAllowed: other machines could reach `host`, and no token was set for that beforehand.
        InvalidInput: the token or its file cannot be used.
    """
    is_set = given if file is None else file.exists()
    if not is_set and not is_loopback(host):
        raise NotAllowed(
            f"{host!a} is no address of the loopback interface: set a token first, in --token-file or {variable}"
        )
    if file is not None:
        return _from_file(file)
    return Token(checked_token(given, variable), is_new=False) if given else Token(_new_secret(), is_new=True)


def is_loopback(host: str) -> bool:
    """Return whether nobody but this machine can reach it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def names_of(host: str) -> tuple[str, ...]:
    """Return the names under which a client's requests may be addressed to a server that listens there."""
    # Each of the loopback names leads to this machine, whichever of them was given.
    return ("127.0.0.1", "localhost", "[::1]") if is_loopback(host) else (f"[{host}]" if ":" in host else host,)


def url_of(host: str, port: int) -> str:
    """Return the address under which a client on this machine finds it."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_everywhere(host: str) -> bool:
    """Return whether the host means every address of this machine."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return not host


def is_same(one: str, other: str) -> bool:
    """Return whether both texts are the same; how long that takes tells nothing of either."""
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))


def _new_secret() -> str:
    return secrets.token_urlsafe(32)


def checked_token(token: str, source: str) -> str:
    """Return the token, known to be one that a header can carry and nobody guesses by trying.

    Raises:
        InvalidInput: it is too short, or holds anything but visible ASCII characters.
    """
    if len(token) < MIN_TOKEN_CHARS or not all("!" <= character <= "~" for character in token):
        raise InvalidInput(f"the token in {source} must be {MIN_TOKEN_CHARS} or more visible ASCII characters")
    return token


def _from_file(path: Path) -> Token:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return Token(_made(path), is_new=True)
    except OSError as error:
        raise InvalidInput(f"the token file {str(path)!a} cannot be read: {error.strerror}") from error
    with os.fdopen(handle, "rb") as file:
        state = os.fstat(file.fileno())
        if not stat.S_ISREG(state.st_mode) or state.st_mode & 0o077:
            raise InvalidInput(f"the token file {str(path)!a} must be a file that only its owner may read: chmod 600")
        content = file.read(_MAX_FILE_BYTES)
    return Token(checked_token(content.decode("ascii", "replace").strip(), str(path)), is_new=False)


def _made(path: Path) -> str:
    token = _new_secret()
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise InvalidInput(f"the token file {str(path)!a} cannot be made: {error.strerror}") from error
    with os.fdopen(handle, "w") as file:
        file.write(token + "\n")
    return token
