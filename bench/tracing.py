"""What tracing costs while it is off: how often a request passes a place that could make a span, and what that takes.

Two servers, one of them without these places, could not tell: the difference is a thousandth of what the machine's
other work does to a round. So the places are counted in real requests, and timed each for itself.
"""

from __future__ import annotations

import asyncio
import time
import timeit
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from bench import world
from bench.audit import STAFF, input_of, write
from bench.reads import LIST
from core import tracing
from core.database import dispose
from migrations.run import upgrade
from resolvers.mutation import run_mutation
from resolvers.root import planner

AIM = 0.99
PARTNERS = 800
REQUESTS = 300
CALLS = 200_000
PLACES = ("is_on", "traceparent")


def run(url: str) -> str:
    """Fill the database and measure; gives the section of the results."""
    return asyncio.run(_run(url))


async def _run(url: str) -> str:
    await upgrade(url)
    await world.fill(url, partners=PARTNERS, invoices_per_install=1)
    assert not tracing.is_on()
    took = {name: min(timeit.repeat(getattr(tracing, name), number=CALLS, repeat=5)) / CALLS for name in PLACES}
    lines = ["| request | ms | places passed | µs in them | of the throughput without | aim |"]
    lines.append("| --- | --- | --- | --- | --- | --- |")

    async def reading(_number: int) -> None:
        answer = await planner.execute(LIST, None, None, STAFF, allow_mutation=False, run_mutation=run_mutation)
        assert not answer.errors, answer.errors

    async def updating(number: int) -> None:
        await write("partnerUpdate", input_of("partnerUpdate", number))

    for name, execute in (("list of 50 invoices", reading), ("partnerUpdate", updating)):
        await execute(0)
        began = time.perf_counter()
        for number in range(1, REQUESTS):
            await execute(number)
        seconds = (time.perf_counter() - began) / (REQUESTS - 1)
        with _counted() as passed:
            await execute(REQUESTS)
        # The middleware asks once a request, before the planner.
        passed["is_on"] += 1
        spent = sum(took[place] * count for place, count in passed.items())
        of_without = 1 - spent / seconds
        told = f"{seconds * 1e3:.2f} | {passed.total()} | {spent * 1e6:.2f} | {of_without:.4f}"
        lines.append(f"| {name} | {told} | {AIM} |")
    await dispose()
    each = ", ".join(f"`{name}` {seconds * 1e9:.0f} ns" for name, seconds in took.items())
    return "\n".join(
        [*lines, "", f"Through the whole planner, without HTTP, one after another. A place takes: {each}.\n"]
    )


@contextmanager
def _counted() -> Iterator[Counter[str]]:
    """Counts how often each place is passed."""
    passed: Counter[str] = Counter()
    kept = {name: getattr(tracing, name) for name in PLACES}

    def counting(name: str) -> Callable[[], Any]:
        def count() -> Any:
            passed[name] += 1
            return kept[name]()

        return count

    for name in PLACES:
        setattr(tracing, name, counting(name))
    try:
        yield passed
    finally:
        for name, place in kept.items():
            setattr(tracing, name, place)
