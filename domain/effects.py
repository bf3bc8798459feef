"""Effects outside the database: states of outbox messages, dead letters and events to products."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum


class OutboxStatus(StrEnum):
    """DONE happened; DEAD has failed for good and waits for a person as a dead letter."""

    PENDING = "PENDING"
    DONE = "DONE"
    DEAD = "DEAD"


class JobOutcome(StrEnum):
    """What came of a run of a scheduled job: PENDING waits or runs; SKIPPED where the run before still did."""

    PENDING = "PENDING"
    DONE = "DONE"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"


# In the payload of a scheduled job's message, and of no other.
DUE_AT = "dueAt"


class DeadLetterStatus(StrEnum):
    """What a person decided about work that failed for good."""

    OPEN = "OPEN"
    REPLAYED = "REPLAYED"
    DISCARDED = "DISCARDED"


class EventStatus(StrEnum):
    """Delivery of an event to a product's endpoint; SKIPPED where the product has no endpoint."""

    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"


RETRY_BASE_SECONDS = 2.0
RETRY_LONGEST_SECONDS = 600.0
RETRY_JITTER = 0.2

EVENT_RETRY_DELAYS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)


def retry_delay(attempt: int, luck: float, delays: Sequence[timedelta] = ()) -> timedelta:
    """How long to wait after the failed attempt number ``attempt`` (from 1).

    Parameters:
        luck: a random number from 0 to 1 that spreads retries by a fifth either way.
        delays: a fixed table; without one the delay doubles from two seconds up to ten minutes.
    """
    if delays:
        seconds = delays[min(attempt, len(delays)) - 1].total_seconds()
    else:
        seconds = min(RETRY_BASE_SECONDS * 2.0 ** min(attempt - 1, 30), RETRY_LONGEST_SECONDS)
    return timedelta(seconds=seconds * (1 + RETRY_JITTER * (2 * luck - 1)))


class EndpointPurpose(StrEnum):
    """The three endpoints of a product (CAT-1)."""

    INSTALL = "INSTALL"
    ACTIVATE = "ACTIVATE"
    DISABLE = "DISABLE"

    @property
    def column(self) -> str:
        """Name of the product's column."""
        return f"{self.value.lower()}_endpoint"


# After so many failures in a row an endpoint is left alone: a minute, then twice as long each time, an hour at most.
CIRCUIT_FAILURES = 5
CIRCUIT_FIRST = timedelta(minutes=1)
CIRCUIT_LONGEST = timedelta(hours=1)


# An endpoint that has taken nothing for so long gets nothing more until a ping finds it well.
DISABLED_AFTER = timedelta(days=5)


def circuit_pause(failures: int) -> timedelta | None:
    """How long an endpoint is left alone after its failure number ``failures`` in a row; None while it is called on."""
    if failures < CIRCUIT_FAILURES:
        return None
    return min(CIRCUIT_FIRST * 2.0 ** min(failures - CIRCUIT_FAILURES, 10), CIRCUIT_LONGEST)
