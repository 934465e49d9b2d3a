"""The process's standard streams, which say of themselves that they cannot be written."""

import io
import os
import sys
from typing import TYPE_CHECKING, TextIO, cast

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_OUTPUT, _ERRORS = 1, 2


class OutputLost(OSError):
    """Standard output could not be written: what the command had to say is lost, and its work is done."""


class _Output(io.FileIO):
    def write(self, data: "ReadableBuffer", /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            raise  # Its reader has seen enough.
        except OSError as error:
            raise OutputLost(error.errno, error.strerror) from error


class _Errors(io.FileIO):
    def write(self, data: "ReadableBuffer", /) -> int:
        try:
            return super().write(data)
        except OSError:
            # There is no place left to say so, and the exit code is to stay what it is.
            return memoryview(data).nbytes


def open_standard_streams() -> None:
    """All three streams are open, and a character that a terminal's encoding lacks is shown by its number.

    Output that cannot be written raises OutputLost, also where the stream was closed; a lost error message is no error.
    """
    closed = [number for number in range(3) if not _is_open(number)]
    for number in closed:
        # A file that is opened later must not take the number of a closed stream: it would be written into. The
        # lowest number that is free is taken. What cannot be written tells that output is lost.
        os.open(os.devnull, os.O_RDONLY if number == _OUTPUT else os.O_RDWR)
    if 0 in closed:
        sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = _opened(sys.stdout, _OUTPUT, _Output)
    sys.stderr = _opened(sys.stderr, _ERRORS, _Errors)


def _opened(former: TextIO | None, number: int, kind: type[io.FileIO]) -> TextIO:
    if former is not None and not _is_stream(former, number):
        return former  # A program's own.
    raw = kind(number, "w", closefd=False)
    told = former if isinstance(former, io.TextIOWrapper) else None
    is_unbuffered = told is not None and told.write_through
    return io.TextIOWrapper(
        cast("io.BufferedWriter", raw) if is_unbuffered else io.BufferedWriter(raw),
        encoding=None if told is None else told.encoding,
        errors="backslashreplace",
        line_buffering=number == _ERRORS or raw.isatty(),
        write_through=is_unbuffered,
    )


def _is_stream(stream: TextIO, number: int) -> bool:
    try:
        return isinstance(stream, io.TextIOWrapper) and stream.fileno() == number
    except (OSError, ValueError):
        return False


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
