"""Effects outside the database: states of outbox messages, dead letters and events to products."""

from __future__ import annotations

from enum import StrEnum


class OutboxStatus(StrEnum):
    """DONE happened; DEAD has failed for good and waits for a person as a dead letter."""

    PENDING = "PENDING"
    DONE = "DONE"
    DEAD = "DEAD"


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
