"""Write the blocking twins of async modules: `python -m tools.generate_blocking`.

Each method of the stores, of accounting, and of PostgreSQL's driver is written once, awaited. Its blocking twin differs
by a few words only, which this program replaces, as psycopg's `tools/async_to_sync.py` does; so editors and type
checkers see real methods on both. What cannot be the same is in a module that each has of its own: the stores'
`base.py`, accounting's `background.py`, PostgreSQL's `postgres_connections.py`.
"""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
SOURCE: Final = ROOT / "src" / "telic"
_TWINS: Final = {
    "store/asynchronous": "store/blocking",
    "store/async_store.py": "store/goal_store.py",
    "accounting/async_accounting.py": "accounting/blocking.py",
    "accounting/async_flusher.py": "accounting/flusher.py",
    "storage/drivers/postgres_async.py": "storage/drivers/postgres.py",
}
"""Modules, and folders of them, with where the blocking twin belongs."""
_WORDS: Final = (
    (r"\basync (def|with|for) ", r"\1 "),
    (r"\bawait asyncio\.to_thread\(([\w.]+)\)", r"\1()"),
    (r"\bawait asyncio\.sleep\(", "time.sleep("),
    (r"\bimport asyncio\b", "import time"),
    (r"\bawait (operation\(.*\))", r"complete(\1)"),
    (r"\bawait ", ""),
    (r"(?s)    def __await__\(.*?\n\n", ""),
    (r"# Blocking: ", ""),
    (r"\bAsync(GoalStore|GoalAccounting|Background|Driver|Changes|Iterator)\b", r"\1"),
    (r"\bAsync(Postgres\w+|Connection\w*|IdleConnections|BoundedWaitConnection)\b", r"\1"),
    (r"\bOperation, Parameters, Raced, Row\b", "Operation, Parameters, Raced, Row, complete"),
    (r"__a(enter|exit)__", r"__\1__"),
    (r"\btelic\.store\.asynchronous\b", "telic.store.blocking"),
    (r"\btelic\.store\.async_store\b", "telic.store.goal_store"),
    (r"\btelic\.accounting\.async_", "telic.accounting."),
    (r"\b(connect|readable)_async\b", r"\1"),
    (r"is awaited, or entered with `async with`", "is made"),
    (r"in a task of its\s+own; coroutines are awaited", "in a thread of its own"),
    (r"programs with an event loop", "programs without an event loop"),
    (r"async store\b", "blocking store"),
    (r"\bother tasks\b", "other threads"),
    (r" The blocking driver is generated from this one.", ""),
    (r"async front door", "blocking front door"),
    (r"any number of tasks of one event loop, processes", "any number of threads, processes"),
)


def sources() -> dict[Path, Path]:
    """Return each async source, and where its blocking twin belongs."""
    found: dict[Path, Path] = {}
    for source, target in _TWINS.items():
        modules = sorted((SOURCE / source).glob("*.py")) or [SOURCE / source]
        found |= {path: SOURCE / target / path.relative_to(SOURCE / source) for path in modules}
    return found


def blocking(source: Path) -> str:
    """Return the text of the source's blocking twin."""
    text = source.read_text()
    for words, others in _WORDS:
        text = re.sub(words, others, text)
    header = f"# Generated from {source.relative_to(ROOT)}: change that, then run `make generate`.\n\n"
    return _formatted(header + text)


def _formatted(text: str) -> str:
    for command in (
        ["check", "--quiet", "--fix-only", "--unsafe-fixes", "--select", "I,F401,UP028"],
        ["format", "--quiet"],
    ):
        ruff = [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(SOURCE / "store" / "new.py"), "-"]
        text = subprocess.run(ruff, input=text, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    return text


def main() -> None:
    """Every blocking twin is as its source says."""
    for source, target in sources().items():
        target.write_text(blocking(source))


if __name__ == "__main__":
    main()
