"""The coin journal: sums to zero, never below zero, equal to the balance, whoever comes at once."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from core.database import transaction
from core.errors import Conflict, Forbidden, NotFound, UserError
from core.principal import Principal
from domain.wallets import AccountKind, WalletTransactionKind
from ledger.post import InsufficientCoins, InvalidCoins, Movement, open_wallet, post
from ledger.verify import verify
from models import Install, Partner, Product
from policies.permissions import ALL
from services import wallets

STAFF = Principal(kind="staff", permissions=ALL, roles=("SUPERADMIN",))


@pytest.fixture
async def wallet(database_url: str) -> int:
    """An empty wallet."""
    async with transaction() as session:
        partner, product = Partner(name="Partner"), Product(name="Widget", code="widget", kind="WIDGET")
        session.add_all([partner, product])
        await session.flush()
        install = Install(partner_id=partner.id, product_id=product.id)
        session.add(install)
        await session.flush()
        return (await open_wallet(session, partner_id=partner.id, install_id=install.id)).id


async def move(wallet: int, amount: str, kind: WalletTransactionKind, reference: str | None = None) -> int:
    movement = Movement(kind, Decimal(amount), AccountKind.USAGE, "test", reference)
    async with transaction() as session:
        return (await post(session, STAFF, wallet, movement)).id


async def adjust(wallet: int, amount: str, reason: str = "because") -> None:
    async with transaction(STAFF) as session:
        await wallets.adjust(session, STAFF, wallet_id=wallet, amount=Decimal(amount), reason=reason)


async def violations() -> list[str]:
    async with transaction() as session:
        return await verify(session)


async def test_a_hundred_charges_at_once_lose_nothing_and_never_overdraw(wallet: int, owner: Any) -> None:
    await adjust(wallet, "50")
    charges = [move(wallet, "-1", WalletTransactionKind.USAGE) for _ in range(100)]
    results = await asyncio.gather(*charges, return_exceptions=True)
    assert sum(isinstance(result, InsufficientCoins) for result in results) == 50
    row = await owner.fetchrow("SELECT balance, spent FROM wallets")
    assert (row["balance"], row["spent"]) == (0, 50)
    assert await violations() == []


async def test_the_same_reference_moves_once(wallet: int, owner: Any) -> None:
    await adjust(wallet, "10")
    moves = [move(wallet, "-1", WalletTransactionKind.USAGE, "order-1") for _ in range(5)]
    assert len(set(await asyncio.gather(*moves))) == 1
    assert await owner.fetchval("SELECT balance FROM wallets") == 9
    with pytest.raises(Conflict):
        await move(wallet, "-2", WalletTransactionKind.USAGE, "order-1")


@pytest.mark.parametrize("amount", ["0", "0.0001", "-0.0005", "NaN", "Infinity", "1e20", "1000000000"])
async def test_what_is_not_an_amount_of_coins_is_refused(wallet: int, owner: Any, amount: str) -> None:
    with pytest.raises(InvalidCoins):
        await adjust(wallet, amount)
    assert await owner.fetchval("SELECT count(*) FROM wallet_transactions") == 0


async def test_a_debit_beyond_the_balance_names_both(wallet: int) -> None:
    await adjust(wallet, "1.5")
    with pytest.raises(InsufficientCoins, match=r"holds 1\.500 and 2 were asked for") as caught:
        await adjust(wallet, "-2")
    assert caught.value.field == ("input", "amount")


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501, "a\0b"])
async def test_an_adjustment_needs_a_reason(wallet: int, reason: str) -> None:
    with pytest.raises(UserError, match="reason"):
        await adjust(wallet, "1", reason)


async def test_who_may_not_adjust_changes_nothing(wallet: int, owner: Any) -> None:
    reader = Principal(kind="staff", permissions=frozenset({"wallet:read", "partner:all_rows"}))
    with pytest.raises(Forbidden):
        async with transaction(reader) as session:
            await wallets.adjust(session, reader, wallet_id=wallet, amount=Decimal(1), reason="x")
    assert await owner.fetchval("SELECT count(*) FROM wallet_transactions") == 0


async def test_an_unknown_wallet_is_not_found(database_url: str) -> None:
    with pytest.raises(NotFound):
        await adjust(999, "1")


async def test_an_adjustment_is_audited_with_both_balances(wallet: int, owner: Any) -> None:
    await adjust(wallet, "0.001")
    event = await owner.fetchrow("SELECT before, after FROM audit_events WHERE action = 'wallet.adjust'")
    assert event["before"] == '{"balance": "0.000"}'
    assert '"balance": "0.001"' in event["after"]


async def test_the_proof_finds_what_was_tampered_with(wallet: int, owner: Any) -> None:
    await adjust(wallet, "5")
    await owner.execute("UPDATE wallets SET balance = 6")
    assert await violations() == [
        f"wallet {wallet} differs from its journal by 1.000",
        f"wallet {wallet} differs from its lots by 1.000",
    ]
    await owner.execute("UPDATE wallets SET balance = 5, earned = 1")
    assert await violations() == [f"totals of wallet {wallet} differ from its journal by 1.000"]
    await owner.execute("UPDATE wallets SET earned = 0")
    await owner.execute("ALTER TABLE ledger_entries DISABLE TRIGGER USER")
    await owner.execute("UPDATE ledger_entries SET amount = 4 WHERE amount = 5")
    assert len(await violations()) == 4
