"""A day's payments against the gateway's word: safe steps are taken, the rest is reported (INV-6)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.database import transaction
from domain.billing import PAYMENT_TRANSITIONS, PaymentStatus
from domain.catalog import Term
from domain.reconciliation import DifferenceKind, differences
from gateways.interface import GatewayRefused, GatewayState, GatewayUnanswered, UnknownPayment
from gateways.sandbox.client import SandboxGateway
from services import billing
from services.billing import reconciliation
from tests.api import payload
from tests.billing.conftest import STAFF
from tests.billing.renewing import run_messages

REPORT = """
{ reconciliations { nodes { checked unanswered repaired open finishedAt
  differences { nodes { kind ours theirs repaired } } } } }
"""
RUN = """
mutation($input: PaymentsReconcileInput!) { paymentsReconcile(input: $input) {
  outboxMessage { kind } userErrors { code field } } }
"""
Say = Callable[[Any], None]


@pytest.fixture
def say(monkeypatch: pytest.MonkeyPatch) -> Say:
    """Decides what the gateway says of every payment: a state, or a failure."""

    def set_answer(answer: Any) -> None:
        async def state(*_: Any) -> GatewayState:
            if isinstance(answer, Exception):
                raise answer
            return GatewayState(status=answer[0], gateway_status=str(answer[0]), amount=answer[1])

        monkeypatch.setattr(SandboxGateway, "state", state)

    return set_answer


@pytest.fixture
async def payment(world: Any, owner: asyncpg.Connection) -> asyncpg.Connection:
    """A payment over 300 RUB that was begun yesterday and waits."""
    async with transaction() as session:
        _, made = await billing.create_subscription(
            session, STAFF, install_id=world.install, plan_id=world.plan, term=Term.MONTH, seats=3
        )
    await billing.open_payment(made.id)
    await owner.execute("UPDATE payments SET created_at = now() - interval '1 day'")
    return owner


async def told() -> dict[str, Any]:
    """Yesterday's report, after it was made."""
    await reconciliation.reconcile(reconciliation.yesterday(), "sandbox")
    (report,) = (await payload(REPORT))["nodes"]
    assert report.pop("finishedAt")
    report["differences"] = [tuple(one.values()) for one in report["differences"]["nodes"]]
    return dict(report)


async def test_a_lost_notification_is_made_good(payment: asyncpg.Connection, say: Say) -> None:
    say((PaymentStatus.CONFIRMED, Decimal("300.00")))
    assert await told() == {
        "checked": 1,
        "unanswered": 0,
        "repaired": 1,
        "open": 0,
        "differences": [("STATE", "PENDING", "CONFIRMED", True)],
    }
    assert await payment.fetchval("SELECT status FROM invoices") == "PAID"
    assert await payment.fetchval("SELECT status FROM subscriptions") == "ACTIVE"
    assert await told() == {"checked": 1, "unanswered": 0, "repaired": 0, "open": 0, "differences": []}


async def test_a_step_back_waits_for_a_person(payment: asyncpg.Connection, say: Say) -> None:
    say((PaymentStatus.CONFIRMED, Decimal("300.00")))
    await told()
    say((PaymentStatus.REJECTED, Decimal("300.00")))
    report = await told()
    assert (report["open"], report["differences"]) == (1, [("STATE", "CONFIRMED", "REJECTED", False)])
    assert await payment.fetchval("SELECT status FROM payments") == "CONFIRMED"


async def test_another_amount_is_never_taken(payment: asyncpg.Connection, say: Say) -> None:
    say((PaymentStatus.CONFIRMED, Decimal("299.00")))
    report = await told()
    assert (report["repaired"], report["open"]) == (0, 2)
    assert sorted(report["differences"]) == [
        ("AMOUNT", "300.00", "299.00", False),
        ("STATE", "PENDING", "CONFIRMED", False),
    ]
    assert await payment.fetchval("SELECT status FROM payments") == "PENDING"


@pytest.mark.parametrize(
    ("failure", "counts"),
    [
        (GatewayUnanswered("silent"), (0, 1, 0)),
        (GatewayRefused("the terminal is blocked", "202"), (0, 1, 0)),
        (UnknownPayment("unknown", "255"), (1, 0, 1)),
    ],
)
async def test_silence_is_counted_and_the_unknown_reported(
    payment: asyncpg.Connection, say: Say, failure: Exception, counts: tuple[int, int, int]
) -> None:
    say(failure)
    report = await told()
    assert (report["checked"], report["unanswered"], report["open"]) == counts


async def test_only_the_days_own_payments(payment: asyncpg.Connection, say: Say) -> None:
    say((PaymentStatus.PENDING, Decimal("300.00")))
    await payment.execute("UPDATE payments SET created_at = now() - interval '3 days'")
    assert (await told())["checked"] == 0
    await payment.execute("UPDATE payments SET created_at = now()")
    assert (await told())["checked"] == 0


async def test_people_ask_for_a_day_again(payment: asyncpg.Connection, say: Say, owner: asyncpg.Connection) -> None:
    say((PaymentStatus.CONFIRMED, Decimal("300.00")))
    day = reconciliation.yesterday()
    made = await payload(RUN, input={"day": day.isoformat()})
    assert made == {"outboxMessage": {"kind": "payments.reconcile_day"}, "userErrors": []}
    assert await run_messages(owner, "payments.reconcile_day") == 1
    assert await owner.fetchval("SELECT repaired FROM reconciliations") == 1
    for wrong in ((day + timedelta(days=1)).isoformat(), "yesterday"):
        refused = await payload(RUN, input={"day": wrong})
        assert refused["userErrors"] == [{"code": "INVALID_VALUE", "field": ["input", "day"]}]


statuses = st.sampled_from(list(PaymentStatus))
amounts = st.sampled_from([Decimal(1), Decimal(2)])


@given(statuses, amounts, st.none() | statuses, st.none() | amounts)
def test_only_steps_forward_over_the_same_amount_are_safe(
    ours: PaymentStatus, amount: Decimal, theirs: PaymentStatus | None, their_amount: Decimal | None
) -> None:
    found = differences(ours, amount, theirs, their_amount)
    for kind, safe in found:
        if safe:
            assert kind == DifferenceKind.STATE
            assert theirs in PAYMENT_TRANSITIONS[ours]
    if theirs in (None, ours) and their_amount in (None, amount):
        assert found == []
