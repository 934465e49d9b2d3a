"""Any command that prints text. Its usage is unknown; its last line may claim, as `telic.loop.agents.claims` says."""

from typing import Final

from telic.domain.claim import Claim
from telic.domain.clock import Instant
from telic.loop.agents.claims import read_claim
from telic.loop.agents.json_lines import JsonLinesParser, is_telling
from telic.loop.agents.json_reader import Parsed, TextTail

_RECOGNISED: Final = "the agent prints JSON lines, which are read as such; --format json-lines says so from the start"


class PlainParser:
    """Text, and a claim on its last line; lines of Telic's own protocol, and nothing else, are read as that."""

    def __init__(self) -> None:
        self._text = TextTail()
        self._lines: JsonLinesParser | None = JsonLinesParser()
        self._tells = False

    def take(self, line: bytes) -> None:
        """The line is the text's last; bytes that are no UTF-8 become U+FFFD."""
        self._text.add(line.decode(errors="replace"))
        if self._lines is None or not line.strip():
            return
        kind = is_telling(line)
        if kind is None:
            self._lines = None
            return
        self._tells = self._tells or kind
        self._lines.take(line)

    def _recognised(self) -> JsonLinesParser | None:
        return self._lines if self._tells else None

    def so_far(self) -> Parsed:
        """See `OutputParser`."""
        lines = self._recognised()
        if lines is None:
            return Parsed()
        known = lines.so_far()
        return Parsed(
            usage=known.usage,
            model=known.model,
            session=known.session,
            notice=_RECOGNISED,
            without_cost=known.without_cost,
        )

    def parsed(self, now: Instant) -> Parsed:
        """The text and what it claims."""
        lines = self._recognised()
        if lines is not None:
            return lines.parsed(now)
        text = str(self._text)
        statement = read_claim(text, now)
        return Parsed(text=text, statement=statement, makes_claims=statement.claim is not Claim.WORKING)
