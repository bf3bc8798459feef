"""Two sides measured one right after the other, in turn, so that what else the machine does hits both."""

from __future__ import annotations

import statistics
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

Measure = Callable[[], Awaitable[float]]


@dataclass(frozen=True)
class Paired:
    """What pairs of rounds saw, in the unit of the measurements; what counts is the median of the pairs' ratios.

    Parameters:
        limit: the side that ours is held against.
    """

    limit: float
    ours: float
    ratio: float
    lowest: float
    highest: float

    @property
    def told(self) -> str:
        """The ratio with the range of the pairs."""
        return f"{self.ratio:.2f} ({self.lowest:.2f}–{self.highest:.2f})"


async def paired(limit: Measure, ours: Measure, *, pairs: int) -> Paired:
    """Measure so many pairs, each side first in every other one; a round of each goes before and is not counted."""
    await limit()
    await ours()
    found: list[tuple[float, float]] = []
    for number in range(pairs):
        if number % 2:
            reached = await ours()
            found.append((await limit(), reached))
        else:
            allowed = await limit()
            found.append((allowed, await ours()))
    ratios = [reached / allowed for allowed, reached in found]
    limits, reached_ones = zip(*found, strict=True)
    return Paired(
        limit=statistics.median(limits),
        ours=statistics.median(reached_ones),
        ratio=statistics.median(ratios),
        lowest=min(ratios),
        highest=max(ratios),
    )
