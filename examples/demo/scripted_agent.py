"""An agent without a model: it really runs the tests and edits the file, but what it writes is scripted.

Each turn it mends the first function whose test fails. It speaks Telic's line protocol, as any agent may.
"""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

MENDS = {
    "test_1_total": ("total", "return sum(prices)"),
    "test_2_with_tax": ("with_tax", "return round(cents * (100 + percent) / 100)"),
    "test_3_shown": ("shown", 'return f"{cents // 100}.{cents % 100:02} €"'),
}


def tell(type: str, **fields: object) -> None:
    print(json.dumps({"type": type, **fields}), flush=True)


def failing_tests() -> list[str]:
    result = subprocess.run([sys.executable, "-m", "unittest", "-v"], capture_output=True, text=True)
    return sorted(set(re.findall(r"^(?:ERROR|FAIL): (\w+)", result.stderr, re.MULTILINE)))


def mend(function: str, body: str) -> None:
    file = Path("shop.py")
    unfinished = re.compile(rf"(def {function}\(.*?)raise NotImplementedError", re.DOTALL)
    file.write_text(unfinished.sub(lambda found: found[1] + body, file.read_text(), count=1))


def main() -> None:
    prompt = sys.stdin.read()
    tell("text", text=f"[scripted agent, turn {os.environ['TELIC_TURN_NUMBER']}] read {len(prompt):,} characters")
    failing = failing_tests()
    tell("tool", name="unittest", changed=False, output=f"failing: {', '.join(failing) or 'none'}")
    time.sleep(1)
    if failing:
        function, body = MENDS[failing[0]]
        mend(function, body)
        tell("tool", name="edit", changed=True, output=f"shop.py: {function} is written")
    tell("usage", input_tokens=1_800, cached_input_tokens=1_500, output_tokens=200, model="none (scripted)")
    last = len(failing) <= 1
    note = "all tests should pass" if last else f"scripted agent wrote {function}"
    tell("claim", claim="complete" if last else "working", note=note)


if __name__ == "__main__":
    main()
