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
TELIC = "telic"
"""The name of Telic's own version among the versions."""
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
POSSESSIVE = re.compile(r"(\w+)s (own|words|limit|sub|hooks)\b")
INTRODUCTION = """\
# What is tested with real coding hosts

Drawn by `make test-hosts` from its results. Each host came from npm in the version that is named, and talked to a
model server of the tests, which gave each response another usage.

- *exact*: what was billed is what that server told, to the token.
- *yes*: the behaviour was seen; no figures belong to it.
- **no**: the test failed. ?: it has not been run with these versions. –: there is no such test with this host.
"""
UNKNOWN = """\
## What cannot be known

- **Claude Code**: hooks see no usage of `/compact` and of the titles that it gives to sessions: neither is in a
  transcript. `telic run` bills its compactions.
- **Codex**: what a host's own title or summary used is known only where it is in the thread's rollout file.
- **Gemini CLI**: the calls of its loop detector are in no recording.
- **opencode**, **Qwen Code**: Telic has no hooks for them. `telic run` bills both.
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
            found.setdefault((area, sentence(name)), {}).setdefault(host, []).append(node)
    return found


def sentence(name: str) -> str:
    """Return the test's name as it would be written."""
    words = POSSESSIVE.sub(r"\1's \2", name.replace("_", " ")).replace("sub agent", "sub-agent")
    return words[0].upper() + words[1:]


def collected(*options: str) -> list[str]:
    """Return the names of the tests with real hosts; none of them is run."""
    command = [sys.executable, "-m", "pytest", "tests/hosts", "--collect-only", "--quiet", "-p", "no:cacheprovider"]
    listed = subprocess.run([*command, *options], capture_output=True, text=True, cwd=ROOT, check=True)
    return [line for line in listed.stdout.splitlines() if "::" in line]


def cell(results: list[dict[str, Any]]) -> str:
    """Return how the tests of one row and host ended."""
    if any(not result for result in results):
        return "?"
    if any(result["outcome"] != "passed" for result in results):
        return "**no**"
    return "exact" if all("told" in result for result in results) else "yes"


def row(*words: str) -> str:
    return "| " + " | ".join(words) + " |"


def table(header: list[str], rows: list[list[str]]) -> list[str]:
    return [row(*header), row(*["---"] * len(header)), *(row(*each) for each in rows), ""]


def draw(results: dict[str, Any], nodes: list[str]) -> str:
    """Return the page: a row for each test, whether it has a result or not."""
    found = cases(sorted(nodes))
    lines = [INTRODUCTION, *summary(results, found)]
    for area, title in AREAS.items():
        rows = {words: by_host for (of, words), by_host in found.items() if of == area}
        hosts = [host for host in HOSTS if any(host in by_host for by_host in rows.values())]
        cells = [[words, *_cells(results["tests"], by_host, hosts)] for words, by_host in rows.items()]
        lines += [f"## {title}", "", *table(["", *(HOSTS[host] for host in hosts)], cells)]
    return "\n".join([*lines, UNKNOWN])


def _cells(tests: dict[str, Any], by_host: dict[str, list[str]], hosts: list[str]) -> list[str]:
    return [cell([tests.get(node, {}) for node in by_host[host]]) if host in by_host else "–" for host in hosts]


def summary(results: dict[str, Any], found: dict[tuple[str, str], dict[str, list[str]]]) -> list[str]:
    """Return the versions that the results stand for, and each host's sums."""
    tests, versions = results["tests"], results["versions"]
    rows = []
    for host, name in HOSTS.items():
        known = [tests.get(node, {}) for by_host in found.values() for node in by_host.get(host, [])]
        passed = sum(each.get("outcome") == "passed" for each in known)
        told, billed = (sum(each.get(what, 0) for each in known) for what in ("told", "billed"))
        rows.append([name, versions[host], f"{passed} of {len(known)}", f"{told:,}", f"{billed:,}"])
    return [
        when(tests, versions[TELIC]),
        "",
        *table(["host", "version", "tests passed", "tokens told", "tokens billed"], rows),
    ]


def when(tests: dict[str, Any], version: str) -> str:
    """Return which Telic the results are of, and from which days."""
    days = sorted({each["on"] for each in tests.values()})
    spoken = " to ".join(dict.fromkeys([days[0], days[-1]])) if days else "no day yet"
    return f"These are the results of {spoken}, with Telic {version} as it was then, and these versions of the hosts:"


def main() -> None:
    if not RESULTS.exists():
        sys.exit("there are no results: run `make test-hosts`")
    PAGE.write_text(draw(json.loads(RESULTS.read_text()), collected()))


if __name__ == "__main__":
    main()
