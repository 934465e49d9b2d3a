"""Reports over more than one part of a ledger, and sums beyond 64 bits, on rows that plain SQL has put there."""

import asyncio

import pytest

import telic
from telic.types import UsageGrouping
from tests.support.raw import execute

LARGEST = 2**53 - 1

GOALS = """
WITH RECURSIVE numbers AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM numbers WHERE n < {count})
INSERT INTO goals (id, scope, text, criteria, status, reason, revision, turns_used, tokens_used, input_tokens_used,
    cached_input_tokens_used, output_tokens_used, reasoning_tokens_used, active_microseconds_used,
    cost_microunits_used, created_at, changed_at, creation_key, event_count, event_hash, turn_hash, ledger_count)
SELECT 'goal-' || n, 'scope', 'text', '[]', 'paused', 'user', 1, {lines}, {tokens}, 0, 0, 0, 0, 0, 0,
    5, 5, 'key-' || n, 1, '', '', {lines} FROM numbers
"""
TURNS = """
WITH RECURSIVE numbers AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM numbers WHERE n < {lines})
INSERT INTO turns (goal_id, number, key, at, tokens, input_tokens, cached_input_tokens, output_tokens,
    reasoning_tokens, active_microseconds, cost_microunits, hash, kind, model)
SELECT id, n, 'turn-' || n, 5, {tokens}, 0, 0, 0, 0, 0, 0, '', 'work', 'model-' || (n % 3) FROM goals, numbers
"""


def fill(location: str, *, goals: int, lines: int, tokens: str, used: str) -> None:
    """So many goals with so many lines each."""
    telic.connect(location).close()
    execute(location, GOALS.format(count=goals, lines=lines, tokens=used))
    execute(location, TURNS.format(lines=lines, tokens=tokens))


def test_sums_beyond_64_bits_are_exact(location: str) -> None:
    """More in one group than any database's integers hold: nothing wraps, fails or is rounded."""
    fill(location, goals=1_500, lines=1, tokens=str(LARGEST), used=str(LARGEST))
    assert 1_500 * LARGEST > 2**63
    with telic.connect(location) as store:
        for by in UsageGrouping:
            report = store.usage(by=by)
            assert report.total.usage.tokens == 1_500 * LARGEST
            assert (len(report.groups), report.left_out) == ((1_000, 500) if by is UsageGrouping.GOAL else (1, 0))
        assert store.usage(by=UsageGrouping.SCOPE, until=telic.types.Instant(6)).total.usage.tokens == 1_500 * LARGEST


@pytest.mark.parametrize(("goals", "lines"), [(2, 25_000), (2_100, 11), (1, 10_000), (1, 10_001)])
def test_each_line_is_in_one_part(location: str, goals: int, lines: int) -> None:
    """A ledger longer than a part, and more goals than a page has: each line is counted once."""
    fill(location, goals=goals, lines=lines, tokens="n", used=str(lines * (lines + 1) // 2))
    with telic.connect(location) as store:
        for by in UsageGrouping:
            total = store.usage(by=by, since=telic.types.Instant(1)).total
            assert (total.lines, total.usage.turns) == (goals * lines, goals * lines)
            assert total.usage.tokens == goals * lines * (lines + 1) // 2
        models = {group.name: group.sum.lines for group in store.usage(by=UsageGrouping.MODEL).groups}
        assert models == {f"model-{rest}": goals * len(range(rest or 3, lines + 1, 3)) for rest in range(3)}


async def test_a_long_report_keeps_no_task_waiting(location: str) -> None:
    """While an async store adds up a long ledger, the loop's other tasks go on."""
    fill(location, goals=1, lines=60_000, tokens="n", used="1")
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            await asyncio.sleep(0)
            beats += 1

    async with telic.connect_async(location) as store:
        beating = asyncio.create_task(beat())
        await store.usage(by=UsageGrouping.MODEL)
        beating.cancel()
    assert beats >= 6, "six parts of 10,000 lines, and nobody had a turn between them"
