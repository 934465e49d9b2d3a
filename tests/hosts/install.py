"""Installs the pinned coding hosts into `.hosts`, from the lock beside this file.

Run by `make test-hosts`. The packages' install scripts are not run, save the two that put a host's program in place.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
FOLDER = HERE.parents[1] / ".hosts"
"""Git ignores it, and `make clean` removes it."""
PROGRAMS = FOLDER / "node_modules" / ".bin"
OLDEST_NODE = 20
INSPECTOR = "mcp-inspector-cli"
INSTALL_SCRIPTS = ("@anthropic-ai/claude-code/install.cjs", "opencode-ai/postinstall.mjs")
HOSTS = {
    "claude": "@anthropic-ai/claude-code",
    "codex": "@openai/codex",
    "copilot": "@github/copilot",
    "gemini": "@google/gemini-cli",
    "opencode": "opencode-ai",
    "qwen": "@qwen-code/qwen-code",
    INSPECTOR: "@modelcontextprotocol/inspector-cli",
}
"""The package of each host's program, and of the MCP server's inspector."""


def pinned_versions() -> dict[str, str]:
    """Return the version of each host's program."""
    pins = json.loads((HERE / "package.json").read_text())["dependencies"]
    return {program: pins[package] for program, package in HOSTS.items()}


def require_node() -> None:
    """Exit with a message unless a Node.js that is new enough, and npm, are there."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        sys.exit(f"the tests with real coding hosts need Node.js {OLDEST_NODE} or newer and npm on the PATH")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.removeprefix("v").split(".")[0]) < OLDEST_NODE:
        sys.exit(f"the tests with real coding hosts need Node.js {OLDEST_NODE} or newer; this one is {version}")


def install() -> None:
    """Make `.hosts` hold exactly what the lock names."""
    require_node()
    FOLDER.mkdir(exist_ok=True)
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copyfile(HERE / name, FOLDER / name)
    # Not `npm ci`: it refuses a lock that lacks other platforms' optional packages, and not every mirror has them all.
    subprocess.run(["npm", "install", "--ignore-scripts"], cwd=FOLDER, check=True)
    for script in INSTALL_SCRIPTS:
        subprocess.run(["node", f"node_modules/{script}"], cwd=FOLDER, check=True)
    missing = [program for program in HOSTS if not (PROGRAMS / program).exists()]
    if missing:
        sys.exit(f"npm installed no program named {', '.join(missing)}")


if __name__ == "__main__":
    install()
