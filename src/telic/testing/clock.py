"""A clock that tests set."""

from telic.domain.clock import Instant


class FakeClock:
    """Tells the time it was told, in microseconds since the epoch; it may jump either way."""

    def __init__(self, microseconds: int = 1_800_000_000_000_000) -> None:
        self.microseconds = microseconds

    def now(self) -> Instant:
        """The present instant."""
        return Instant(self.microseconds)

    def advance(self, seconds: float) -> None:
        """The time is this much later; earlier, for a negative number."""
        self.microseconds += round(seconds * 1_000_000)
