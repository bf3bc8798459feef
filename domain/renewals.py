"""When a renewal is charged, and when waiting for it ends (SUB-4)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta


def next_charge(period_start: datetime, days: Sequence[int], after: datetime) -> datetime | None:
    """The next moment to charge the stored card for a period; None when the schedule is over.

    Parameters:
        period_start: when the period to be paid for begins.
        days: days after that on which the card is charged, ascending.
        after: a charge at or before this moment has failed.
    """
    for day in days:
        moment = period_start + timedelta(days=day)
        if moment > after:
            return moment
    return None


def grace_end(past_due_at: datetime, grace_days: int) -> datetime:
    """When access ends for a subscription whose renewal nobody paid."""
    return past_due_at + timedelta(days=grace_days)
