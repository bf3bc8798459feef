"""Actors of wallets: recorded charges, notices, automatic purchases, and what ends by itself."""

from __future__ import annotations

from functools import partial

from sqlalchemy.ext.asyncio import AsyncSession

from services import wallets
from services.wallets.notices import LOW
from services.wallets.recorded import RECORDED
from services.wallets.top_up import TOP_UP
from workers.chunks import chunk_by_chunk
from workers.outbox import Message, outbox_handler, stepwise_handler

CHUNK_ROWS = 500
JOB_ATTEMPTS = 3


async def _charge_failed(session: AsyncSession, message: Message, error: str) -> None:
    await wallets.tell_charge_failed(session, message.payload, error)


@outbox_handler(RECORDED, given_up=_charge_failed)
async def charge_recorded(session: AsyncSession, message: Message) -> None:
    """Apply a charge that was refused once; refused again, it waits for a person (WAL-4)."""
    await wallets.charge_recorded(session, message.payload)


@outbox_handler(LOW)
async def tell_low(session: AsyncSession, message: Message) -> None:
    """Tell the product that a wallet runs low (WAL-6)."""
    await wallets.tell_low(session, message.payload["walletId"])


@outbox_handler(TOP_UP)
async def fill_up(session: AsyncSession, message: Message) -> None:
    """Buy coins for a wallet that ran low, if it still is (WAL-5)."""
    await wallets.fill_up(session, message.payload["walletId"])


@outbox_handler("wallets.sweep_top_ups", max_attempts=JOB_ATTEMPTS)
async def sweep_top_ups(session: AsyncSession, _message: Message) -> None:
    """Ask again for wallets that are low and buy nothing."""
    await wallets.sweep_top_ups(session, CHUNK_ROWS)


@stepwise_handler("wallets.expire", queue="default", max_attempts=JOB_ATTEMPTS)
async def expire(_message: Message) -> None:
    """End holds and bonus coins whose time is over, a transaction a chunk."""
    for work in (wallets.expire_holds, wallets.expire_lots):
        await chunk_by_chunk(partial(work, limit=CHUNK_ROWS))
