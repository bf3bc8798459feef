"""Everybody at the same installs at the same moment: people, gateways, jobs; no deadlock, and the books agree."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from sqlalchemy import select

from core import clock
from core.database import transaction
from core.errors import KontoraError, UserError
from domain.billing import PaymentStatus
from domain.catalog import ProductKind, Term
from domain.partners import PartnerStatus
from domain.refunds import RefundedCoins, RefundedSubscription
from domain.subscription_actions import CancelWhen
from gateways.sandbox.client import GOOD_CARD, notification
from ledger import verify as ledger
from models import Install, Invoice, Partner, Payment, Plan, PlanPrice, Product, Subscription
from services import billing, installs, partner_standing
from services.billing.verify import verify_billing
from services.loading import load
from tests.billing.conftest import STAFF
from tests.billing.renewing import run_messages
from tests.billing.subscribed import Subscribed, change
from workers.outbox import process

TASKS = 36
ROUNDS = 3
Act = Callable[[int], Awaitable[Any]]


async def newest(model: Any, install: int, *where: Any) -> Any:
    async with transaction() as session:
        wanted = select(model).where(model.install_id == install, *where).order_by(model.id.desc()).limit(1)
        found = await session.scalar(wanted)
    if found is None:
        raise UserError("there is none")
    return found


def changed(verb: Any, **more: Any) -> Act:
    async def act(install: int) -> None:
        found = await newest(Subscription, install)
        await change(verb, Subscribed(None, found.id), **more)  # type: ignore[arg-type]

    return act


async def told(install: int) -> None:
    """The gateway says that the newest bill was paid, twice."""
    invoice = await newest(Invoice, install)
    async with transaction() as session:
        payment = await session.scalar(
            select(Payment).where(Payment.invoice_id == invoice.id).order_by(Payment.id.desc()).limit(1)
        )
    if payment is None:
        return
    await billing.open_payment(payment.id)
    raw = notification(payment.order_id, payment.amount, "RUB", PaymentStatus.CONFIRMED, GOOD_CARD)
    for _ in range(2):
        async with transaction() as session:
            await billing.receive_notification(session, "sandbox", raw, {})


async def pay_by_hand(install: int) -> None:
    invoice = await newest(Invoice, install)
    async with transaction() as session:
        await billing.mark_paid(session, STAFF, invoice_id=invoice.id, note="paid")


async def refund(install: int) -> None:
    invoice = await newest(Invoice, install, Invoice.status == "PAID")
    async with transaction() as session:
        payment = await session.scalar(select(Payment).where(Payment.invoice_id == invoice.id))
        if payment is None:
            return
        await billing.request_refund(
            session, STAFF, payment_id=payment.id, amount=None, reason="x",
            subscription=RefundedSubscription.END_NOW, coins=RefundedCoins.TAKE_BACK,
        )  # fmt: skip


async def standing(install: int) -> None:
    """The partner is blocked, and a moment later it is not."""
    for status in (PartnerStatus.BLOCKED, PartnerStatus.ACTIVE):
        async with transaction() as session:
            found = await session.get_one(Install, install)
            partner = await load(session, STAFF, Partner, found.partner_id, lock=True)
            await partner_standing.move(session, STAFF, partner, status=status, reason="x", version=None)


async def reinstall(install: int) -> None:
    """Uninstalled, installed again, activated."""
    async with transaction() as session:
        found = await installs.disable(session, STAFF, install_id=install)
        key = {"partner_id": found.partner_id, "product_id": found.product_id}
    async with transaction() as session:
        await installs.create(session, STAFF, **key)
    await activate(install)


async def activate(install: int) -> None:
    async with transaction() as session:
        await installs.activate(session, STAFF, install_id=install)


async def night(_: int) -> None:
    for work in (
        billing.issue_due_renewals, billing.plan_due_charges, billing.notify_ending, billing.lapse_due,
        billing.cancel_lapsed,
    ):  # fmt: skip
        async with transaction() as session:
            await work(session)


def acts(plan: dict[int, int]) -> list[Act]:
    async def order(install: int) -> None:
        async with transaction() as session:
            await billing.create_subscription(
                session, STAFF, install_id=install, plan_id=plan[install], term=Term.MONTH, seats=3, replace=True
            )

    return [
        activate, reinstall, standing, refund, pay_by_hand,
        *([order] * 3), *([told] * 4), *([night] * 3),
        changed(billing.add_seats, seats=9),
        changed(billing.change_plan_now, wanted=billing.Wanted(term=Term.YEAR)),
        changed(billing.remove_seats, seats=2),
        changed(billing.pause_subscription),
        *([changed(billing.resume_subscription)] * 2),
        changed(billing.cancel_subscription, when=CancelWhen.NOW),
        changed(billing.extend_subscription, by=billing.Extension(months=1), note="x"),
        changed(billing.bill_renewal),
        changed(billing.correct_subscription, values={"seats": 4}, reason="x"),
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(ROUNDS))
async def test_no_deadlock_and_the_books_agree(world: Any, owner: asyncpg.Connection, seed: int) -> None:
    chosen = random.Random(seed)
    async with transaction() as session:
        partner = await session.get_one(Partner, world.partner)
        other = Product(name="Other", code="other", kind=ProductKind.SAAS)
        session.add(other)
        await session.flush()
        second = Install(partner_id=partner.id, product_id=other.id)
        dear = Plan(product_id=other.id, name="Dear")
        session.add_all([second, dear])
        await session.flush()
        session.add(PlanPrice(plan_id=dear.id, term=Term.MONTH, unit_price=Decimal(1000), currency="RUB"))
        plan = {world.install: world.plan, second.id: dear.id}
    unexpected: list[BaseException] = []

    async def attempt(act: Act, install: int) -> None:
        try:
            await act(install)
        except KontoraError:
            pass
        except Exception as error:  # noqa: BLE001 - told below, all at once
            unexpected.append(error)

    for install in plan:
        await acts(plan)[5](install)
        await told(install)
    for day in (0, 25, 6, 40):
        clock.travel(clock.now() + timedelta(days=day))
        works = [attempt(chosen.choice(acts(plan)), chosen.choice(list(plan))) for _ in range(TASKS)]
        waiting = await owner.fetch("SELECT id FROM outbox_messages WHERE status = 'PENDING' AND kind LIKE 'payment.%'")
        works += [attempt(lambda key: process(key), row["id"]) for row in waiting]
        await asyncio.wait_for(asyncio.gather(*works), 60)
        for kind in ("payment.notification", "invoice.charge", "refund.send"):
            await run_messages(owner, kind)
    assert unexpected == []
    async with transaction() as session:
        assert await verify_billing(session) == []
        assert await ledger.verify(session) == []
