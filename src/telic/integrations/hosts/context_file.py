"""A file that a host shows to its model with every request: it holds what the model is to know of the goal."""

from pathlib import Path
from typing import Final

from telic.integrations.hosts.files import write_whole
from telic.integrations.hosts.log import Log
from telic.integrations.hosts.session_state import private_folder
from telic.integrations.hosts.usage import home

_FOLDER: Final = "context"
_MAX_BYTES: Final = 65_536
"""What goose reads of it. A block that was cut would not end."""


def write_context(state: Path, name: str | None, text: str, log: Log) -> None:
    """The file holds the text, or nothing; one that is not in Telic's own folder `context` is left alone."""
    if not name or "\0" in name:
        return
    file = home() / name[2:] if name.startswith("~/") else Path(name)
    if file.parent != state / _FOLDER:
        return
    if len(text.encode()) > _MAX_BYTES:
        log.write(f"the goal is too long for {file}, which the host reads {_MAX_BYTES} bytes of")
        text = ""
    if not text and not file.exists():
        return
    try:
        private_folder(file.parent)
        write_whole(file, text)
    except OSError as error:
        log.write(f"{file} cannot be written: {error}")
