"""Charges that were refused and are kept: tried once more by a worker, then a person has the last word (WAL-4)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.database import driver_connection, transaction
from core.principal import Principal
from ledger import charge as ledger
from ledger.charge import Charge
from models import Install
from services import events, idempotency
from services.outbox import PermanentFailure, enqueue_many
from services.wallets.usage import product_of, refusal_of

RECORDED = "usage.charge"


async def record_charges(actor: Principal, asked: Sequence[Charge]) -> list[bool]:
    """Keep charges that were refused, each reference once, in one transaction.

    Gives for each whether it is kept, now or before; not so where its reference stands for another charge.
    """
    payloads = [_payload(actor, charge) for charge in asked]
    keys = [_record_key(charge) for charge in asked]
    hashes = [idempotency.input_hash(payload) for payload in payloads]
    # Where a reference comes twice, the first one is claimed.
    first = {key: place for place, key in reversed(list(enumerate(keys)))}
    async with transaction() as session:
        claimed = await idempotency.claim_many(
            session, actor, mutation=RECORDED, inputs={key: hashes[place] for key, place in first.items()}
        )
        partners = await _partners_of(session, {charge.install_id for charge in asked})
        new = sorted(first[key] for key in claimed.new)
        messages = [(payloads[place], partners.get(asked[place].install_id)) for place in new]
        await enqueue_many(session, RECORDED, messages)
    return [claimed.inputs[key] == hashed for key, hashed in zip(keys, hashes, strict=True)]


async def charge_recorded(session: AsyncSession, payload: dict[str, Any]) -> None:
    """Apply a recorded charge; its reference makes a repeat harmless.

    Raises:
        PermanentFailure: it is refused still; a person may replay it once the wallet has been filled.
    """
    asked = Charge(payload["installId"], Decimal(payload["amount"]), payload["reference"], payload["description"])
    charged = await ledger.charge_coins(
        await driver_connection(session),
        product_id=payload["productId"],
        charge=asked,
        actor=payload["actor"],
        at=clock.now(),
    )
    refusal = refusal_of(charged, asked.amount)
    if refusal is not None:
        raise PermanentFailure(f"{refusal.code}: {refusal.message}")


async def tell_charge_failed(session: AsyncSession, payload: dict[str, Any], reason: str) -> None:
    """Tell the product that a recorded charge waits for a person."""
    install = await session.get(Install, payload["installId"], with_for_update={"key_share": True})
    if install is not None and install.product_id == payload["productId"]:
        told = {name: payload[name] for name in ("amount", "reference", "description")}
        await events.emit(session, install, "wallet.charge_failed", {**told, "reason": reason})


def _payload(actor: Principal, asked: Charge) -> dict[str, Any]:
    return {
        "productId": product_of(actor),
        "installId": asked.install_id,
        "amount": str(asked.amount),
        "reference": asked.reference,
        "description": asked.description,
        "actor": actor.label,
    }


def _record_key(asked: Charge) -> str:
    told = f"{asked.install_id}:{asked.reference}"
    return told if len(told) <= idempotency.MAX_KEY_CHARS else hashlib.sha256(told.encode()).hexdigest()


async def _partners_of(session: AsyncSession, installs: set[int]) -> dict[int, int]:
    rows = await session.execute(select(Install.id, Install.partner_id).where(Install.id.in_(installs)))
    return {install_id: partner_id for install_id, partner_id in rows}
