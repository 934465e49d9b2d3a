"""Each command is found by its name, and brings only itself."""

import subprocess
import sys

import pytest

from telic.interfaces.cli import app

LITTLE = ("active", "list", "pause", "turns", "hold")


def test_every_name_leads_to_the_command_of_that_name() -> None:
    """The table of sections names each command, and each module's commands are all in it."""
    commands = app.every_command()
    assert all(command.name == name for name, command in commands.items())
    assert list(commands) == [name for section in app.SECTIONS.values() for name in section]


@pytest.mark.parametrize("name", LITTLE)
def test_a_short_command_loads_little(name: str) -> None:
    """Neither another command, nor what only loops, hooks, servers and screens need."""
    script = (
        f"import sys; from telic.interfaces.cli import app; assert app.run([{name!r}, '--help']) == 0;"
        "modules = ('telic.loop', 'telic.integrations', 'telic.store.asynchronous', 'telic.interfaces.cli.run');"
        "print([each for each in sys.modules if each.split('.')[0] in ('asyncio', 'ssl', 'rich', 'psycopg')"
        " or each.startswith(modules)])"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[]"
