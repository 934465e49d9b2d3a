"""A chat that understands `/goal`, at its barest."""

from contextlib import suppress

import telic
from telic.services.chat.commands import execute
from telic.services.chat.grammar import is_goal_command
from telic.services.chat.reply_text import render

with telic.connect("goals.db") as store, suppress(EOFError):
    while line := input("> "):
        if is_goal_command(line):
            print(render(execute(store, line)))
        else:
            print("(here your agent answers)")
