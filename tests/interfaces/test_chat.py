"""The chat of the guide, as a program that a person types into."""

import re
import subprocess
import sys
from pathlib import Path

from telic.services.chat.grammar_words import TAKES_VALUE, Verb

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "howto" / "chat.md").read_text()
ID = re.compile(r"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-)?\b[0-9a-f]{12}\b")
AGE = re.compile(r"(?<=age {10})\d+s")


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)
    assert found is not None
    return found[1]


def unified(text: str) -> str:
    return AGE.sub("AGE", ID.sub(lambda match: "LONG" if match[1] else "SHORT", text))


def test_the_guides_chat_goes_as_it_says(tmp_path: Path) -> None:
    """The program of the guide, given the lines of its session, answers as in its session."""
    session = block("text")
    typed = re.findall(r"^> (.*)$", session, re.MULTILINE)
    assert len(typed) == 6
    command = [sys.executable, "-c", block("python")]
    result = subprocess.run(
        command, input="\n".join(typed), capture_output=True, text=True, cwd=tmp_path, encoding="utf-8"
    )
    assert result.returncode == 0, result.stderr
    assert unified(result.stdout) == unified(re.sub(r"^> .*\n", "> ", session, flags=re.MULTILINE) + "> ")


def test_the_example_is_the_guides() -> None:
    """One program, in two places."""
    assert (ROOT / "examples" / "chat.py").read_text().split('"""\n\n')[1] == block("python")


def test_the_guide_names_every_command_and_option() -> None:
    """Nothing can be typed that the guide does not tell."""
    assert [verb for verb in Verb if f"/goal {verb}" not in GUIDE] == []
    assert [name for name in TAKES_VALUE if f"--{name}" not in GUIDE and name != "help"] == []
