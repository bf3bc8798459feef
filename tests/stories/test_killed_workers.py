"""Workers die by kill -9 in the middle of the money path, Redis is emptied, and every order is paid exactly once."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
import redis.asyncio

from core.database import transaction
from core.principal import Principal
from domain.billing import PaymentStatus
from domain.catalog import ProductKind, Term
from gateways.sandbox.client import notification
from ledger.verify import verify
from models import Install, Partner, Plan, PlanPrice, Product
from policies.permissions import ALL
from services import billing

STAFF = Principal(kind="staff", permissions=ALL, roles=("SUPERADMIN",))
ORDERS = 8
DEATHS = 2
WAIT_SECONDS = 120


@pytest.fixture
def start(database_url: str, redis_url: str) -> Iterator[Callable[[str], subprocess.Popen[bytes]]]:
    """Starts the product's own `run` (worker) or `schedule` process; all are killed with the test."""
    started: list[subprocess.Popen[bytes]] = []

    def run(module: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, "-c", f"from workers.{module} import main; main()"])
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()


async def make_orders() -> list[int]:
    payments = []
    async with transaction() as session:
        product = Product(name="Widget", code="widget", kind=ProductKind.SAAS)
        session.add(product)
        await session.flush()
        plan = Plan(product_id=product.id, name="Basic")
        partners = [Partner(name=f"Partner {number}") for number in range(ORDERS)]
        session.add_all([plan, *partners])
        await session.flush()
        session.add(PlanPrice(plan_id=plan.id, term=Term.MONTH, unit_price=Decimal(10), currency="RUB"))
        installs = [Install(partner_id=partner.id, product_id=product.id) for partner in partners]
        session.add_all(installs)
    for install in installs:
        async with transaction(STAFF) as session:
            _, payment = await billing.create_subscription(
                session, STAFF, install_id=install.id, plan_id=plan.id, term=Term.MONTH
            )
        await billing.open_payment(payment.id)
        payments.append(payment.id)
    return payments


async def notify_thrice(owner: Any) -> None:
    rows = await owner.fetch("SELECT order_id, amount, currency FROM payments ORDER BY id")
    for status in (PaymentStatus.AUTHORIZED, PaymentStatus.CONFIRMED, PaymentStatus.CONFIRMED):
        for row in rows:
            raw = notification(row["order_id"], row["amount"], row["currency"], status)
            async with transaction() as session:
                await billing.receive_notification(session, "sandbox", raw, {})


async def waiting(owner: Any) -> int:
    count: int = await owner.fetchval(
        "SELECT count(*) FROM outbox_messages WHERE kind = 'payment.notification' AND status <> 'DONE'"
    )
    return count


async def test_orders_are_paid_once_whatever_dies(
    owner: Any, redis_url: str, start: Callable[[str], subprocess.Popen[bytes]]
) -> None:
    await make_orders()
    scheduler = start("schedule")
    worker = start("run")
    await notify_thrice(owner)
    client = redis.asyncio.from_url(redis_url)
    for _ in range(DEATHS):
        before = await waiting(owner)
        async with asyncio.timeout(WAIT_SECONDS):
            while before and await waiting(owner) == before:  # noqa: ASYNC110 - another process moves it
                await asyncio.sleep(0.01)
        for process in (worker, scheduler):
            process.kill()
            process.wait()
        await client.flushall()
        # Claims of the dead run out, and what an emptied Redis has lost is sent again; waiting would only take time.
        await owner.execute("UPDATE outbox_messages SET locked_until = now() WHERE locked_until > now()")
        await owner.execute(
            "UPDATE outbox_messages SET sent_at = sent_at - interval '1 minute' WHERE status = 'PENDING'"
        )
        scheduler, worker = start("schedule"), start("run")
    await client.aclose()
    async with asyncio.timeout(WAIT_SECONDS):
        while await waiting(owner):  # noqa: ASYNC110 - another process moves it
            await asyncio.sleep(0.05)
    row = await owner.fetchrow(
        """
        SELECT (SELECT count(*) FROM invoices WHERE status = 'PAID') AS paid,
               (SELECT count(*) FROM payments WHERE status = 'CONFIRMED') AS confirmed,
               (SELECT count(*) FROM payment_state_changes WHERE to_status = 'CONFIRMED') AS confirmations,
               (SELECT count(*) FROM subscriptions WHERE status = 'ACTIVE') AS subscriptions,
               (SELECT count(*) FROM subscription_changes) AS changes,
               (SELECT count(*) FROM product_events) AS events,
               (SELECT count(*) FROM dead_letters) AS dead
        """
    )
    assert dict(row) == {
        "paid": ORDERS,
        "confirmed": ORDERS,
        "confirmations": ORDERS,
        "subscriptions": ORDERS,
        "changes": ORDERS,
        "events": ORDERS,
        "dead": 0,
    }
    async with transaction() as session:
        assert await verify(session) == []
