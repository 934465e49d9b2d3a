"""Draws `docs/reference/hosts.md` from the results of `make test-hosts`, which calls it."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "hosts.md"
RESULTS = ROOT / ".hosts" / "results.json"
HOSTS = {
    "claude": "Claude Code",
    "codex": "Codex",
    "gemini": "Gemini CLI",
    "copilot": "Copilot CLI",
    "opencode": "opencode",
    "qwen": "Qwen Code",
    "mcp-inspector-cli": "MCP Inspector",
}
AREAS = {
    "test_runs": "`telic run`",
    "test_sub_agents": "Sub-agents",
    "test_conversations": "Conversations",
    "test_faults": "Failures and limits of providers",
    "test_budgets": "Budgets",
    "test_hooks": "Hooks",
    "test_terminals": "Hosts' own screens",
    "test_mcp": "The MCP server",
}
NODE = re.compile(r"tests/hosts/(\w+)\.py::test_(\w+)\[([\w-]+)\]")
UNKNOWN = """\
## What cannot be known

- **Claude Code**: hooks see no usage of `/compact` and of the titles that it gives to sessions: neither is in a
  transcript. `telic run` bills its compactions.
- **Codex**: what a host's own title or summary used is known only where it is in the thread's rollout file.
- **Gemini CLI**: the calls of its loop detector are in no recording.
- **Every host**: a response that is cut off before its usage was told.
"""


def cases(nodes: list[str]) -> dict[tuple[str, str], dict[str, list[str]]]:
    """Return, for each area and sentence, the tests of each host."""
    found: dict[tuple[str, str], dict[str, list[str]]] = {}
    for node in nodes:
        match = NODE.fullmatch(node)
        if match is None:
            continue
        area, name, parameters = match.groups()
        host = next((host for host in HOSTS if f"-{host}-" in f"-{parameters}-"), None)
        if host is not None:
            sentence = name.replace("_", " ").capitalize()
            found.setdefault((area, sentence), {}).setdefault(host, []).append(node)
    return found


def collected() -> list[str]:
    """Return the names of all tests with real hosts; none of them is run."""
    command = [sys.executable, "-m", "pytest", "tests/hosts", "--collect-only", "--quiet", "-p", "no:cacheprovider"]
    listed = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    return [line for line in listed.stdout.splitlines() if "::" in line]


def cell(results: list[dict[str, Any]]) -> str:
    """Return how the tests of one row and host ended."""
    if any(not result for result in results):
        return "?"
    if any(result["outcome"] != "passed" for result in results):
        return "**no**"
    return "exact" if all("told" in result for result in results) else "yes"


def row(words: list[str]) -> str:
    return "| " + " | ".join(words) + " |"


def draw(results: dict[str, Any], nodes: list[str]) -> str:
    """Return the page: a row for each test, whether it has a result or not."""
    tests, versions = results["tests"], results["versions"]
    header = ["", *(f"{name} {versions[host]}" for host, name in HOSTS.items())]
    lines = [
        "# What is tested with real coding hosts",
        "",
        "Drawn by `make test-hosts` from its results. Each host came from npm in the version that is named, and",
        "talked to a model server of the tests, which gave each response another usage.",
        "A result stays until its test is run again, also where Telic has changed since: run it for what holds now.",
        "",
        "- *exact*: what was billed is what that server told, to the token.",
        "- *yes*: the behaviour was seen; no figures belong to it.",
        "- **no**: the test failed. ?: it has not been run with this version. –: there is no such test.",
        "",
    ]
    rows = cases(sorted(nodes))
    for area, title in AREAS.items():
        lines += [f"## {title}", "", row(header), row(["---"] * len(header))]
        for (of, sentence), by_host in rows.items():
            if of == area:
                cells = [
                    cell([tests.get(node, {}) for node in by_host[host]]) if host in by_host else "–" for host in HOSTS
                ]
                lines.append(row([sentence, *cells]))
        lines.append("")
    return "\n".join([*lines, UNKNOWN])


def main() -> None:
    if not RESULTS.exists():
        sys.exit("there are no results: run `make test-hosts`")
    PAGE.write_text(draw(json.loads(RESULTS.read_text()), collected()))


if __name__ == "__main__":
    main()
