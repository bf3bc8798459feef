"""Payments by tables: a dry run tells what they would settle, one bad row keeps all out, each id comes once (PAR-5)."""

from __future__ import annotations

import io
from datetime import date
from typing import Any

import asyncpg
import httpx
import openpyxl
import pytest

from core.database import transaction
from domain.catalog import Term
from services import billing
from tests.billing.conftest import world
from tests.billing.renewing import run_messages
from tests.bulk.conftest import READ, Work, ask
from tests.factories.world import STAFF
from workers.outbox import Outcome

__all__ = ["world"]
APPLY = (
    "mutation($input: ImportApplyInput!) { importApply(input: $input) { bulkOperation { id } userErrors { code } } }"
)
MONEY = """
query($id: ID!) { outsidePayments(filter: {bulkOperationId: $id}, first: 10) {
  nodes { externalId source status reason amount { amount } paidAt bulkOperation { kind } invoice { status } } } }
"""


@pytest.fixture
async def invoice(world: Any, owner: asyncpg.Connection) -> str:
    """The number of an open invoice over 300 RUB, of a partner with an INN."""
    await owner.execute("UPDATE partners SET inn = '7707083893'")
    async with transaction() as session:
        made, _ = await billing.create_subscription(
            session, STAFF, install_id=world.install, plan_id=world.plan, term=Term.MONTH, seats=3
        )
        return made.number


async def imported(staff: httpx.AsyncClient, work: Work, content: str | bytes, *, dry_run: bool = False) -> Any:
    data = content.encode() if isinstance(content, str) else content
    answer = await staff.post(f"/api/v1/import/payments?dryRun={str(dry_run).lower()}", content=data)
    assert answer.status_code == 202, answer.text
    operation = answer.json()["bulkOperation"]["id"]
    assert await work(operation) is Outcome.DONE
    return await ask(staff, READ, id=operation)


async def test_a_dry_run_tells_what_would_be_settled_and_is_then_applied(
    staff: httpx.AsyncClient, work: Work, owner: asyncpg.Connection, invoice: str
) -> None:
    rows = f"externalId;amount;paidAt;invoiceNumber;purpose\n1;300,00;26.11.2026;{invoice};\n2;1 050,5;2026-11-26;;За что-то\n"
    dry = await imported(staff, work, rows, dry_run=True)
    assert (dry["status"], dry["createdCount"], dry["matchedCount"], dry["problemCount"]) == ("COMPLETED", 2, 1, 0)
    assert await owner.fetchval("SELECT count(*) FROM outside_payments") == 0
    assert await run_messages(owner, "payment_import.match") == 0
    applied = (await ask(staff, APPLY, input={"id": dry["id"]}))["bulkOperation"]["id"]
    assert await work(applied) is Outcome.DONE
    assert await owner.fetchval("SELECT count(*) FROM outside_payments WHERE status = 'NEW'") == 2
    assert await run_messages(owner, "payment_import.match") == 1
    told = (await ask(staff, MONEY, id=applied))["nodes"]
    assert [(one["externalId"], one["status"], one["reason"], one["amount"]["amount"]) for one in told] == [
        ("2", "UNMATCHED", "NO_INVOICE", "1050.50"),
        ("1", "MATCHED", None, "300.00"),
    ]
    assert told[1]["invoice"] == {"status": "PAID"}
    assert told[1]["paidAt"].startswith("2026-11-25T21:00:00"), "a day begins in the legal entity's time zone"
    assert {(one["source"], one["bulkOperation"]["kind"]) for one in told} == {("TABLE", "PAYMENT_IMPORT")}
    again = await imported(staff, work, rows + "3;1;2026-11-26;;\n")
    assert (again["createdCount"], again["rowCount"]) == (1, 3), "an id comes once"
    assert await owner.fetchval("SELECT count(*) FROM payments WHERE status = 'CONFIRMED'") == 1


async def test_one_bad_row_keeps_all_out_and_each_is_told(
    staff: httpx.AsyncClient, work: Work, owner: asyncpg.Connection
) -> None:
    await imported(staff, work, "externalId,amount,paidAt\nknown,5,2026-11-26\n")
    told = await imported(
        staff,
        work,
        "externalId,amount,paidAt,currency,payerInn\n"
        "good,1.00,2026-11-26\n,1,2026-11-26\na,,2026-11-26\nb,0,2026-11-26\nc,0.001,2026-11-26\nd,1e400,2026-11-26\n"
        "e,1,soon\nf,1,\ng,1,2026-11-26,rub\nh,1,2026-11-26,,7707083894\ni,1,2026-11-26\ni,1,2026-11-26\n"
        "known,6,2026-11-26\n",
    )
    assert (told["status"], told["errorCode"], told["createdCount"]) == ("FAILED", "ROWS_REFUSED", 0)
    assert [(p["rowNumber"], p["columnName"], p["code"]) for p in told["problems"]["nodes"]] == [
        (3, "externalId", "INVALID_VALUE"),
        (4, "amount", "INVALID_AMOUNT"),
        (5, "amount", "INVALID_AMOUNT"),
        (6, "amount", "INVALID_AMOUNT"),
        (7, "amount", "INVALID_AMOUNT"),
        (8, "paidAt", "INVALID_VALUE"),
        (9, "paidAt", "INVALID_VALUE"),
        (10, "currency", "INVALID_VALUE"),
        (11, "payerInn", "INVALID_INN"),
        (12, "externalId", "REPEATED"),
        (13, "externalId", "REPEATED"),
        (14, "externalId", "EXTERNAL_ID_REUSED"),
    ]
    assert await owner.fetchval("SELECT array_agg(external_id) FROM outside_payments") == ["known"]


async def test_a_workbook_has_days_and_numbers_of_its_own(
    staff: httpx.AsyncClient, work: Work, owner: asyncpg.Connection
) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["externalId", "amount", "paidAt"])
    sheet.append([77, 1234.56, date(2026, 11, 26)])
    content = io.BytesIO()
    book.save(content)
    assert (await imported(staff, work, content.getvalue()))["createdCount"] == 1
    row = await owner.fetchrow("SELECT external_id, amount::text, paid_at::text FROM outside_payments")
    assert tuple(row) == ("77", "1234.56", "2026-11-25 21:00:00+00")


async def test_it_takes_its_own_permission(staff: httpx.AsyncClient, work: Work, owner: asyncpg.Connection) -> None:
    dry = await imported(staff, work, "externalId,amount,paidAt\n1,1,2026-11-26\n", dry_run=True)
    await owner.execute("DELETE FROM user_roles")
    await owner.execute(
        "INSERT INTO user_permissions (user_id, permission) SELECT id, unnest(ARRAY['partner:read', 'partner:write', "
        "'partner:all_rows', 'bulk_operation:read', 'bulk_operation:write']) FROM users"
    )
    refused = await staff.post("/api/v1/import/payments", content=b"externalId,amount,paidAt\n1,1,2026-11-26\n")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "FORBIDDEN")
    answer = await staff.post("/graphql", json={"query": APPLY, "variables": {"input": {"id": dry["id"]}}})
    assert answer.json()["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    await owner.execute("DELETE FROM user_permissions WHERE permission = 'bulk_operation:write'")
    partners = await staff.post("/api/v1/import/partners", content=b"name\nx\n")
    assert (partners.status_code, partners.json()["error"]["code"]) == (403, "FORBIDDEN"), "importing needs its own too"
    assert await owner.fetchval("SELECT count(*) FROM bulk_operations") == 1
