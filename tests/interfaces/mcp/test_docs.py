"""What the page about MCP shows is carried out: its settings start servers, its table is the servers' own."""

import json
import re
import shlex
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx2
import pytest

from telic.interfaces.mcp.conversation import Role, ServerSettings
from telic.interfaces.mcp.tools import tools_for
from tests.interfaces.mcp.clients import HANDSHAKE, RawStdio, over_http

PAGE = (Path(__file__).parents[3] / "docs" / "howto" / "mcp.md").read_text()


PROJECT = "/home/ada/billing"
"""The project's folder on the page."""


def _settings() -> list[dict[str, Any]]:
    """Every host's settings of the server called telic, as the page has them."""
    as_json = [json.loads(block)["mcpServers"] for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]
    as_toml = [tomllib.loads(block)["mcp_servers"] for block in re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)]
    return [each["telic"] for each in [*as_json, *as_toml]]


def test_settings_for_standard_input_start_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line of `claude mcp add` is the same as that in its file."""
    commands = {(each["command"], *each["args"]) for each in _settings() if "command" in each}
    (line,) = re.findall(r"^\$ claude mcp add telic -- (.*)$", PAGE, re.MULTILINE)
    assert tuple(shlex.split(line.replace("$PWD", PROJECT))) in commands
    assert len(commands) == 2
    monkeypatch.chdir("/")
    for program, subcommand, *named in commands:
        assert (program, subcommand) == ("telic", "mcp")
        arguments = [each.replace(PROJECT, str(tmp_path)) for each in named]
        with RawStdio(str(tmp_path / "goals.db"), *arguments) as raw:
            raw.shake_hands()
            raw.end()


def test_settings_name_whole_paths() -> None:
    """A host starts its servers in any folder: a relative store would be another one in each."""
    for each in _settings():
        options = dict(pairwise(each.get("args", ["mcp"])))
        paths = [options[name] for name in ("--store", "--workspace") if name in options]
        assert all(Path(path).is_absolute() for path in paths), each
        assert ("command" in each) == ("--store" in options)


def test_settings_for_http_fit_the_server(tmp_path: Path) -> None:
    """Its path, its port, and the variable that holds the token."""
    remote = [each for each in _settings() if "url" in each]
    token = "a-token-of-the-docs-0123456789"
    with over_http(str(tmp_path / "goals.db"), TELIC_MCP_TOKEN=token) as server:
        for each in remote:
            assert each["url"] == "http://127.0.0.1:7420/mcp"
            url = each["url"].replace(":7420", f":{server.port}")
            given = each.get("headers", {}).get("Authorization") or f"Bearer ${{{each['bearer_token_env_var']}}}"
            assert given == "Bearer ${TELIC_MCP_TOKEN}"
            headers = server.headers() | {"authorization": given.replace("${TELIC_MCP_TOKEN}", token)}
            assert httpx2.post(url, json=HANDSHAKE[0], headers=headers).status_code == 200
    assert len(remote) == 2


def test_the_table_of_tools_is_the_servers_own() -> None:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("|")]
    told = {name: row[1:4] for row in rows[2:] for name in re.findall(r"`(\w+)`", row[0])}
    offered = {
        role: tools_for(ServerSettings(role=role, agent_may_create=may_create))
        for role, may_create in zip(Role, (False, True, False), strict=True)
    }
    assert set(told) == set(offered[Role.OPERATOR])
    for name, cells in told.items():
        assert [cell != "–" for cell in cells] == [name in offered[role] for role in Role], name
    assert "create_goal" not in tools_for(ServerSettings(role=Role.AGENT))


@pytest.mark.parametrize("option", sorted(set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", PAGE))))
def test_options_on_the_page_are_real(option: str) -> None:
    from telic.interfaces.cli.app import every_command

    known = {name for command in every_command().values() for each in command.params for name in each.opts}
    assert option in known
