"""Any line at all, typed by anyone: answered, and without effect where the answer says so."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from telic import Actor, GoalStore
from telic.services.chat.commands import execute
from telic.services.chat.grammar_words import TAKES_VALUE, VERBS
from telic.services.chat.replies import ReplyKind
from telic.services.chat.reply_text import render
from telic.testing import temporary_store
from tests.support.visible import dangerous

READING = frozenset({ReplyKind.STATUS, ReplyKind.LIST, ReplyKind.HISTORY, ReplyKind.HELP})
words = st.one_of(
    st.sampled_from([*VERBS, *(f"--{name}" for name in TAKES_VALUE), "--", '"', "“", "`", "2M", "none", "puase"]),
    st.text(st.characters(), max_size=20),
    st.sampled_from(["\u00a0", "\u3000", "\u202e", "\x1b[2J", "\ufeff", "\ud800"]),
)


@pytest.fixture(scope="module")
def store() -> Iterator[GoalStore]:
    with temporary_store() as opened:
        opened.create("the goal that is there")
        yield opened


@settings(max_examples=500, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(words, max_size=6), st.sampled_from([" ", "", "\n"]), st.sampled_from(list(Actor)))
def test_no_line_raises_and_no_refusal_writes(store: GoalStore, parts: list[str], separator: str, actor: Actor) -> None:
    """The reply can be shown anywhere; what is not done, or only reads, leaves every goal as it was."""
    before = store.list(limit=1000)
    reply = execute(store, "/goal " + separator.join(parts), actor=actor)
    assert dangerous(render(reply)) == []
    assert reply.starts_work <= ("--auto" in separator.join(parts).lower())
    if not reply.is_done or reply.kind in READING:
        assert store.list(limit=1000) == before
