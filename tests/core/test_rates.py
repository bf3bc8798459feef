"""Rates: never more than the burst and the rate allow, never less than the rate."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.rates import BURST_SECONDS, MOST_SUBJECTS, SMALLEST_BURST_CALLS, RateLimited, Rates


@given(per_minute=st.integers(1, 6_000), pauses=st.lists(st.floats(0, 30), max_size=60))
def test_no_more_than_the_rate_and_no_less(per_minute: int, pauses: list[float]) -> None:
    now = 1_000.0
    rates = Rates(lambda: now)
    interval = 60 / per_minute
    burst = max(BURST_SECONDS, SMALLEST_BURST_CALLS * interval)
    taken: list[float] = []
    for pause in pauses:
        now += pause
        try:
            rates.take("a", per_minute)
            taken.append(now)
        except RateLimited as refused:
            # Who waits as told is served.
            now += refused.retry_after_seconds
            rates.take("a", per_minute)
            taken.append(now)
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            assert (last - first) * interval <= taken[last] - taken[first] + burst + 1e-6


def test_subjects_do_not_disturb_each_other_and_are_forgotten() -> None:
    now = 0.0
    rates = Rates(lambda: now)
    for _ in range(10):
        rates.take("a", 60)
    with pytest.raises(RateLimited) as refused:
        rates.take("a", 60)
    assert refused.value.retry_after_seconds == 1
    rates.take("b", 60)
    now += 1
    rates.take("a", 60)
    for number in range(MOST_SUBJECTS + 10):
        rates.take(number, 60)
    assert len(rates._used_until) <= MOST_SUBJECTS
    now += 100
    rates.take("c", 60)
    assert list(rates._used_until) == ["c"]
