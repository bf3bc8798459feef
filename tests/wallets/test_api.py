"""Wallets adjusted by staff through the API (WAL-3): journal, refusals, keys, dry runs and races."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from core.database import transaction
from core.ids import encode_id
from core.principal import Principal
from ledger.verify import verify
from policies.roles import ROLES
from services import installs
from tests.api import payload, run
from tests.factories.world import STAFF, a_partner, a_product, an_install

ADJUST = """mutation($input: WalletAdjustInput!) { walletAdjust(input: $input) {
    wallet { balance } transaction { kind amount balanceAfter description entries { amount } }
    userErrors { code message field } } }"""


@pytest.fixture
async def wallet(owner: asyncpg.Connection) -> str:
    """The id of a wallet with its welcome bonus of 1000 coins."""
    install = await an_install((await a_partner()).id, (await a_product()).product.id)
    async with transaction() as session:
        await installs.activate(session, STAFF, install_id=install.id)
    return encode_id("Wallet", await owner.fetchval("SELECT id FROM wallets"))


def asked(wallet: str, amount: str, key: str = "k", **more: Any) -> dict[str, Any]:
    return {"id": wallet, "amount": amount, "reason": "Correction", "idempotencyKey": key, **more}


async def test_credit_and_debit(wallet: str) -> None:
    credit = await payload(ADJUST, input=asked(wallet, "0.001", "a"))
    assert credit["wallet"]["balance"] == "1000.001"
    debit = await payload(ADJUST, input=asked(wallet, "-500", "b"))
    assert debit["transaction"] == {
        "kind": "ADJUSTMENT_DEBIT",
        "amount": "-500.000",
        "balanceAfter": "500.001",
        "description": "Correction",
        "entries": [{"amount": "-500.000"}, {"amount": "500.000"}],
    }


@pytest.mark.parametrize(
    ("values", "code", "field"),
    [
        ({"amount": "0"}, "INVALID_COINS", "amount"),
        ({"amount": "0.0001"}, "INVALID_COINS", "amount"),
        ({"amount": "999999999999999"}, "INVALID_COINS", "amount"),
        ({"amount": "-1000.001"}, "INSUFFICIENT_COINS", "amount"),
        ({"reason": "  "}, "INVALID_VALUE", "reason"),
        ({"id": encode_id("Wallet", 999)}, "NOT_FOUND", "id"),
        ({"id": encode_id("Partner", 1)}, "INVALID_ID", "id"),
        ({"idempotencyKey": ""}, "INVALID_IDEMPOTENCY_KEY", "idempotencyKey"),
    ],
)
async def test_refusals_name_their_field_and_write_nothing(
    owner: asyncpg.Connection, wallet: str, values: dict[str, str], code: str, field: str
) -> None:
    before = await owner.fetchval("SELECT count(*) FROM audit_events")
    refused = await payload(ADJUST, input={**asked(wallet, "1"), **values})
    assert (refused["wallet"], refused["transaction"]) == (None, None)
    assert [(error["code"], error["field"]) for error in refused["userErrors"]] == [(code, ["input", field])]
    assert await owner.fetchval("SELECT balance FROM wallets") == Decimal(1000)
    assert await owner.fetchval("SELECT count(*) FROM wallet_transactions") == 1
    assert await owner.fetchval("SELECT count(*) FROM audit_events") == before
    assert await owner.fetchval("SELECT count(*) FROM idempotency_records") == 0


async def test_a_debit_beyond_the_balance_states_both(wallet: str) -> None:
    refused = await payload(ADJUST, input=asked(wallet, "-1000.5"))
    assert "1000.000" in refused["userErrors"][0]["message"]
    assert "1000.5" in refused["userErrors"][0]["message"]


async def test_a_key_is_required(wallet: str) -> None:
    answer = await run(ADJUST, input={"id": wallet, "amount": "1", "reason": "x"})
    assert "idempotencyKey" in answer["errors"][0]["message"]


async def test_the_same_call_many_times_at_once_moves_coins_once(owner: asyncpg.Connection, wallet: str) -> None:
    answers = await asyncio.gather(*(payload(ADJUST, input=asked(wallet, "-10")) for _ in range(8)))
    assert all(answer == answers[0] for answer in answers)
    assert await owner.fetchval("SELECT balance FROM wallets") == Decimal(990)


async def test_many_debits_at_once_never_overdraw(owner: asyncpg.Connection, wallet: str) -> None:
    answers = await asyncio.gather(*(payload(ADJUST, input=asked(wallet, "-150", f"k{n}")) for n in range(12)))
    codes = [error["code"] for answer in answers for error in answer["userErrors"]]
    assert codes == ["INSUFFICIENT_COINS"] * 6
    assert await owner.fetchval("SELECT balance FROM wallets") == Decimal(100)
    async with transaction() as session:
        assert await verify(session) == []


async def test_a_dry_run_answers_and_changes_nothing(owner: asyncpg.Connection, wallet: str) -> None:
    tried = await payload(ADJUST, input=asked(wallet, "-400", dryRun=True))
    assert tried["wallet"]["balance"] == "600.000"
    assert [entry["amount"] for entry in tried["transaction"]["entries"]] == ["-400.000", "400.000"]
    assert await owner.fetchval("SELECT balance FROM wallets") == Decimal(1000)
    for table, rows in (("wallet_transactions", 1), ("idempotency_records", 0)):
        assert await owner.fetchval(f"SELECT count(*) FROM {table}") == rows
    done = await payload(ADJUST, input=asked(wallet, "-400"))
    assert done["wallet"]["balance"] == "600.000"


async def test_only_those_who_may(owner: asyncpg.Connection, wallet: str) -> None:
    for role in ("SUPPORT", "AUDITOR", "DEVELOPER", "SALES"):
        answer = await run(ADJUST, Principal(kind="staff", permissions=ROLES[role][1]), input=asked(wallet, "1"))
        assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert await owner.fetchval("SELECT balance FROM wallets") == Decimal(1000)
