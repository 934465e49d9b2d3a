"""What `import telic` costs over what any program with a database and an event loop imports, and what a hook costs."""

import json
import os
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from benchmarks.bench import Bench
from benchmarks.measure import Bar, Result, Spread, interleave
from telic import connect

TELIC: Final = Path(sysconfig.get_path("scripts")) / "telic"
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
    with tempfile.TemporaryDirectory() as folder:
        yield _hook(bench, Path(folder))


def _hook(bench: Bench, folder: Path) -> Result:
    """A coding host waits so long at each prompt."""
    store = folder / "goals.db"
    with connect(str(store)) as goals:
        goals.create("Move billing to the new API", scope="claude-code/s1")
    payload = {"session_id": "s1", "cwd": str(folder), "hook_event_name": "UserPromptSubmit", "prompt": "Go on."}
    command = [str(TELIC), "hook", "claude-code", "--store", str(store)]
    works = [lambda: _process_seconds(command, json.dumps(payload)), lambda: _seconds("pass")]
    interleave(works, 2)
    rounds = interleave(works, bench.repetitions)
    telic, other = (Spread.of(times) for times in zip(*rounds, strict=True))
    return Result(
        work="telic hook claude-code, at a prompt in a session with a goal",
        reference='python -c "pass"',
        ratio=Spread.of([1000 * (ours - theirs) for ours, theirs in rounds]),
        unit="ms more",
        telic=telic,
        other=other,
    )


def _process_seconds(command: list[str], text: str) -> float:
    started = time.perf_counter()
    subprocess.run(command, input=text, check=True, capture_output=True, text=True)
    return time.perf_counter() - started


def _seconds(program: str) -> float:
    started = time.perf_counter()
    _python(program)
    return time.perf_counter() - started


def _python(program: str) -> str:
    # With compiled modules, as pip leaves them; the first run compiles those of a checkout.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, env=environment)
    return done.stdout
