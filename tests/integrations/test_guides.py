"""The example of each adapter's page, run as it stands against a model server."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.wire_formats import calls
from tests.support.wire_server import WireServer

HOWTO = Path(__file__).parents[2] / "docs" / "howto"
PAGES = ["openai-agents", "pydantic-ai", "langchain", "claude-agent", "adk"]


@pytest.mark.parametrize("page", PAGES)
def test_the_example_prints_what_the_page_says(page: str, server: WireServer, tmp_path: Path) -> None:
    ((code, expected),) = re.findall(
        r"```python\n(.*?)```\n\n```text\n(.*?)```", (HOWTO / f"{page}.md").read_text(), re.S
    )
    assert len(code.splitlines()) < 40
    write, report = calls("write", text="hello"), calls("report_complete", summary="done")
    if page == "claude-agent":
        write = calls("Write", file_path=str(tmp_path / "done.txt"), content="hello")
        report = calls("mcp__goal__report_complete", summary="done")
    server.script = [write, report]
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=_environment(server, tmp_path)
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == expected


def _environment(server: WireServer, home: Path) -> dict[str, str]:
    keys = {f"{name}_API_KEY": "a-key-of-the-tests" for name in ("OPENAI", "ANTHROPIC", "GEMINI")}
    urls = {
        "OPENAI_BASE_URL": f"{server.url}/v1",
        "ANTHROPIC_BASE_URL": server.url,
        "GOOGLE_GEMINI_BASE_URL": server.url,
    }
    quiet = {
        "HOME": str(home),
        "CLAUDE_CONFIG_DIR": str(home),
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "OPENAI_AGENTS_DISABLE_TRACING": "1",
    }
    return os.environ | keys | urls | quiet
