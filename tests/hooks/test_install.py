"""Settings are changed at one place, safely, and changed back to what they were."""

import json
import os
import shlex
import stat
import subprocess
import sys
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import pytest

from tests.hooks.conftest import TELIC

SETTINGS = """\
{
    "$schema": "https://json.schemastore.org/claude-code-settings.json",
    "permissions": {"allow": ["Bash(npm run test:*)", "Read(~/.zshrc)"], "deny": []},
    "env" : { "PRICE": "\\u20ac 1.50", "N": 1.0e2 },
    "hooks": {
        "PostToolUse": [
            {"matcher": "Edit|Write", "hooks": [{"type": "command", "command": "ruff format"}]}
        ],
        "Stop": [
            {
                "hooks": [
                    {"type": "command", "command": "telic-report done", "timeout": 5}
                ]
            }
        ]
    },
    "model": "opus"
}
"""
CODEX = '{"hooks": {"Stop": [{"hooks": [{"type": "command", "command": "hk stop"}]}]}, "x": [1,2]}'
TABBED = '{\r\n\t"hooks": {},\r\n\t"größe": "ü",\r\n\t"deep": [[{}]]\r\n}\r\n'


class Home:
    """A user's home and a project, and the installed command run there."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.project = folder / "project"
        for each in (self.home, self.project):
            each.mkdir()

    def __call__(self, *arguments: str, expect: int = 0, **variables: str) -> subprocess.CompletedProcess[str]:
        hidden = ("TELIC", "CLAUDE", "CODEX")
        kept = {key: value for key, value in os.environ.items() if not key.startswith(hidden)}
        kept.pop("XDG_DATA_HOME", None)
        environment = kept | {"HOME": str(self.home)} | variables
        command = [TELIC, "install", *arguments]
        result = subprocess.run(
            command, capture_output=True, text=True, env=environment, cwd=self.project, timeout=60, input=""
        )
        assert result.returncode == expect, result.stdout + result.stderr
        assert "Traceback" not in result.stderr
        return result

    def hook(self, host: str, *options: str) -> str:
        """The command that is installed: it names whose goals, and which store."""
        store = () if "--store" in options else ("--store", str(self.home / ".local/share/telic/goals.db"))
        scope = () if "--scope" in options else ("--scope", "session")
        return shlex.join([str(TELIC), "hook", host, *scope, *store, *options])

    def tree(self) -> dict[str, bytes]:
        """Every file below, by its path."""
        files = [path for folder in (self.home, self.project) for path in folder.rglob("*") if path.is_file()]
        return {str(path): path.read_bytes() for path in files}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path


def commands(path: Path) -> dict[str, list[str]]:
    """Each event's commands."""
    hooks: dict[str, Any] = json.loads(path.read_bytes())["hooks"]
    return {event: [each["command"] for group in groups for each in group["hooks"]] for event, groups in hooks.items()}


@pytest.mark.parametrize(
    ("host", "file", "text"),
    [
        ("claude-code", ".claude/settings.json", SETTINGS),
        ("claude-code", ".claude/settings.json", '{"model": "opus"}\n'),
        ("claude-code", ".claude/settings.json", '{\n  "model": "opus"\n}'),
        ("codex", ".codex/hooks.json", CODEX),
        ("codex", ".codex/hooks.json", SETTINGS),
    ],
)
def test_installed_and_removed_leaves_the_file_as_it_was(home: Home, host: str, file: str, text: str) -> None:
    """Between the two, everything else is there character by character, and every event has our command."""
    path = written(home.home / file, text)
    path.chmod(0o640)
    home(host, "--yes")
    assert {"SessionStart", "UserPromptSubmit", "Stop"} <= commands(path).keys()
    assert all(command[-1] == home.hook(host) for event, command in commands(path).items() if event != "PostToolUse")
    before, after = json.loads(text), json.loads(path.read_bytes())
    assert {key: value for key, value in after.items() if key != "hooks"} == {
        key: value for key, value in before.items() if key != "hooks"
    }
    changes = SequenceMatcher(None, text, path.read_text(), autojunk=False).get_opcodes()
    assert {kind for kind, *_ in changes} == {"equal", "insert"}
    home(host, "--yes", "--remove")
    assert path.read_bytes().decode() == text
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_line_endings_and_indentation_are_kept(home: Home) -> None:
    path = written(home.home / ".claude/settings.json", TABBED)
    home("claude-code", "--yes")
    text = path.read_bytes().decode()
    assert '\r\n\t\t"Stop": [\r\n\t\t\t{' in text
    assert "\n" not in text.replace("\r\n", "")
    assert text.endswith('\t"größe": "ü",\r\n\t"deep": [[{}]]\r\n}\r\n')
    home("claude-code", "--yes", "--remove")
    assert path.read_bytes().decode() == TABBED


@pytest.mark.parametrize("host", ["claude-code", "codex", "goose"])
def test_a_second_time_changes_nothing(home: Home, host: str) -> None:
    """Neither installing nor removing."""
    home(host, "--yes")
    first = home.tree()
    assert first
    assert home(host, "--yes").stdout == "nothing is to be changed\n"
    assert home.tree() == first
    home(host, "--yes", "--remove")
    removed = home.tree()
    assert home(host, "--yes", "--remove").stdout == "nothing is to be changed\n"
    assert home.tree() == removed


def test_other_options_replace_the_former_entry(home: Home) -> None:
    """One entry for each event, whatever was installed before; what others put beside it stays."""
    path = written(home.home / ".claude/settings.json", SETTINGS)
    home("claude-code", "--yes")
    settings = json.loads(path.read_bytes())
    settings["hooks"]["Stop"][-1]["hooks"].append({"type": "command", "command": "beep"})
    path.write_text(json.dumps(settings))
    home("claude-code", "--yes", "--scope", "folder", "--store", "my goals.db")
    words = home.hook("claude-code", "--scope", "folder", "--store", f"{home.project}/my goals.db")
    assert commands(path)["Stop"] == ["telic-report done", "beep", words]
    assert commands(path)["SessionStart"] == [words]
    home("claude-code", "--yes", "--remove")
    assert commands(path)["Stop"] == ["telic-report done", "beep"]
    assert commands(path).keys() == {"PostToolUse", "Stop"}


def test_a_host_waits_for_hooks_that_may_take_long(home: Home) -> None:
    """Twice as long as an answer may take, and never shorter than usual; removing takes these out as well."""
    home("codex", "--yes", "--answer-seconds", "240")
    hooks = json.loads((home.home / ".codex/hooks.json").read_text())["hooks"]
    handlers = {event: groups[0]["hooks"][0] for event, groups in hooks.items()}
    assert {handler["command"] for handler in handlers.values()} == {home.hook("codex", "--answer-seconds", "240")}
    assert {event: handler["timeout"] for event, handler in handlers.items()} == dict.fromkeys(handlers, 480) | {
        "Stop": 600
    }
    home("codex", "--yes", "--answer-seconds", "0.5")
    hooks = json.loads((home.home / ".codex/hooks.json").read_text())["hooks"]
    assert {groups[0]["hooks"][0]["timeout"] for groups in hooks.values()} == {10, 600}
    home("codex", "--yes", "--answer-seconds", "0", expect=2)
    home("codex", "--yes", "--remove")
    assert home.tree() == {}


def test_what_is_installed_works(home: Home, tmp_path: Path) -> None:
    """The host's shell runs the command as it is written."""
    home("codex", "--yes", "--store", str(tmp_path / "a 'store'.db"), "--scope", "team")
    command = commands(home.home / ".codex/hooks.json")["SessionStart"][0]
    environment = os.environ | {"TELIC_STORE": str(tmp_path / "a 'store'.db"), "XDG_STATE_HOME": str(tmp_path)}
    subprocess.run(
        [TELIC, "create", "in the team", "--scope", "team"], env=environment, check=True, capture_output=True
    )
    payload = json.dumps({"hook_event_name": "SessionStart", "session_id": "s", "cwd": "/"})
    result = subprocess.run(["sh", "-c", command], input=payload, capture_output=True, text=True, env=environment)
    assert "in the team" in result.stdout


def test_levels_and_the_hosts_own_variables(home: Home) -> None:
    """The project's file is shared, so it names no program of one machine."""
    home("claude-code", "--yes", "--project", "--store", "postgresql://db/goals")
    shared = home.project / ".claude/settings.json"
    assert commands(shared)["Stop"] == ["telic hook claude-code --scope session --store postgresql://db/goals"]
    home("claude-code", "--yes", CLAUDE_CONFIG_DIR=str(home.home / "elsewhere"))
    home("codex", "--yes", CODEX_HOME=str(home.home / "codex"))
    assert commands(home.home / "elsewhere/settings.json")
    assert commands(home.home / "codex/hooks.json")
    assert not (home.home / ".claude").exists()
    home("claude-code", "--project", "--user", "--yes", expect=2)


def test_goose_gets_a_plugin_of_its_own(home: Home) -> None:
    """Which goes away with its folders; files that others put there stay."""
    home("goose", "--yes")
    plugin = home.home / ".agents/plugins/telic"
    assert json.loads((plugin / "plugin.json").read_bytes())["name"] == "telic"
    assert commands(plugin / "hooks/hooks.json").keys() == {"UserPromptSubmit", "Stop", "SessionEnd"}
    home("goose", "--yes", "--remove")
    assert not plugin.exists()
    home("goose", "--yes")
    mine = written(plugin / "notes.txt", "mine")
    home("goose", "--yes", "--remove")
    assert [path for path in plugin.rglob("*") if path.is_file()] == [mine]


def test_links_are_followed_and_stay(home: Home) -> None:
    """As where settings are kept in a repository of dotfiles."""
    real = written(home.home / "dotfiles/claude.json", SETTINGS)
    link = home.home / ".claude/settings.json"
    link.parent.mkdir()
    link.symlink_to(real)
    home("claude-code", "--yes")
    assert link.is_symlink()
    assert "SessionStart" in commands(real)
    backup = real.with_name("claude.json.before-telic-1")
    assert backup.read_text() == SETTINGS
    home("claude-code", "--yes", "--remove")
    assert real.read_text() == SETTINGS


@pytest.mark.parametrize(
    "text",
    [
        '{"hooks": {',
        '{\n  // a comment\n  "model": "opus"\n}',
        "[]",
        '{"hooks": []}',
        '{"hooks": {"Stop": {}}}',
        '{"model": "opus"} trailing',
        "[" * 100_000,
        '{"a": "\xff"}',
    ],
)
@pytest.mark.parametrize("removes", [False, True])
def test_malformed_files_are_left_alone(home: Home, text: str, removes: bool) -> None:
    """With a typed error that names the file."""
    path = home.home / ".claude/settings.json"
    path.parent.mkdir()
    path.write_bytes(text.encode("latin-1"))
    before = home.tree()
    result = home("claude-code", "--yes", "--json", *(["--remove"] if removes else []), expect=2)
    assert home.tree() == before
    error = json.loads(result.stderr)["error"]
    assert error["code"] == "invalid_input"
    assert str(path) in error["message"]


def test_nothing_is_written_without_consent(home: Home) -> None:
    """The difference is shown, and nobody is there to say yes."""
    path = written(home.home / ".claude/settings.json", SETTINGS)
    before = home.tree()
    result = home("claude-code", expect=2)
    assert '+                        "timeout": 600' in result.stdout
    assert "--yes" in result.stderr
    assert home.tree() == before
    assert path.read_text() == SETTINGS


def test_hostile_settings_reach_no_terminal(home: Home) -> None:
    """What a repository's settings hold is shown with nothing hidden in it."""
    written(home.project / ".claude/settings.json", '{\n  "model": "\x7f\u202e\u200b"\n}\n')
    result = home("claude-code", "--project", expect=2)
    assert "\u202e" not in result.stdout
    assert "\\u202e" in result.stdout


@pytest.mark.parametrize("host", ["gemini", "copilot", "cursor"])
def test_hosts_whose_settings_are_written_by_hand(home: Home, host: str) -> None:
    message = home(host, "--yes", expect=2).stderr
    assert "docs/howto/hosts.md" in message
    assert home.tree() == {}


@pytest.mark.parametrize("url", ["postgresql://me:geheim@db/goals", "postgresql://db/goals?user=me&password=geheim"])
def test_passwords_are_not_written_into_settings(home: Home, url: str) -> None:
    """Wherever the URL comes from; the message says where a password belongs."""
    for result in (
        home("claude-code", "--yes", "--store", url, expect=2),
        home("claude-code", "--yes", expect=2, TELIC_STORE=url),
    ):
        assert "~/.pgpass" in result.stderr
        assert "geheim" not in result.stderr + result.stdout
    assert home.tree() == {}


@pytest.mark.parametrize(
    ("named", "written_as"),
    [
        ("goals.db", "{project}/goals.db"),
        ("/var/lib/goals.db", "/var/lib/goals.db"),
        ("sqlite:///my%20goals.db", "{project}/my goals.db"),
        ("postgresql://me@db/goals", "postgresql://me@db/goals"),
    ],
)
@pytest.mark.parametrize("way", ["option", "variable"])
def test_the_store_is_always_written(home: Home, named: str, written_as: str, way: str) -> None:
    """Hosts start hooks in other folders and environments than the one in which they were installed."""
    if way == "option":
        home("codex", "--yes", "--store", named)
    else:
        home("codex", "--yes", TELIC_STORE=named)
    (stop,) = commands(home.home / ".codex/hooks.json")["Stop"]
    words = shlex.split(stop)
    assert words[words.index("--store") + 1] == written_as.format(project=home.project)


@pytest.mark.parametrize(
    "text",
    [
        '{ "hooks" : { "Stop":[ ] , "PostToolUse": [{"hooks":[{"type":"command","command":"true"}]}]} }',
        '{"hooks": { } }',
        "{ }",
        "",
        " \n",
        "\ufeff" + SETTINGS,
        "\ufeff{}",
        TABBED,
    ],
)
def test_removed_leaves_every_character_and_no_copy(home: Home, text: str) -> None:
    """Also what holds nothing, and after other options were installed over the first; a mark of byte order stays."""
    path = written(home.home / ".claude/settings.json", text)
    before = home.tree()
    home("claude-code", "--yes")
    assert path.read_text().startswith("\ufeff") == text.startswith("\ufeff")
    home("claude-code", "--yes", "--scope", "folder")
    assert len(home.tree()) == 2
    home("claude-code", "--yes", "--remove")
    assert home.tree() == before


@pytest.mark.parametrize("host", ["claude-code", "codex", "goose"])
def test_removed_leaves_no_file_that_was_not_there(home: Home, host: str) -> None:
    home(host, "--yes")
    home(host, "--yes", "--scope", "folder")
    assert home.tree()
    home(host, "--yes", "--remove")
    assert home.tree() == {}


def test_what_was_changed_since_stays_when_hooks_are_removed(home: Home) -> None:
    """The copy is older then, and is kept beside."""
    path = written(home.home / ".claude/settings.json", SETTINGS)
    home("claude-code", "--yes")
    path.write_text(path.read_text().replace('"model": "opus"', '"model": "sonnet"'))
    home("claude-code", "--yes", "--remove")
    assert path.read_text() == SETTINGS.replace('"model": "opus"', '"model": "sonnet"')
    assert path.with_name("settings.json.before-telic-1").read_text() == SETTINGS


def test_a_folder_that_cannot_be_written(home: Home) -> None:
    """A file where the folder should be: a typed error, and nothing is changed."""
    written(home.home / ".claude", "a file")
    message = home("claude-code", "--yes", expect=2).stderr
    assert ".claude" in message
    assert (home.home / ".claude").read_text() == "a file"


def test_a_judge_is_written_into_the_command(home: Home) -> None:
    """As words that a shell reads as they were given; both at once are refused, and all is taken out again."""
    home("codex", "--yes", "--judge-command", "python3 'my judge.py'", CODEX_HOME=str(home.home))
    (stop,) = commands(home.home / "hooks.json")["Stop"]
    assert shlex.split(stop)[-2:] == ["--judge-command", "python3 'my judge.py'"]
    home("codex", "--yes", "--judge-model", "anthropic:claude-sonnet-4-5", CODEX_HOME=str(home.home))
    (stop,) = commands(home.home / "hooks.json")["Stop"]
    assert shlex.split(stop)[-2:] == ["--judge-model", "anthropic:claude-sonnet-4-5"]
    both = ("--judge-model", "a:b", "--judge-command", "true")
    assert "not both" in home("codex", "--yes", *both, expect=2, CODEX_HOME=str(home.home)).stderr
    home("codex", "--yes", "--remove", CODEX_HOME=str(home.home))
    assert not (home.home / "hooks.json").exists()


@pytest.mark.parametrize("scope", ["claude-code/0f4c7d1e", "codex/019a9775", "folder:/work", "copilot/x", "default"])
def test_nobody_is_advised_to_count_twice_what_hooks_count(home: Home, scope: str) -> None:
    """Of a session's or a folder's goal the hooks account the turns."""
    command = [TELIC, "create", "Move billing", "--scope", scope]
    environment = os.environ | {"HOME": str(home.home), "TELIC_STORE": str(home.project / "goals.db")}
    result = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=True)
    assert ("telic record" in result.stderr + result.stdout) == (scope == "default")


def test_without_a_home_nothing_is_installed_and_it_is_said_why(tmp_path: Path) -> None:
    """No HOME, and no entry for the user: one line, and nothing made."""
    script = (
        "import pathlib, sys; from telic.interfaces.cli import app\n"
        "def nobody(): raise RuntimeError('Could not determine home directory.')\n"
        "pathlib.Path.home = nobody\n"
        "sys.exit(app.run(['install', 'claude-code', '--yes', '--store', 'goals.db']))"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 2
    assert "set HOME, or give --project" in result.stderr
    assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == []
