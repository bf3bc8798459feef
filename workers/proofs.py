"""Actors that prove what must always hold; what does not becomes a dead letter of the job, which names it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from core.database import transaction
from core.logging import get_logger
from core.principal import SYSTEM
from ledger.verify import verify as ledger_violations
from services import invariants
from services.audit_verify import verify_audit
from services.billing.verify import verify_billing
from services.outbox import PermanentFailure
from workers.outbox import Message, outbox_handler, stepwise_handler

JOB_ATTEMPTS = 3
# Whole tables are read.
LONGEST = timedelta(hours=1)

T = TypeVar("T")

log = get_logger("workers.proofs")


@outbox_handler("outbox.verify", max_attempts=JOB_ATTEMPTS)
async def check_outbox(session: AsyncSession, message: Message) -> None:
    """Report messages that nobody takes."""
    _report(message, await invariants.stuck_outbox(session))


@stepwise_handler("ledger.verify", queue="default", max_attempts=JOB_ATTEMPTS, lease=LONGEST)
async def check_ledger(message: Message) -> None:
    """Prove the coin journal (WAL-2)."""
    _report(message, await _found(ledger_violations))


@stepwise_handler("billing.verify", queue="default", max_attempts=JOB_ATTEMPTS, lease=LONGEST)
async def check_billing(message: Message) -> None:
    """Prove what must hold between subscriptions, invoices and payments (INV-1)."""
    _report(message, await _found(verify_billing))


@stepwise_handler("audit.verify", queue="default", max_attempts=JOB_ATTEMPTS, lease=LONGEST)
async def check_audit(message: Message) -> None:
    """Prove the chain of the audit trail (ACC-6)."""
    trail = await _found(verify_audit)
    _report(message, trail.violations)
    log.info("audit trail verified", events=trail.sealed, unsealed=trail.unsealed, anchor=trail.anchor)


async def _found(proof: Callable[[AsyncSession], Awaitable[T]]) -> T:
    # A transaction of its own: marking the message done must not wait until so long a reading has ended.
    async with transaction(SYSTEM) as session:
        return await proof(session)


def _report(message: Message, violations: list[str]) -> None:
    if violations:
        log.error("an invariant is violated", job=message.kind, violations=violations)
        raise PermanentFailure("; ".join(violations))
