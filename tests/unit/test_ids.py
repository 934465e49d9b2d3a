"""Ids are UUIDs of version 7."""

import uuid

from hypothesis import given
from hypothesis import strategies as st

from telic.domain.clock import Instant
from telic.domain.ids import new_goal_id

instants = st.integers(0, (1 << 48) * 1000 - 1).map(Instant)


@given(instants)
def test_an_id_is_a_uuid_of_version_7(at: Instant) -> None:
    """Version, variant and time are where RFC 9562 has them."""
    made = uuid.UUID(new_goal_id(at))
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == at // 1000


@given(instants, instants)
def test_later_ids_sort_later(first: Instant, second: Instant) -> None:
    """By the millisecond."""
    if first // 1000 < second // 1000:
        assert new_goal_id(first) < new_goal_id(second)


@given(instants, st.binary(min_size=10, max_size=32))
def test_given_chance_repeats_the_id(at: Instant, randomness: bytes) -> None:
    """Imports find what they made before; other chance gives another id."""
    assert new_goal_id(at, randomness) == new_goal_id(at, randomness)
    assert new_goal_id(at) != new_goal_id(at)
