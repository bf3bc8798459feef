"""What must always hold of the outbox, checked on schedule in production too."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

STUCK_MINUTES = 15

# Waiting for its turn or its retry is fine; being due and not claimed for so long is not.
_STUCK = text(
    """
    SELECT message.kind, count(*) AS messages
    FROM outbox_messages AS message
    WHERE message.status = 'PENDING'
      AND greatest(message.available_at, message.locked_until) < now() - make_interval(mins => :minutes)
      AND (message.ordering_key IS NULL OR NOT EXISTS (
          SELECT FROM outbox_messages AS earlier
          WHERE earlier.ordering_key = message.ordering_key AND earlier.id < message.id
            AND earlier.status = 'PENDING'))
    GROUP BY message.kind ORDER BY message.kind
    """
)


async def stuck_outbox(session: AsyncSession) -> list[str]:
    """Kinds whose messages nobody takes, each with the number of messages; empty when all is well."""
    rows = await session.execute(_STUCK, {"minutes": STUCK_MINUTES})
    return [f"{row.kind}: {row.messages} due for over {STUCK_MINUTES} minutes" for row in rows]
