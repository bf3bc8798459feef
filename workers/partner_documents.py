"""Actors of partners' documents (PAR-3)."""

from __future__ import annotations

from services import partner_documents
from workers.chunks import chunk_by_chunk
from workers.outbox import Message, stepwise_handler


@stepwise_handler(partner_documents.INSPECT, max_attempts=20)
async def inspect(message: Message) -> None:
    """Look into a file that was sent."""
    await partner_documents.inspect(message.payload["documentId"])


@stepwise_handler("partner_documents.sweep", max_attempts=3)
async def sweep(_message: Message) -> None:
    """Give up documents whose file never came, and erase files whose time is over."""
    await chunk_by_chunk(partner_documents.abandon)
    while await partner_documents.purge():
        pass
