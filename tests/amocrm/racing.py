"""One of several processes that do the same at the same moment: `racing.py refresh KEY` or `racing.py widget TOKEN`."""

from __future__ import annotations

import asyncio
import sys

from core.database import transaction
from services import amocrm
from services.amocrm.tokens import Refreshing


async def main(what: str, told: str) -> str:
    """What came of it, in one word."""
    if what == "refresh":
        try:
            return "replaced" if await amocrm.refresh(int(told), force=False) else "nothing"
        except Refreshing:
            return "busy"
    from gateways.amocrm.signatures import BadToken

    try:
        async with transaction() as session:
            await amocrm.widget_principal(session, told)
    except BadToken:
        return "refused"
    return "welcome"


# The parent lets all begin at once, when each has loaded everything.
print("ready", flush=True)
sys.stdin.readline()
print(asyncio.run(main(sys.argv[1], sys.argv[2])), flush=True)
