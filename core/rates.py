"""How often a caller may call: an even rate with a burst of ten seconds. Each process keeps `Rates` for itself."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

from core.errors import UserError

BURST_SECONDS = 10.0
SMALLEST_BURST_CALLS = 10
MOST_SUBJECTS = 50_000


class RateLimited(UserError):
    """The caller calls too often.

    Parameters:
        retry_after_seconds: when the next call is taken.
    """

    code = "RATE_LIMITED"

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(f"too many requests; try again in {retry_after_seconds} s")
        self.retry_after_seconds = retry_after_seconds


def pace(per_minute: int) -> tuple[float, float]:
    """Seconds that a call uses up, and how many seconds may be used up beforehand."""
    interval = 60.0 / per_minute
    return interval, max(BURST_SECONDS, SMALLEST_BURST_CALLS * interval)


class Rates:
    """Rates of many subjects, one number each: the moment until which a subject has used up its calls (GCRA).

    Parameters:
        now: a clock that never goes back, in seconds.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._used_until: OrderedDict[Hashable, float] = OrderedDict()

    def take(self, subject: Hashable, per_minute: int) -> None:
        """Count a call.

        Raises:
            RateLimited: it is one too many; it is not counted.
        """
        now = self._now()
        interval, burst = pace(per_minute)
        used_until = max(now, self._used_until.get(subject, now)) + interval
        over = used_until - now - burst
        if over > interval * 1e-6:
            raise RateLimited(max(1, math.ceil(over)))
        self._used_until[subject] = used_until
        self._used_until.move_to_end(subject)
        self._forget(now)

    def _forget(self, now: float) -> None:
        """Those that called longest ago go first; who has nothing used up is as good as unknown."""
        while self._used_until:
            subject, used_until = next(iter(self._used_until.items()))
            if used_until > now and len(self._used_until) <= MOST_SUBJECTS:
                break
            del self._used_until[subject]
