"""The demo world: made once, complete, and its users sign in with the password of the settings."""

from __future__ import annotations

import asyncpg

from core import crypto
from core.database import transaction
from services import demo

TABLES = (
    "access_grants",
    "audit_events",
    "contacts",
    "installs",
    "invoice_lines",
    "invoices",
    "ledger_entries",
    "oauth_tokens",
    "outbox_messages",
    "partner_contracts",
    "partner_documents",
    "partner_notes",
    "partners",
    "payment_state_changes",
    "payments",
    "plan_prices",
    "plans",
    "product_events",
    "products",
    "subscription_changes",
    "subscriptions",
    "users",
    "wallet_transactions",
    "wallets",
)


async def _counts(owner: asyncpg.Connection) -> dict[str, int]:
    return {table: await owner.fetchval(f"SELECT count(*) FROM {table}") for table in TABLES}


async def test_is_made_once_and_takes_the_new_password(owner: asyncpg.Connection) -> None:
    async with transaction() as session:
        await demo.seed(session, password="first password")
    first = await _counts(owner)
    async with transaction() as session:
        await demo.seed(session, password="second password")
    assert await _counts(owner) == first
    assert all(first.values()), first
    emails = [row["email"] for row in await owner.fetch("SELECT email FROM users")]
    assert sorted(emails) == sorted(demo.DEMO_USERS)
    stored = await owner.fetchval("SELECT password_hash FROM users WHERE email = 'superadmin@demo.test'")
    assert await crypto.verify_password(stored, "second password")
    assert not await crypto.verify_password(stored, "first password")


async def test_shows_each_stage_of_the_story(owner: asyncpg.Connection) -> None:
    async with transaction() as session:
        await demo.seed(session, password="a password")
    stages = await owner.fetch("SELECT DISTINCT status FROM subscriptions UNION SELECT status FROM installs")
    assert {row["status"] for row in stages} >= {"TRIAL", "ACTIVE", "INSTALLED", "ACTIVATED"}
    assert {row["status"] for row in await owner.fetch("SELECT DISTINCT status FROM invoices")} == {"PAID", "PENDING"}
    wrong = await owner.fetchval(
        """
        SELECT count(*) FROM wallets AS wallet
        WHERE balance <> (SELECT sum(amount) FROM wallet_transactions WHERE wallet_id = wallet.id)
        """
    )
    assert wrong == 0
