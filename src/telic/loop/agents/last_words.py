"""Why a command failed, from the end of what it printed."""

import re
from typing import Final

_SHOWN_CHARS: Final = 500
_BACKTRACE: Final = re.compile(r"^\s*stack backtrace:", re.IGNORECASE | re.MULTILINE)
_ERROR: Final = re.compile(r"^(?:\S* )?(?:fatal |internal )?error\b[^\n]*:", re.IGNORECASE | re.MULTILINE)


def last_words(output_tail: str) -> str:
    """The last error and what follows it, without the list of calls that led there; else the last line."""
    backtraces = [match.start() for match in _BACKTRACE.finditer(output_tail)]
    text = output_tail[: backtraces[-1]].rstrip() if backtraces else output_tail.rstrip()
    errors = [match.start() for match in _ERROR.finditer(text)]
    last_line = text.rpartition("\n")[2]
    if errors and len(text) - errors[-1] <= _SHOWN_CHARS:
        return "\n".join(line for line in text[errors[-1] :].splitlines() if line.strip())
    return last_line[-_SHOWN_CHARS:]
