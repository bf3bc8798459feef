"""What callers are told of failures that nobody foresaw: nothing but where to ask, or that the database is away."""

from __future__ import annotations

from typing import Any

from structlog.typing import FilteringBoundLogger

from core import metrics
from core.errors import KontoraError
from core.out_of_reach import is_out_of_reach

RETRY_AFTER_SECONDS = 1


class Unavailable(KontoraError):
    """The database is out of reach. The same may be sent again, under the same idempotency key."""

    code = "UNAVAILABLE"


def masked(error: Exception, log: FilteringBoundLogger, event: str, **where: Any) -> KontoraError:
    """The failure as callers may know it; the log has the whole of it, under the request's id.

    Parameters:
        event: what the log calls it.
    """
    if is_out_of_reach(error):
        log.warning("the database is out of reach", error=type(error).__name__, **where)
        return Unavailable(
            "the database is out of reach for the moment; send the same again, under the same idempotency key"
        )
    log.exception(event, **where)
    metrics.UNEXPECTED.inc()
    return KontoraError("something went wrong on our side; tell us the request id", code="INTERNAL")


def status_of(failure: KontoraError) -> int:
    """The HTTP status of a masked failure."""
    return 503 if isinstance(failure, Unavailable) else 500
