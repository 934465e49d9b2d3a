"""Any command that prints text. Its usage is unknown; its last line may claim, as `telic.loop.agents.claims` says."""

from telic.domain.clock import Instant
from telic.loop.agents.claims import read_claim
from telic.loop.agents.parsing import Parsed, TextTail


class PlainParser:
    """Text, and a claim on its last line."""

    def __init__(self) -> None:
        self._text = TextTail()

    def take(self, line: bytes) -> None:
        """The line is the text's last; bytes that are no UTF-8 become U+FFFD."""
        self._text.add(line.decode(errors="replace"))

    def parsed(self, now: Instant) -> Parsed:
        """The text and what it claims."""
        text = str(self._text)
        return Parsed(text=text, statement=read_claim(text, now))
