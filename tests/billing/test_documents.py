"""Invoices and acts as PDF: issued once, kept, downloaded by links that expire (INV-4)."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import asyncpg
import httpx
import pytest
from sqlalchemy import select, text

from core import clock
from core.database import transaction
from core.ids import encode_id
from core.principal import Principal
from domain.billing import InvoiceStatus
from domain.documents import InvoiceDocumentKind
from models import Invoice, InvoiceDocument, InvoiceLine, LegalEntity, Partner
from policies.roles import ROLES
from services.documents import words
from services.documents.contents import contents
from services.documents.payment_qr import payment_text
from services.documents.render import compile_template
from services.documents.send import letter_of
from services.mail.render import write
from tests.api import payload, run
from tests.billing.conftest import STAFF
from tests.billing.renewing import run_messages
from tests.billing.subscribed import STARTED, subscribe
from tests.billing.test_legal_entities import CREATE, DETAILS
from web.app import app
from workers.handlers import register_handlers

ISSUE = """
mutation($input: InvoiceDocumentIssueInput!) { invoiceDocumentIssue(input: $input) {
  invoiceDocument { id kind number datedAt sizeBytes sha256 invoice { number documents { totalCount } } }
  link { url expiresAt } userErrors { code field } } }
"""
LINK = "query($id: ID!) { invoiceDocumentLink(id: $id) { url expiresAt } }"
PERIOD_END = datetime(2027, 7, 31, 9, 0, tzinfo=UTC)


@pytest.fixture
async def invoice(world: Any, owner: asyncpg.Connection) -> str:
    """The id of a paid invoice of a legal entity whose details are known."""
    await payload(CREATE, input=DETAILS)
    await subscribe(world)
    return encode_id("Invoice", await owner.fetchval("SELECT id FROM invoices"))


async def issue(invoice: str, kind: str = "INVOICE", who: Principal = STAFF) -> dict[str, Any]:
    return await payload(ISSUE, who, input={"invoiceId": invoice, "kind": kind})


async def get(url: str) -> httpx.Response:
    parts = urlsplit(url)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://kontora") as client:
        return await client.get(f"{parts.path}?{parts.query}")


async def test_an_invoice_is_issued_once_and_downloaded(invoice: str, owner: asyncpg.Connection) -> None:
    made = await issue(invoice)
    document = made["invoiceDocument"]
    assert made["userErrors"] == []
    assert document["invoice"] == {"number": document["number"], "documents": {"totalCount": 1}}
    answer = await get(made["link"]["url"])
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["cache-control"] == "private, no-store"
    assert answer.content.startswith(b"%PDF-")
    assert hashlib.sha256(answer.content).hexdigest() == document["sha256"]
    # Details that change later change nothing of it.
    await owner.execute("UPDATE legal_entities SET name = 'Other'")
    assert (await issue(invoice))["invoiceDocument"] == document
    keyed = {"invoiceId": invoice, "kind": "INVOICE", "idempotencyKey": "k"}
    first = await payload(ISSUE, input=keyed)
    assert first["link"]["expiresAt"]
    assert await payload(ISSUE, input=keyed) == first, "a repeat tells what the first call told"
    assert await owner.fetchval("SELECT count(*) FROM audit_events WHERE action = 'invoice_document.issue'") == 1


async def test_two_who_ask_at_once_get_the_same(invoice: str, owner: asyncpg.Connection) -> None:
    made = await asyncio.gather(*(issue(invoice) for _ in range(8)))
    assert len({one["invoiceDocument"]["id"] for one in made}) == 1
    assert await owner.fetchval("SELECT count(*) FROM invoice_documents") == 1
    assert await owner.fetchval("SELECT count(*) FROM audit_events WHERE action = 'invoice_document.issue'") == 1


async def test_links_expire_and_cannot_be_altered(invoice: str) -> None:
    link = (await issue(invoice))["link"]
    for altered in (
        link["url"].replace("/invoice-documents/1", "/invoice-documents/2"),
        link["url"].replace("signature=", "signature=0"),
        link["url"].replace("expires=", "expires=9"),
        link["url"] + "&reader=1",
        link["url"].split("?")[0],
    ):
        assert (await get(altered)).status_code == 403, altered
    clock.travel(clock.now() + timedelta(minutes=14))
    assert (await get(link["url"])).status_code == 200
    clock.travel(clock.now() + timedelta(minutes=2))
    expired = await get(link["url"])
    assert expired.status_code == 403
    assert "expired" in expired.text
    assert "%PDF" not in expired.text


async def test_an_act_waits_for_the_end_of_the_period(invoice: str) -> None:
    early = await issue(invoice, "ACT")
    assert early == {
        "invoiceDocument": None,
        "link": None,
        "userErrors": [{"code": "ACT_NOT_DUE", "field": ["input", "invoiceId"]}],
    }
    clock.travel(PERIOD_END + timedelta(days=1))
    act = (await issue(invoice, "ACT"))["invoiceDocument"]
    assert act["kind"] == "ACT"
    assert act["datedAt"].startswith("2027-07-31")


@pytest.mark.parametrize(("state", "code"), [("REFUNDED", "ACT_NOT_DUE"), ("PARTIALLY_REFUNDED", "ACT_NOT_DUE")])
async def test_no_act_of_what_was_given_back(invoice: str, owner: asyncpg.Connection, state: str, code: str) -> None:
    await owner.execute("UPDATE invoices SET status = $1", state)
    clock.travel(PERIOD_END + timedelta(days=1))
    assert (await issue(invoice, "ACT"))["userErrors"][0]["code"] == code


async def test_a_canceled_invoice_is_not_printed(invoice: str, owner: asyncpg.Connection) -> None:
    await owner.execute("UPDATE invoices SET status = 'CANCELED', paid_at = NULL, canceled_at = now()")
    assert (await issue(invoice))["userErrors"] == [{"code": "INVOICE_CANCELED", "field": ["input", "invoiceId"]}]


async def test_without_our_details_nothing_is_printed(world: Any, owner: asyncpg.Connection) -> None:
    await subscribe(world)
    made = await issue(encode_id("Invoice", await owner.fetchval("SELECT id FROM invoices")))
    assert made["userErrors"] == [{"code": "LEGAL_ENTITY_MISSING", "field": ["input", "invoiceId"]}]


async def test_partners_have_their_own_documents_only(invoice: str, world: Any, owner: asyncpg.Connection) -> None:
    other = await owner.fetchval("INSERT INTO partners (name) VALUES ('Other') RETURNING id")
    mine, theirs = (
        Principal(kind="partner", partner_id=key, permissions=ROLES["PARTNER_OWNER"][1])
        for key in (world.partner, other)
    )
    refused = await issue(invoice, who=theirs)
    assert refused["userErrors"] == [{"code": "NOT_FOUND", "field": ["input", "invoiceId"]}]
    made = await issue(invoice, who=mine)
    assert (await get(made["link"]["url"])).status_code == 200
    document = made["invoiceDocument"]["id"]
    assert (await run(LINK, theirs, id=document))["errors"][0]["extensions"]["code"] == "NOT_FOUND"
    assert (await get((await payload(LINK, mine, id=document))["url"])).status_code == 200
    assert await owner.fetchval("SELECT count(*) FROM access_log_entries WHERE operation_name LIKE '%Download'") == 0


async def test_a_look_of_our_staff_is_logged(invoice: str, world: Any, owner: asyncpg.Connection) -> None:
    user = await owner.fetchval(
        "INSERT INTO users (kind, email, full_name, password_hash) VALUES ('STAFF', 'a@b.c', 'A', 'x') RETURNING id"
    )
    who = Principal(kind="staff", user_id=user, permissions=STAFF.permissions)
    link = (await issue(invoice, who=who))["link"]
    assert (await get(link["url"])).status_code == 200
    seen = await owner.fetchrow(
        "SELECT user_id, partner_ids FROM access_log_entries WHERE operation_name LIKE '%Download'"
    )
    assert seen is not None
    assert tuple(seen) == (user, [world.partner])


async def printed(kind: InvoiceDocumentKind) -> dict[str, Any]:
    async with transaction() as session:
        invoice = (await session.scalars(select(Invoice))).one()
        lines = (await session.scalars(select(InvoiceLine))).all()
        entity = (await session.scalars(select(LegalEntity))).one()
        partner = (await session.scalars(select(Partner))).one()
        return contents(kind, invoice, lines, entity, partner, STARTED, ZoneInfo("Europe/Moscow"))


async def test_what_is_printed(invoice: str, owner: asyncpg.Connection) -> None:
    await owner.execute("UPDATE partners SET legal_name = 'ООО «Орион»', inn = '7707083893', kpp = '770701001'")
    told = await printed(InvoiceDocumentKind.INVOICE)
    assert (
        told["seller"]
        == "ООО «Контора», ИНН 9702000015, КПП 970201001, 101000, г.\u00a0Москва, ул.\u00a0Примерная, д.\u00a01"
    )
    assert told["buyer"] == "ООО «Орион», ИНН 7707083893, КПП 770701001"
    assert told["lines"][0]["amount"] == "3\u00a0000,00"
    assert told["vat_label"] == "В том числе НДС 20%"
    assert told["vat"] == "500,00"
    assert told["words"] == "Три тысячи рублей 00 копеек"
    assert told["date"] == "31 января 2027 г."
    assert "qr" not in await printed(InvoiceDocumentKind.ACT)


async def test_what_people_typed_is_never_run(invoice: str, owner: asyncpg.Connection) -> None:
    evil = '#panic("run") "; }| `#read("/etc/passwd")` $ x $ <script> \\ *b* @ref'
    await owner.execute("UPDATE partners SET legal_name = $1", evil)
    made = await issue(invoice)
    assert made["userErrors"] == []
    assert (await get(made["link"]["url"])).content.startswith(b"%PDF-")


@pytest.mark.parametrize("name", ["invoice", "act"])
async def test_many_lines_flow_over_pages(invoice: str, name: str) -> None:
    kind = InvoiceDocumentKind.INVOICE if name == "invoice" else InvoiceDocumentKind.ACT
    told = await printed(kind)
    pages = compile_template(name, {**told, "lines": told["lines"] * 80}, form="svg")
    assert len(pages) > 1


async def test_the_code_for_bank_apps(invoice: str) -> None:
    async with transaction() as session:
        entity = (await session.scalars(select(LegalEntity))).one()
        entity.bank_name = "A|B"
        found = Invoice(number="2026-000001", total=Decimal("3000.50"), currency="RUB")
        assert payment_text(entity, found, "За услуги") == (
            "ST00012|Name=ООО «Контора»|PersonalAcc=40702810200000000001|BankName=A B|BIC=044525225"
            "|CorrespAcc=30101810400000000225|PayeeINN=9702000015|KPP=970201001|Sum=300050|Purpose=За услуги"
        )
        await session.rollback()


@pytest.mark.parametrize(
    ("value", "currency", "text"),
    [
        ("0", "RUB", "Ноль рублей 00 копеек"),
        ("1.01", "RUB", "Один рубль 01 копейка"),
        ("1102.22", "RUB", "Одна тысяча сто два рубля 22 копейки"),
        ("21.5", "USD", "Двадцать один доллар 50 центов"),
        ("1000000", "UAH", "1\u00a0000\u00a0000,00 UAH"),
    ],
)
def test_amounts_in_words(value: str, currency: str, text: str) -> None:
    assert words.spelled(Decimal(value), currency) == text


SEND = """
mutation($input: InvoiceDocumentSendInput!) { invoiceDocumentSend(input: $input) {
  invoiceDocument { number kind } mail { status template } userErrors { code field } } }
"""


async def test_an_invoice_goes_by_email_with_its_pdf(invoice: str, world: Any, owner: asyncpg.Connection) -> None:
    register_handlers()
    billing = Principal(kind="staff", permissions=ROLES["BILLING"][1], roles=("BILLING",))
    asked: dict[str, Any] = {"invoiceId": invoice, "kind": "INVOICE"}
    assert (await payload(SEND, billing, input=asked))["userErrors"] == [
        {"code": "NO_RECIPIENT", "field": ["input", "contactId"]}
    ]
    add = "INSERT INTO contacts (partner_id, full_name, email, is_primary) VALUES ($1, 'Anna', $2, $3) RETURNING id"
    await owner.fetchval(add, world.partner, "anna@orion.test", True)
    second = await owner.fetchval(add, world.partner, "bill@orion.test", False)
    stranger = await owner.fetchval(
        "WITH p AS (INSERT INTO partners (name) VALUES ('Other') RETURNING id) "
        "INSERT INTO contacts (partner_id, full_name, email) SELECT id, 'Eve', 'eve@other.test' FROM p RETURNING id"
    )
    for contact, fails in (
        (encode_id("Contact", stranger), "NOT_FOUND"),
        (encode_id("Contact", second), None),
        (None, None),
    ):
        made = await payload(SEND, billing, input={**asked, "contactId": contact, "locale": "en"})
        assert [error["code"] for error in made["userErrors"]] == ([fails] if fails else [])
    assert (made["mail"], made["invoiceDocument"]["kind"]) == (
        {"status": "PENDING", "template": "invoice_document"},
        "INVOICE",
    )
    wrong = await payload(SEND, billing, input={**asked, "locale": "de"})
    assert wrong["userErrors"] == [{"code": "INVALID_VALUE", "field": ["input", "locale"]}]
    support = Principal(kind="staff", permissions=ROLES["SUPPORT"][1], roles=("SUPPORT",))
    assert (await run(SEND, support, input=asked))["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert await run_messages(owner, "mail.deliver") == 2
    letters = await owner.fetch("SELECT recipient, subject, source FROM sandbox_mails ORDER BY id")
    assert [letter["recipient"] for letter in letters] == ["bill@orion.test", "anna@orion.test"]
    assert letters[0]["subject"].startswith("Invoice 20")
    message = message_from_bytes(letters[0]["source"], EmailMessage, policy=policy.SMTP)
    (attached,) = message.iter_attachments()
    kept = await owner.fetchrow("SELECT number, content FROM invoice_documents")
    assert kept is not None
    assert (attached.get_filename(), attached.get_content()) == (f"{kept['number']}.pdf", kept["content"])
    sent = await owner.fetch("SELECT after FROM audit_events WHERE action = 'invoice_document.send'")
    assert len(sent) == 2
    assert "orion.test" not in sent[0]["after"], "addresses are personal data"


async def test_a_letter_asks_for_what_is_still_to_be_paid_only(invoice: str, owner: asyncpg.Connection) -> None:
    async with transaction() as session:
        found = (await session.scalars(select(Invoice))).one()
        document = InvoiceDocument(kind=InvoiceDocumentKind.INVOICE, number=found.number, dated_at=found.created_at)
        number = found.number
        paid = write("invoice_document", "ru", await letter_of(session, found, document))
        found.status, found.paid_at = InvoiceStatus.PENDING, None
        await session.execute(
            text(
                "UPDATE payments SET status = 'PENDING', payment_link = 'https://pay.test/1', link_expires_at = :then"
            ),
            {"then": clock.now() + timedelta(days=1)},
        )
        waiting = write("invoice_document", "ru", await letter_of(session, found, document))
        await session.rollback()
    assert "Оплатите" not in paid.text
    assert "https://pay.test/1" in waiting.text
    assert f"Счёт № {number} на 3\u00a0000,00 RUB" == waiting.subject
