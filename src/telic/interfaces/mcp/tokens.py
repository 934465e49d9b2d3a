"""The secret that clients over HTTP must show: where it comes from, and what makes one good enough."""

import os
import secrets
import stat
from pathlib import Path
from typing import Final

from telic.domain.errors import InvalidInput

MIN_TOKEN_CHARS: Final = 16
_MAX_FILE_BYTES: Final = 4_096


def new_token() -> str:
    """A token of 256 random bits."""
    return secrets.token_urlsafe(32)


def checked_token(token: str, source: str) -> str:
    """The token, known to be one that a header can carry and nobody guesses by trying.

    Raises:
        InvalidInput: it is too short, or holds anything but visible ASCII characters.
    """
    if len(token) < MIN_TOKEN_CHARS or not all("!" <= character <= "~" for character in token):
        raise InvalidInput(f"the token in {source} must be {MIN_TOKEN_CHARS} or more visible ASCII characters")
    return token


def token_from_file(path: Path) -> tuple[str, bool]:
    """The token in the file, and whether it was made now: a file that is missing is made, private, with a new one.

    Raises:
        InvalidInput: the file is a link, others may read it, or what it holds is no token.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return _made(path), True
    except OSError as error:
        raise InvalidInput(f"the token file {str(path)!a} cannot be read: {error.strerror}") from error
    with os.fdopen(handle, "rb") as file:
        state = os.fstat(file.fileno())
        if not stat.S_ISREG(state.st_mode) or state.st_mode & 0o077:
            raise InvalidInput(f"the token file {str(path)!a} must be a file that only its owner may read: chmod 600")
        content = file.read(_MAX_FILE_BYTES)
    return checked_token(content.decode("ascii", "replace").strip(), str(path)), False


def _made(path: Path) -> str:
    token = new_token()
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise InvalidInput(f"the token file {str(path)!a} cannot be made: {error.strerror}") from error
    with os.fdopen(handle, "w") as file:
        file.write(token + "\n")
    return token
