"""A worker that issues renewals chunk by chunk, and is killed in the middle of its work from outside."""

from __future__ import annotations

import asyncio

from core.database import transaction
from services import billing


async def _work() -> None:
    while True:
        async with transaction() as session:
            if not await billing.issue_due_renewals(session, rows=7):
                return
        print("chunk", flush=True)


asyncio.run(_work())
