"""What `import telic` costs over what any program with a database and an event loop imports."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Final

from benchmarks.bench import Bench
from benchmarks.measure import Bar, Result, Spread, interleave

ALLOWED_MODULES: Final = {"telic", "apsw"}

_FOREIGN: Final = """
import sys
before = set(sys.modules)
import telic
print(*sorted({name.partition(".")[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names)))
"""


def run(bench: Bench) -> Iterator[Result]:
    """Interpreter start and import, from the start of the process to its end."""
    foreign = set(_python(_FOREIGN).split()) - ALLOWED_MODULES
    assert not foreign, f"import telic brings in {foreign}"
    works = [lambda: _seconds("import telic"), lambda: _seconds("import sqlite3, asyncio")]
    interleave(works, 2)
    rounds = interleave(works, bench.repetitions)
    telic, other = (Spread.of(times) for times in zip(*rounds, strict=True))
    yield Result(
        work="import telic (no third-party module but apsw: checked)",
        reference="import sqlite3, asyncio",
        ratio=Spread.of([1000 * (ours - theirs) for ours, theirs in rounds]),
        unit="ms more",
        bar=Bar(60, is_floor=False),
        telic=telic,
        other=other,
    )


def _seconds(program: str) -> float:
    started = time.perf_counter()
    _python(program)
    return time.perf_counter() - started


def _python(program: str) -> str:
    # With compiled modules, as pip leaves them; the first run compiles those of a checkout.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, env=environment)
    return done.stdout
