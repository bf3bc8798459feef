"""Letters: their states, languages, and when a failed one is tried again (NOT-1)."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum


class MailStatus(StrEnum):
    """Whether a letter was taken by the mail server; FAILED ones wait as dead letters."""

    PENDING = "PENDING"
    SENT = "SENT"
    FAILED = "FAILED"


LOCALES = ("en", "ru")

MAIL_RETRY_DELAYS = (
    timedelta(seconds=10),
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=6),
    timedelta(hours=12),
)
