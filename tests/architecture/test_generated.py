"""What is generated is what its sources say."""

from pathlib import Path

import pytest
from tools.generate_blocking import blocking, sources


@pytest.mark.parametrize("source", sources(), ids=lambda path: path.stem)
def test_the_blocking_store_is_generated_from_the_async_one(source: Path) -> None:
    """`make generate` would change nothing."""
    assert sources()[source].read_text() == blocking(source)
