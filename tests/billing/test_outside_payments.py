"""Money that came outside of gateways: told by other systems, by bank statements, decided by people (INV-5)."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from core import crypto
from core.database import transaction
from core.ids import encode_id
from core.principal import Principal
from domain.catalog import Term
from policies.roles import ROLES
from services import billing
from tests.api import payload, run
from tests.billing.conftest import STAFF
from tests.billing.renewing import run_messages
from tests.served import served
from web.app import build

ACCOUNT = "40802000000000000007"
EXAMPLE = Path(__file__).parents[2] / "client-examples" / "import_bank_statement.py"
OTHER = "30233000000000000004"
MATCH = """
mutation($input: OutsidePaymentMatchInput!) { outsidePaymentMatch(input: $input) {
  outsidePayment { status reason invoice { status } } userErrors { code field } } }
"""
IGNORE = """
mutation($input: OutsidePaymentIgnoreInput!) { outsidePaymentIgnore(input: $input) {
  outsidePayment { status note } userErrors { code field } } }
"""
REOPEN = """
mutation($input: OutsidePaymentReopenInput!) { outsidePaymentReopen(input: $input) {
  outsidePayment { status reason } userErrors { code field } } }
"""


def document(number: str, amount: str, purpose: str, *, inn: str = "7707083893", **more: str) -> str:
    """One incoming document."""
    values = {
        "Номер": number,
        "Дата": "13.11.2026",
        "Сумма": amount,
        "ДатаПоступило": "13.11.2026",
        "Плательщик1": 'ООО "Орион"',
        "ПлательщикСчет": OTHER,
        "ПлательщикИНН": inn,
        "ПолучательСчет": ACCOUNT,
        "НазначениеПлатежа": purpose,
        **more,
    }
    lines = "\n".join(f"{key}={value}" for key, value in values.items() if value)
    return f"СекцияДокумент=Платежное поручение\n{lines}\nКонецДокумента\n"


def statement(*documents: str, end: str = "КонецФайла\n", version: str = "1.03") -> str:
    """A whole file."""
    return (
        f"1CClientBankExchange\nВерсияФормата={version}\nКодировка=Windows\nДатаНачала=01.11.2026\n"
        f"ДатаКонца=16.11.2026\nРасчСчет={ACCOUNT}\n\nСекцияРасчСчет\nРасчСчет={ACCOUNT}\nВсегоПоступило=300\n"
        f"КонецРасчСчет\n{''.join(documents)}{end}"
    )


class Office:
    """The accounting system, with an API token."""

    def __init__(self, http: httpx.AsyncClient, token: str) -> None:
        self.http = http
        self.headers = {"Authorization": f"Bearer {token}"}

    async def tell(self, **values: Any) -> httpx.Response:
        return await self.http.post("/api/external/payments", json=values, headers=self.headers)

    async def upload(self, text: str, encoding: str = "cp1251", **query: str) -> httpx.Response:
        return await self.http.post(
            "/api/external/bank-statements", content=text.encode(encoding), headers=self.headers, params=query
        )


@pytest.fixture
async def office(owner: asyncpg.Connection) -> AsyncIterator[Office]:
    """A signed-in accounting system."""
    user = await owner.fetchval(
        "INSERT INTO users (kind, email, full_name, password_hash) VALUES ('STAFF', '1c@b.c', '1C', 'x') RETURNING id"
    )
    await owner.execute(
        "INSERT INTO user_roles (user_id, role_id) SELECT $1, id FROM roles WHERE name = 'BILLING'", user
    )
    token = crypto.random_token("kat")
    await owner.execute(
        "INSERT INTO api_tokens (user_id, name, token_hash, hint, permissions, expires_at) "
        "VALUES ($1, '1C', $2, 'x', '{outside_payment:read,outside_payment:write}', now() + interval '1 day')",
        user,
        crypto.keyed_hash(token, "api_token"),
    )
    transport = httpx.ASGITransport(build(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://kontora.test") as http:
        yield Office(http, token)


@pytest.fixture
async def invoice(world: Any, owner: asyncpg.Connection) -> str:
    """The number of an open invoice over 300 RUB, of a partner with an INN."""
    await owner.execute("UPDATE partners SET inn = '7707083893'")
    async with transaction() as session:
        made, _ = await billing.create_subscription(
            session, STAFF, install_id=world.install, plan_id=world.plan, term=Term.MONTH, seats=3
        )
        return made.number


async def status(owner: asyncpg.Connection, number: str) -> str:
    found: str = await owner.fetchval("SELECT status FROM invoices WHERE number = $1", number)
    return found


async def test_another_system_tells_that_an_invoice_is_paid(
    office: Office, invoice: str, owner: asyncpg.Connection
) -> None:
    asked = {"externalId": "1c-77", "amount": "300.00", "invoiceNumber": invoice, "paidAt": "2026-11-20"}
    first = await office.tell(**asked)
    assert first.status_code == 201, first.text
    assert first.json() == {
        "externalId": "1c-77",
        "status": "MATCHED",
        "reason": None,
        "invoiceNumber": invoice,
        "amount": "300.00",
        "currency": "RUB",
    }
    again = await office.tell(**asked)
    assert (again.status_code, again.json()) == (200, first.json())
    assert (await office.tell(**{**asked, "amount": "301"})).status_code == 409
    assert await status(owner, invoice) == "PAID"
    assert await owner.fetchval("SELECT status FROM subscriptions") == "ACTIVE"
    assert await owner.fetchval("SELECT count(*) FROM payments WHERE method = 'MANUAL'") == 1
    shown = await office.http.get("/api/external/payments/1c-77", headers=office.headers)
    assert shown.json() == first.json()
    assert (await office.http.get("/api/external/payments/none", headers=office.headers)).status_code == 404


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"amount": "299.99"}, "OTHER_AMOUNT"),
        ({"currency": "USD"}, "OTHER_CURRENCY"),
        ({"payerInn": "500100732259"}, "OTHER_PAYER"),
        ({"invoiceNumber": "2026-999999"}, "NO_INVOICE"),
    ],
)
async def test_what_is_in_doubt_waits_for_a_person(
    office: Office, invoice: str, owner: asyncpg.Connection, values: dict[str, str], reason: str
) -> None:
    told = await office.tell(**{"externalId": "x", "amount": "300", "invoiceNumber": invoice, **values})
    assert (told.json()["status"], told.json()["reason"]) == ("UNMATCHED", reason)
    assert await status(owner, invoice) == "PENDING"


@pytest.mark.parametrize(
    ("values", "status_code", "field"),
    [
        ({"amount": "0"}, 422, "amount"),
        ({"amount": "1.001"}, 422, "amount"),
        ({"amount": 1.5}, 400, "amount"),
        ({"externalId": ""}, 400, "externalId"),
        ({"paidAt": "yesterday"}, 400, "paidAt"),
        ({"payerInn": "7707083894"}, 422, "payerInn"),
        ({"currency": "rub"}, 422, "currency"),
        ({"sum": "1"}, 400, "sum"),
    ],
)
async def test_wrong_bodies_name_their_field(
    office: Office, owner: asyncpg.Connection, values: dict[str, Any], status_code: int, field: str
) -> None:
    told = await office.tell(**{"externalId": "x", "amount": "300", **values})
    assert (told.status_code, told.json()["error"]["field"]) == (status_code, field)
    assert await owner.fetchval("SELECT count(*) FROM outside_payments") == 0


async def test_only_with_a_token_of_the_right_scope(office: Office, owner: asyncpg.Connection) -> None:
    body = {"externalId": "x", "amount": "300"}
    assert (await office.http.post("/api/external/payments", json=body)).status_code == 401
    assert (await office.http.post("/api/external/bank-statements", content=b"x")).status_code == 401
    await owner.execute("UPDATE api_tokens SET permissions = '{invoice:read}'")
    await asyncio.sleep(2.1)
    assert (await office.tell(**body)).status_code == 403


async def test_many_in_one_request(office: Office, invoice: str) -> None:
    told = await office.tell(
        payments=[
            {"externalId": "a", "amount": "300", "invoiceNumber": invoice},
            {"externalId": "b", "amount": "300", "invoiceNumber": invoice},
            {"externalId": "a", "amount": "5"},
            {"externalId": "c", "amount": "0.001"},
            {"externalId": "d", "amount": "1", "payerInn": "1"},
            {"externalId": "e", "amount": "1"},
        ]
    )
    results = told.json()["results"]
    assert [one.get("status") or one["error"]["code"] for one in results] == [
        "MATCHED",
        "UNMATCHED",
        "EXTERNAL_ID_REUSED",
        "INVALID_AMOUNT",
        "INVALID_INN",
        "UNMATCHED",
    ]
    assert results[3]["error"]["field"] == "amount"
    assert results[1]["reason"] == "NOT_PAYABLE"


@pytest.mark.parametrize("encoding", ["cp1251", "utf-8", "utf-8-sig", "cp866"])
async def test_a_statement_settles_what_is_in_no_doubt(
    office: Office, invoice: str, owner: asyncpg.Connection, encoding: str
) -> None:
    text = statement(
        document("1", "300.00", f"Оплата по счету № {invoice} от 12.11.2026. НДС не облагается"),
        document("2", "50", "За что-то"),
        document("3", "77", "Наше", ПлательщикСчет=ACCOUNT, ПолучательСчет=OTHER, ДатаСписано="13.11.2026"),
    ).replace("\n", "\r\n")
    text = text if encoding != "cp866" else text.replace("№", "N")
    dry = await office.upload(text, encoding, dryRun="true")
    expected = {
        "bankStatementId": None,
        "documents": 3,
        "incoming": 2,
        "incomingTotal": "350.00",
        "bankTotal": "300.00",
        "repeated": 0,
        "expected": {"MATCHED": 1, "NO_INVOICE": 1},
    }
    assert (dry.status_code, dry.json()) == (200, expected)
    assert await owner.fetchval("SELECT count(*) FROM outside_payments") == 0
    done = await office.upload(text, encoding, fileName="kl_to_1c.txt")
    assert done.status_code == 202
    assert await run_messages(owner, "bank_statement.match") == 1
    assert await status(owner, invoice) == "PAID"
    rows = await owner.fetch("SELECT document_number, status, reason FROM outside_payments ORDER BY document_number")
    assert [tuple(row) for row in rows] == [("1", "MATCHED", None), ("2", "UNMATCHED", "NO_INVOICE")]
    same = await office.upload(text, encoding)
    assert (same.status_code, same.json()["error"]["code"]) == (409, "STATEMENT_KNOWN")
    # Another file with the same documents brings only what is new.
    more = await office.upload(text.replace("КонецФайла", document("9", "1", "x") + "КонецФайла"), encoding)
    assert (more.json()["repeated"], more.json()["expected"]) == (2, {"NO_INVOICE": 1})
    assert await owner.fetchval("SELECT count(*) FROM outside_payments") == 3


async def test_the_same_file_twice_at_once_is_taken_once(office: Office, invoice: str) -> None:
    text = statement(document("1", "300", f"Счет {invoice}"))
    told = await asyncio.gather(*(office.upload(text) for _ in range(4)))
    assert sorted(one.status_code for one in told) == [202, 409, 409, 409]
    assert {one.json()["error"]["code"] for one in told if one.is_error} == {"STATEMENT_KNOWN"}


async def test_without_a_number_payer_and_amount_decide(
    office: Office, invoice: str, owner: asyncpg.Connection
) -> None:
    await office.upload(statement(document("1", "300", "Оплата за ноябрь")))
    await run_messages(owner, "bank_statement.match")
    assert await status(owner, invoice) == "PAID"


async def test_two_sums_for_one_invoice_settle_it_once(office: Office, invoice: str, owner: asyncpg.Connection) -> None:
    await office.upload(statement(*(document(str(n), "300", f"Счет {invoice}, платеж {n}") for n in range(5))))
    await run_messages(owner, "bank_statement.match")
    rows = await owner.fetch("SELECT status, reason, count(*) FROM outside_payments GROUP BY 1, 2 ORDER BY 1")
    assert [tuple(row) for row in rows] == [("MATCHED", None, 1), ("UNMATCHED", "NOT_PAYABLE", 4)]
    assert await owner.fetchval("SELECT count(*) FROM payments WHERE method = 'MANUAL'") == 1


@pytest.mark.parametrize(
    ("text", "line", "field"),
    [
        ("", 1, "1CClientBankExchange"),
        ("hello", 1, "1CClientBankExchange"),
        ("1CClientBankExchange\nhello", 1, "Кодировка"),
        (statement(end=""), 12, "КонецФайла"),
        (statement(version="2.00"), 2, "ВерсияФормата"),
        (statement(document("1", "", "x")), 12, "Сумма"),
        (statement(document("1", "1,234", "x")), 15, "Сумма"),
        (statement(document("1", "-5", "x")), 15, "Сумма"),
        (statement(document("1", "5", "x", ДатаПоступило="2026-11-13")), 16, "ДатаПоступило"),
        (statement(document("", "5", "x")), 12, "Номер"),
        (statement(document("1", "5", "x", ПолучательСчет="40802000000000000008")), 12, "ПолучательСчет"),
        (statement(document("1", "5", "x").replace("КонецДокумента\n", "")), 23, "КонецФайла"),
        (statement("КонецДокумента\n"), 12, "КонецДокумента"),
    ],
)
async def test_a_broken_file_is_refused_whole_with_line_and_key(
    office: Office, owner: asyncpg.Connection, text: str, line: int, field: str
) -> None:
    told = await office.upload(text)
    assert (told.status_code, told.json()["error"]["code"]) == (422, "MALFORMED_STATEMENT")
    problem = told.json()["error"]["problems"][0]
    assert problem["field"] == field
    assert problem["line"] == line
    assert await owner.fetchval("SELECT count(*) FROM bank_statements") == 0


async def test_people_match_put_aside_and_think_better_of_it(
    office: Office, invoice: str, owner: asyncpg.Connection
) -> None:
    await office.tell(externalId="a", amount="299", invoiceNumber=invoice)
    await office.tell(externalId="b", amount="300")
    invoice_id = encode_id("Invoice", await owner.fetchval("SELECT id FROM invoices"))
    first, second = [
        encode_id("OutsidePayment", row["id"])
        for row in await owner.fetch("SELECT id FROM outside_payments ORDER BY id")
    ]
    wrong = await payload(MATCH, input={"id": first, "invoiceId": invoice_id, "idempotencyKey": "k"})
    assert wrong["userErrors"] == [{"code": "OTHER_AMOUNT", "field": ["input", "invoiceId"]}]
    aside = await payload(IGNORE, input={"id": first, "note": "Sent back by the bank"})
    assert aside["outsidePayment"] == {"status": "IGNORED", "note": "Sent back by the bank"}
    assert (await payload(IGNORE, input={"id": first, "note": "x"}))["userErrors"][0]["code"] == "CONFLICT"
    waits = await payload(REOPEN, input={"id": first})
    assert waits["outsidePayment"] == {"status": "UNMATCHED", "reason": "OTHER_AMOUNT"}
    dry = await payload(MATCH, input={"id": second, "invoiceId": invoice_id, "idempotencyKey": "k2", "dryRun": True})
    assert dry["outsidePayment"]["invoice"] == {"status": "PAID"}
    assert await status(owner, invoice) == "PENDING"
    made = await asyncio.gather(
        *(payload(MATCH, input={"id": second, "invoiceId": invoice_id, "idempotencyKey": f"n{n}"}) for n in range(6))
    )
    assert sum(not one["userErrors"] for one in made) == 1
    assert await status(owner, invoice) == "PAID"
    support = Principal(kind="staff", permissions=ROLES["SUPPORT"][1])
    refused = await run(MATCH, support, input={"id": second, "invoiceId": invoice_id, "idempotencyKey": "z"})
    assert refused["errors"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_a_long_statement_is_matched_in_chunks(office: Office, invoice: str, owner: asyncpg.Connection) -> None:
    many = [document(str(n), "1.00", f"Платеж {n}", inn="") for n in range(1_000)]
    many[700] = document("700", "300.00", f"Счет {invoice}")
    assert (await office.upload(statement(*many))).status_code == 202
    await run_messages(owner, "bank_statement.match")
    assert await owner.fetchval("SELECT count(*) FROM outside_payments WHERE status = 'UNMATCHED'") == 999
    assert await status(owner, invoice) == "PAID"


@pytest.fixture
async def url(office: Office) -> AsyncIterator[str]:
    """The address of the application on a socket."""
    async with served(build()) as address:
        yield address


async def test_the_example_sends_a_statement(office: Office, url: str, invoice: str, tmp_path: Path) -> None:
    def sent(text: str, *words: str) -> tuple[int, list[str]]:
        file = tmp_path / "kl_to_1c.txt"
        file.write_bytes(text.encode("cp1251"))
        token = office.headers["Authorization"].removeprefix("Bearer ")
        told = subprocess.run(
            [sys.executable, str(EXAMPLE), str(file), *words],
            env={**os.environ, "KONTORA_URL": url, "KONTORA_API_TOKEN": token},
            capture_output=True,
            text=True,
            check=False,
        )
        return told.returncode, told.stdout.splitlines()

    good = statement(document("1", "300.00", f"Счет {invoice}"))
    code, lines = await asyncio.to_thread(sent, good, "--dry-run")
    assert (code, lines[0], lines[-1]) == (0, "1 documents, 1 incoming over 300.00", "nothing was written")
    code, lines = await asyncio.to_thread(sent, good)
    assert (code, lines[2]) == (0, "1 MATCHED")
    code, lines = await asyncio.to_thread(sent, statement(end=""))
    assert (code, lines[0].split(":")[1].strip()) == (1, "MALFORMED_STATEMENT")
