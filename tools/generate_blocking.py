"""Write the blocking store from the async one: `python -m tools.generate_blocking`.

Each method of the stores is written once, awaited. Its blocking twin differs by a few words only, which this program
replaces, as psycopg's `tools/async_to_sync.py` does; so editors and type checkers see real methods on both. What
cannot be the same is in `base.py`, which both have.
"""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
STORE: Final = ROOT / "src" / "telic" / "store"
DRIVERS: Final = ROOT / "src" / "telic" / "storage" / "drivers"
_WORDS: Final = (
    (r"\basync (def|with|for) ", r"\1 "),
    (r"\bawait asyncio\.to_thread\(([\w.]+)\)", r"\1()"),
    (r"\bawait asyncio\.sleep\(", "time.sleep("),
    (r"\bimport asyncio\b", "import time"),
    (r"\bawait (operation\(.*\))", r"complete(\1)"),
    (r"\bawait ", ""),
    (r"\bAsync(GoalStore|Driver|Changes|Iterator)\b", r"\1"),
    (r"\bAsync(Postgres\w+|Connection\w*|IdleConnections|BoundedWaitConnection)\b", r"\1"),
    (r"\bOperation, Parameters, Raced, Row\b", "Operation, Parameters, Raced, Row, complete"),
    (r"__a(enter|exit)__", r"__\1__"),
    (r"\btelic\.store\.asynchronous\b", "telic.store.blocking"),
    (r"\b(connect|readable)_async\b", r"\1"),
    (r"async store\b", "blocking store"),
    (r"\bother tasks\b", "other threads"),
    (r" The blocking driver is generated from this one.", ""),
    (r"async front door", "blocking front door"),
    (r"any number of tasks of one event loop, processes", "any number of threads, processes"),
)


def sources() -> dict[Path, Path]:
    """Return each async source, and where its blocking twin belongs."""
    methods = sorted((STORE / "asynchronous").glob("*.py"))
    return {path: STORE / "blocking" / path.name for path in methods} | {
        STORE / "async_store.py": STORE / "goal_store.py",
        DRIVERS / "postgres_async.py": DRIVERS / "postgres.py",
    }


def blocking(source: Path) -> str:
    """Return the text of the source's blocking twin."""
    text = source.read_text()
    for words, others in _WORDS:
        text = re.sub(words, others, text)
    header = f"# Generated from {source.relative_to(ROOT)}: change that, then run `make generate`.\n\n"
    return _formatted(header + text)


def _formatted(text: str) -> str:
    for command in (["check", "--quiet", "--fix-only", "--unsafe-fixes", "--select", "I,UP028"], ["format", "--quiet"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(STORE / "blocking" / "new.py"), "-"]
        text = subprocess.run(ruff, input=text, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    return text


def main() -> None:
    """Every blocking twin is as its source says."""
    for source, target in sources().items():
        target.write_text(blocking(source))


if __name__ == "__main__":
    main()
