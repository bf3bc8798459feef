"""Our legal entities: numbers that fit together, and the VAT of invoices (INV-1, INV-4)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import UserError
from core.ids import encode_id
from core.principal import Principal
from domain.bank_details import InvalidAccount, check_account, check_correspondent_account
from domain.inn import InvalidOgrn, check_ogrn
from domain.vat import vat_within
from policies.roles import ROLES
from services.billing.renewals import VAT_WITHIN
from tests.api import payload, run
from tests.billing.subscribed import subscribe

DETAILS: dict[str, Any] = {
    "code": "default",
    "name": "ООО «Контора»",
    "inn": "9702000015",
    "kpp": "970201001",
    "ogrn": "1237700000010",
    "address": "101000, г. Москва, ул. Примерная, д. 1",
    "bankName": "БАНК (АО), г. Москва",
    "bik": "044525225",
    "account": "40702810200000000001",
    "correspondentAccount": "30101810400000000225",
    "signatory": "П. П. Петров",
    "vatRate": "20",
}
CREATE = """
mutation($input: LegalEntityCreateInput!) { legalEntityCreate(input: $input) {
  legalEntity { id version vatRate signatoryTitle } userErrors { code field } } }
"""
UPDATE = """
mutation($input: LegalEntityUpdateInput!) { legalEntityUpdate(input: $input) {
  legalEntity { version account vatRate } userErrors { code field } } }
"""


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("inn", "9702000016", "INVALID_INN"),
        ("kpp", "97020100", "INVALID_KPP"),
        ("ogrn", "1237700000011", "INVALID_OGRN"),
        ("bik", "94452522", "INVALID_BIK"),
        ("account", "40702810300000000001", "INVALID_ACCOUNT"),
        ("correspondentAccount", "30101810500000000225", "INVALID_ACCOUNT"),
        ("correspondentAccount", "40702810200000000001", "INVALID_ACCOUNT"),
        ("vatRate", "0", "INVALID_AMOUNT"),
        ("vatRate", "100", "INVALID_AMOUNT"),
        ("name", " ", "INVALID_VALUE"),
        ("code", "By Name", "INVALID_VALUE"),
    ],
)
async def test_wrong_details_name_their_field(database_url: str, field: str, value: str, code: str) -> None:
    made = await payload(CREATE, input={**DETAILS, field: value})
    assert made == {"legalEntity": None, "userErrors": [{"code": code, "field": ["input", field]}]}
    assert (await payload("{ legalEntities { nodes { id } } }"))["nodes"] == []


async def test_details_change_by_version_and_must_keep_fitting(owner: asyncpg.Connection) -> None:
    made = (await payload(CREATE, input=DETAILS))["legalEntity"]
    assert (made["version"], made["vatRate"], made["signatoryTitle"]) == (1, "20.00", "Генеральный директор")
    assert "Петров" not in await owner.fetchval("SELECT after::text FROM audit_events")
    moved = await payload(UPDATE, input={"id": made["id"], "version": 1, "bik": "044525974"})
    assert moved["userErrors"] == [{"code": "INVALID_ACCOUNT", "field": ["input", "account"]}]
    free = await payload(UPDATE, input={"id": made["id"], "version": 1, "vatRate": None})
    assert free["legalEntity"]["version"] == 2
    assert free["legalEntity"]["vatRate"] is None
    late = await payload(UPDATE, input={"id": made["id"], "version": 1, "name": "Other"})
    assert late["userErrors"][0]["code"] == "VERSION_CONFLICT"
    again = await payload(CREATE, input=DETAILS)
    assert again["userErrors"] == [{"code": "TAKEN", "field": ["input", "code"]}]


async def test_partners_read_where_to_pay_and_change_nothing(world: Any) -> None:
    await payload(CREATE, input=DETAILS)
    partner = Principal(kind="partner", partner_id=world.partner, permissions=ROLES["PARTNER_OWNER"][1])
    read = await payload("{ legalEntities { nodes { account bik } } }", partner)
    assert read["nodes"] == [{"account": DETAILS["account"], "bik": DETAILS["bik"]}]
    refused = await run(UPDATE, partner, input={"id": encode_id("LegalEntity", 1), "version": 1})
    assert refused["errors"]


async def test_invoices_carry_the_vat_of_their_day(world: Any, owner: asyncpg.Connection) -> None:
    made = (await payload(CREATE, input={**DETAILS, "vatRate": "7.5"}))["legalEntity"]
    await subscribe(world)
    await payload(UPDATE, input={"id": made["id"], "version": 1, "vatRate": None})
    invoice = await owner.fetchrow("SELECT total, vat_rate, vat_amount FROM invoices")
    assert invoice is not None
    assert tuple(invoice) == (Decimal("3000.00"), Decimal("7.50"), Decimal("209.30"))


@given(total=st.decimals(0, 10**9, places=2), rate=st.sampled_from([Decimal(5), Decimal(7), Decimal(10), Decimal(20)]))
def test_tax_and_price_without_it_are_the_total(total: Decimal, rate: Decimal) -> None:
    tax = vat_within(total, rate)
    without = total - tax
    # The tax on the price without it is this tax, to the rounding of one kopeck.
    assert abs(without * rate / 100 - tax) <= Decimal("0.01")
    assert vat_within(total, None) == 0


async def test_the_set_of_renewals_counts_tax_as_one_invoice_does(owner: asyncpg.Connection) -> None:
    cases = [(Decimal(total) / 100, Decimal(rate)) for total in range(1, 4000, 37) for rate in ("5", "7.5", "10", "20")]
    counted = await owner.fetch(
        f"SELECT {VAT_WITHIN} AS tax FROM unnest($1::numeric[], $2::numeric[]) AS t (total, vat_rate)",
        [total for total, _ in cases],
        [rate for _, rate in cases],
    )
    assert [row["tax"] for row in counted] == [vat_within(total, rate) for total, rate in cases]


@given(st.text("0123456789", min_size=17, max_size=17), st.integers(0, 9))
def test_one_key_of_ten_fits_an_account(rest: str, shift: int) -> None:
    fitting = [key for key in "0123456789" if _fits(rest[:8] + key + rest[8:] + "00", "044525225")]
    assert len(fitting) == 1
    changed = str((int(rest[-1]) + 1 + shift % 9) % 10)
    altered = rest[:8] + fitting[0] + rest[8:-1] + changed + "00"
    with pytest.raises(InvalidAccount):
        check_account(altered, "044525225")


def _fits(account: str, bik: str) -> bool:
    try:
        return check_account(account, bik) == account
    except InvalidAccount:
        return False


def test_real_numbers_of_the_registers() -> None:
    check_correspondent_account("30101810400000000225", "044525225")
    check_ogrn("1027700132195")
    check_ogrn("304500116000157")
    with pytest.raises(InvalidOgrn):
        check_ogrn("102770013219")
    with pytest.raises(UserError):
        check_ogrn("304500116000158")
