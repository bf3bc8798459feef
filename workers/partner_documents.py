"""Actors of partners' documents (PAR-3)."""

from __future__ import annotations

from core.database import transaction
from services import partner_documents
from workers.outbox import Message, stepwise_handler


@stepwise_handler(partner_documents.INSPECT, max_attempts=20)
async def inspect(message: Message) -> None:
    """Look into a file that was sent."""
    await partner_documents.inspect(message.payload["documentId"])


@stepwise_handler("partner_documents.sweep", max_attempts=3)
async def sweep(_message: Message) -> None:
    """Give up documents whose file never came, and erase files whose time is over."""
    abandoned = 1
    while abandoned:
        async with transaction() as session:
            abandoned = await partner_documents.abandon(session)
    while await partner_documents.purge():
        pass
