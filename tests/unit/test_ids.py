"""Ids are UUIDs of version 7."""

import uuid

from hypothesis import given
from hypothesis import strategies as st

from telic.domain.clock import Instant
from telic.domain.ids import check_id_prefix, new_goal_id, short_ids

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


@given(instants)
def test_goals_of_one_millisecond_are_shown_apart(at: Instant) -> None:
    """What is shown of one of them is chance alone, a search takes it, and no id begins with it."""
    made = [new_goal_id(at) for _ in range(50)]
    shown = [short_ids([each])[0] for each in made]
    assert len(set(shown)) == len(made)
    assert [check_id_prefix(each) for each in shown] == shown
    assert not any(other.startswith(each) for each in shown for other in made)


def test_ids_with_one_end_are_shown_longer() -> None:
    """As much as tells them apart; the same id twice is no reason."""
    ids = ["0193a2b4-c5d6-7000-8000-70958252b478", "0193a2b4-c5d6-7000-9000-70958252b478"]
    assert short_ids(ids) == ["8000-70958252b478", "9000-70958252b478"]
    assert short_ids([ids[0], ids[0]]) == ["70958252b478"] * 2
