"""What products hear of bills that nobody has ordered in them: issued, paid, withdrawn (NOT-2)."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import asyncpg

from core.database import transaction
from services import billing
from services.billing.invoices import cancel_invoice, mark_paid
from services.billing.one_off import AskedLine
from tests.billing.conftest import STAFF


async def bill(world: Any, *, install: bool = True) -> int:
    async with transaction() as session:
        invoice, _ = await billing.create_invoice(
            session,
            STAFF,
            partner_id=world.partner,
            install_id=world.install if install else None,
            currency="RUB",
            lines=[AskedLine("Training", Decimal(1), Decimal("1999.99"))],
        )
        return invoice.id


async def heard(owner: asyncpg.Connection) -> list[str]:
    return [row["type"] for row in await owner.fetch("SELECT type FROM product_events ORDER BY id")]


async def test_a_bill_is_told_when_it_is_issued_and_when_it_is_paid(world: Any, owner: asyncpg.Connection) -> None:
    invoice_id = await bill(world)
    async with transaction() as session:
        await mark_paid(session, STAFF, invoice_id=invoice_id, note="Bank transfer")
    assert await heard(owner) == ["invoice.created", "invoice.paid"]
    told = json.loads(await owner.fetchval("SELECT payload FROM product_events ORDER BY id DESC LIMIT 1"))["data"]
    row = await owner.fetchrow("SELECT number FROM invoices")
    assert row is not None
    assert (told["invoiceNumber"], told["kind"], told["total"]) == (row["number"], "ONE_OFF", "1999.99")


async def test_a_bill_that_was_told_of_is_told_as_withdrawn(world: Any, owner: asyncpg.Connection) -> None:
    invoice_id = await bill(world)
    async with transaction() as session:
        await cancel_invoice(session, STAFF, invoice_id=invoice_id)
    assert await heard(owner) == ["invoice.created", "invoice.canceled"]


async def test_a_bill_of_no_install_is_told_to_nobody(world: Any, owner: asyncpg.Connection) -> None:
    for ends in (mark_paid, cancel_invoice):
        invoice_id = await bill(world, install=False)
        more = {"note": "x"} if ends is mark_paid else {}
        async with transaction() as session:
            await ends(session, STAFF, invoice_id=invoice_id, **more)
    assert await heard(owner) == []
