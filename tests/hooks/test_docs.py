"""What the page about hosts shows is carried out."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.hooks.conftest import TELIC, HostProgram, on_hosts

PAGE = (Path(__file__).parents[2] / "docs" / "howto" / "hosts.md").read_text()


def test_the_commands_run(tmp_path: Path) -> None:
    """Each line as it is shown, in a new home, without being asked."""
    lines = [line[2:] for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
    assert len(lines) == 6
    own = {
        "HOME": str(tmp_path),
        "TELIC_STORE": str(tmp_path / "goals.db"),
        "PATH": f"{TELIC.parent}:{os.environ['PATH']}",
    }
    for line in lines:
        command = line.partition("  #")[0] + (" --yes" if " install " in line else "")
        result = subprocess.run(
            ["bash", "-c", command], capture_output=True, text=True, env=os.environ | own, cwd=tmp_path
        )
        assert result.returncode == 0, result.stderr
    assert (tmp_path / ".claude/settings.json").exists()
    assert (tmp_path / ".codex/hooks.json").exists()


@on_hosts("gemini", "copilot")
def test_the_settings_to_write_by_hand_work(program: HostProgram) -> None:
    """Every command in them answers the moment that it stands for."""
    section = PAGE.partition(f"## {'Gemini' if program.name == 'gemini' else 'Copilot'} CLI")[2]
    settings = json.loads(section.partition("```json\n")[2].partition("```")[0])
    entries = [entry for groups in settings["hooks"].values() for entry in groups]
    commands = [each for entry in entries for each in entry.get("hooks", [entry])]
    assert {each.get("command", each.get("bash")) for each in commands} == {f"telic hook {program.name}"}
    moments = ("session_start", "prompt", "stop", "session_end")
    names = {program.payload(moment)["hook_event_name"] for moment in moments}
    assert settings["hooks"].keys() == names


def test_the_table_tells_the_truth_about_contexts() -> None:
    """Each host's line says yes where its answers say yes."""
    from telic.integrations.hosts.payload import HookEvent
    from telic.integrations.hosts.session_goal import HOSTS

    table = PAGE.partition("\n## ")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("|")
    ]
    assert len(rows) == 2 + len(HOSTS)
    for row, host in zip(rows[2:], HOSTS.values(), strict=True):
        told = [row[1], row[2]]
        takes = [moment in host.contexts for moment in (HookEvent.SESSION_START, HookEvent.PROMPT)]
        assert told == ["yes" if each else "no" for each in takes], row[0]
        assert row[5].startswith("yes") == (host.usage_reader is not None or host.usage_table is not None)


@pytest.mark.parametrize(
    "variable",
    [
        "XDG_STATE_HOME",
        "CLAUDE_PROJECT_DIR",
        "CLAUDE_CONFIG_DIR",
        "CODEX_HOME",
        "GOOSE_PATH_ROOT",
        "GOOSE_MOIM_MESSAGE_FILE",
        "COPILOT_HOME",
    ],
)
def test_variables_on_the_page_are_real(variable: str) -> None:
    source = Path(__file__).parents[2] / "src" / "telic"
    assert variable in PAGE
    assert any(variable in path.read_text() for path in source.rglob("*.py"))
