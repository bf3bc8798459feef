"""Operations through the whole planner within this process, timed one by one, without HTTP."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from typing import Any

from core.principal import Principal
from policies.permissions import ALL
from resolvers.mutation import run_mutation
from resolvers.root import planner

STAFF = Principal(kind="staff", permissions=ALL, roles=("SUPERADMIN",))


async def timed(source: str, caller: Principal = STAFF, /, **variables: Any) -> float:
    """How long an operation takes, milliseconds; our staff asks unless told.

    Raises:
        SystemExit: it has errors.
    """
    began = time.perf_counter()
    answer = await planner.execute(source, None, variables, caller, allow_mutation=False, run_mutation=run_mutation)
    spent = (time.perf_counter() - began) * 1_000
    if answer.errors:
        raise SystemExit(f"{variables}: {answer.errors}")
    return spent


def percentiles(times: Sequence[float]) -> tuple[float, float]:
    """The median and the 95th percentile."""
    return statistics.median(times), statistics.quantiles(times, n=20)[-1]
