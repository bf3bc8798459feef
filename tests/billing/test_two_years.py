"""Two years of monthly renewals, period by period, against a simple model (SUB-4).

For each period Hypothesis chooses the card, when somebody pays by hand, and whether the end is wanted. The model knows only:
whom a renewal reaches in time is renewed to the next anniversary of the first day, and everybody else ends.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
from dateutil.relativedelta import relativedelta
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import clock, crypto
from core.database import transaction
from core.principal import Principal
from domain.billing import InvoiceStatus, PaymentStatus
from domain.catalog import Term
from gateways.sandbox.client import EMPTY_CARD, GOOD_CARD, LOST_CARD, notification
from models import Install, Partner, Subscription
from services import billing
from services.billing.verify import verify_billing
from tests.billing.renewing import A_MINUTE, DAY, night, run_messages

MOSCOW = ZoneInfo("Europe/Moscow")
NIGHTS = (-7, -3, -1, 0, 1, 3, 5, 6, 8, 9)
GRACE_DAYS = 3
# Days after the end on which access is lost where nobody pays: grace begins after the last charge, or at once.
LOST_AFTER = {EMPTY_CARD: 5 + GRACE_DAYS, LOST_CARD: GRACE_DAYS, None: GRACE_DAYS}
STARTS = (
    datetime(2027, 1, 31, 9, 0, tzinfo=UTC),
    datetime(2027, 1, 29, 20, 30, tzinfo=UTC),
    datetime(2027, 1, 30, 21, 30, tzinfo=UTC),
    datetime(2028, 2, 29, 12, 0, tzinfo=UTC),
    datetime(2027, 3, 15, 23, 59, tzinfo=UTC),
    datetime(2027, 12, 31, 21, 0, tzinfo=UTC),
)
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Period:
    """What happens around one end.

    Parameters:
        paid: days after the end on which the bill is paid by hand; negative before it, None for never.
        wanted_end: whether it was cancelled for this end.
    """

    card: str | None
    paid: float | None
    wanted_end: bool

    @property
    def goes_on(self) -> bool:
        """The model."""
        if self.wanted_end:
            return False
        if self.card == GOOD_CARD or (self.paid is not None and self.paid < 0):
            return True
        return self.paid is not None and self.paid < LOST_AFTER[self.card]


good = st.just(Period(GOOD_CARD, None, False))
any_period = st.builds(
    Period,
    card=st.sampled_from([GOOD_CARD, EMPTY_CARD, LOST_CARD, None]),
    paid=st.sampled_from([None, -5.5, -2.5, 0.5, 2.5, 4.5, 6.5]),
    wanted_end=st.sampled_from([False, False, False, True]),
)
two_years = st.lists(st.one_of(good, good, any_period), min_size=1, max_size=24)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(start=st.sampled_from(STARTS), periods=two_years)
async def test_two_years_are_what_the_model_says(
    owner: asyncpg.Connection, world: Any, staff: Principal, start: datetime, periods: list[Period]
) -> None:
    clock.travel(start)
    key = await _subscribe(owner, world, staff)
    first = (await _read(key)).starts_at.astimezone(MOSCOW)
    for number, period in enumerate(periods, start=1):
        end = (await _read(key)).ends_at
        assert end == first + relativedelta(months=number), "the anchor day is kept, in local time"
        await _live_through(owner, staff, key, end, period)
        subscription = await _read(key)
        if not period.goes_on:
            assert subscription.status == ("CANCELED" if period.wanted_end else "EXPIRED")
            assert subscription.ends_at == end
            break
        assert subscription.status == "ACTIVE"
        assert subscription.ends_at == first + relativedelta(months=number + 1)
    async with transaction() as session:
        assert await verify_billing(session) == []
    assert await owner.fetchval(
        "SELECT count(*) = count(DISTINCT period_start) FROM invoices "
        "WHERE subscription_id = $1 AND kind = 'RENEWAL' AND status <> 'CANCELED'",
        key,
    )
    # The next example's nights leave this one alone.
    await owner.execute("UPDATE subscriptions SET paused_at = now() WHERE status = 'ACTIVE'")
    await owner.execute("UPDATE installs SET subscription_kind = 'NONE', subscribed_until = NULL")


async def _subscribe(owner: asyncpg.Connection, world: Any, staff: Principal) -> int:
    async with transaction() as session:
        partner = Partner(name=f"Partner {next(_numbers)}")
        session.add(partner)
        await session.flush()
        install = Install(partner_id=partner.id, product_id=world.product)
        session.add(install)
        await session.flush()
        _, payment = await billing.create_subscription(
            session, staff, install_id=install.id, plan_id=world.plan, term=Term.MONTH, seats=2
        )
    await billing.open_payment(payment.id)
    raw = notification(payment.order_id, payment.amount, "RUB", PaymentStatus.CONFIRMED, GOOD_CARD)
    async with transaction() as session:
        await billing.receive_notification(session, "sandbox", raw, {})
    await run_messages(owner, "payment.notification")
    found: int = await owner.fetchval("SELECT max(id) FROM subscriptions")
    return found


async def _read(key: int) -> Subscription:
    async with transaction() as session:
        return await session.get_one(Subscription, key)


async def _live_through(owner: asyncpg.Connection, staff: Principal, key: int, end: datetime, period: Period) -> None:
    clock.travel(end - timedelta(days=8))
    await _set_card(key, period.card)
    if period.wanted_end:
        await owner.execute("UPDATE subscriptions SET cancel_at_period_end = true WHERE id = $1", key)
    moments: list[tuple[float, bool]] = [(day, False) for day in NIGHTS]
    if period.paid is not None:
        moments.append((period.paid, True))
    for day, pays in sorted(moments):
        if pays:
            clock.travel(end + day * DAY)
            await _pay(owner, staff, key)
        else:
            await night(owner, end + day * DAY + A_MINUTE)


async def _set_card(key: int, card: str | None) -> None:
    async with transaction() as session:
        live = await session.get_one(Subscription, key)
        context = f"subscriptions.rebill_id:{key}"
        live.rebill_id_encrypted = None if card is None else crypto.encrypt(card, context)


async def _pay(owner: asyncpg.Connection, staff: Principal, key: int) -> None:
    """Pay the bill that waits, while the subscription lives."""
    waiting = await owner.fetchval(
        "SELECT i.id FROM invoices i JOIN subscriptions s ON s.id = i.subscription_id WHERE s.id = $1 AND "
        "s.status IN ('ACTIVE', 'PAST_DUE') AND i.kind = 'RENEWAL' AND i.status = ANY ($2) ORDER BY i.id DESC LIMIT 1",
        key,
        [InvoiceStatus.PENDING.value, InvoiceStatus.FAILED.value],
    )
    if waiting is not None:
        async with transaction() as session:
            await billing.mark_paid(session, staff, invoice_id=waiting, note="paid")
