"""Seals the audit trail all the time, as the schedule's worker does once a minute; `python -m bench.sealer SECONDS`."""

from __future__ import annotations

import asyncio
import sys

from core.database import transaction
from core.principal import SYSTEM
from services import audit_chain


async def _seal(every_seconds: float) -> None:
    while True:
        async with transaction(SYSTEM) as session:
            await audit_chain.seal(session)
        await asyncio.sleep(every_seconds)


if __name__ == "__main__":
    asyncio.run(_seal(float(sys.argv[1])))
