"""Actors of the audit trail: sealing and months (ACC-6)."""

from __future__ import annotations

from core.database import transaction
from core.logging import get_logger
from core.principal import SYSTEM
from services import audit_chain, audit_months
from workers.outbox import Message, stepwise_handler

# A run that finds more to do leaves it to the next one, a minute later.
SEGMENTS_A_RUN = 50
JOB_ATTEMPTS = 3

log = get_logger("workers.audit")


@stepwise_handler("audit.seal", queue="default", max_attempts=JOB_ATTEMPTS)
async def seal_audit(_message: Message) -> None:
    """Seal what has been written; each segment's anchor goes to the log, which is kept elsewhere."""
    for _ in range(SEGMENTS_A_RUN):
        async with transaction(SYSTEM) as session:
            segment = await audit_chain.seal(session)
        if segment is None:
            break
        log.info("audit segment sealed", events=segment.events, anchor=audit_chain.anchor(segment))


@stepwise_handler("audit.months", queue="default", max_attempts=JOB_ATTEMPTS)
async def keep_audit_months(_message: Message) -> None:
    """Make the coming months and let go of those whose time is over."""
    async with transaction(SYSTEM) as session:
        await audit_months.make_months(session)
    while True:
        async with transaction(SYSTEM) as session:
            month = await audit_months.expire_month(session)
        if month is None:
            break
        log.info("a month of the audit trail was let go", month=month.isoformat())
