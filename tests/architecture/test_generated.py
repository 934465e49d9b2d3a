"""What is generated is what its sources say."""

from pathlib import Path

import pytest
from tools.generate_blocking import blocking, sources


@pytest.mark.parametrize("source", sources(), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_what_blocks_is_generated_from_what_is_awaited(source: Path) -> None:
    """`make generate` would change nothing."""
    assert sources()[source].read_text() == blocking(source)
