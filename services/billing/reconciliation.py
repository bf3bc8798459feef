"""Compares a day's payments with what the gateway says; repairs what is safe and reports the rest (INV-6)."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.database import transaction
from core.logging import get_logger
from core.principal import Principal
from core.settings import get_settings
from domain import fields
from domain.billing import PaymentMethod, PaymentStatus
from domain.reconciliation import DifferenceKind, differences
from gateways.interface import GatewayRefused, GatewayState, GatewayUnanswered, UnknownPayment
from gateways.registry import gateway
from models import OutboxMessage, Payment, Reconciliation, ReconciliationDifference
from policies.scopes import require
from services import audit
from services.billing.payments import apply_state
from services.outbox import enqueue

RECONCILE = "payments.reconcile_day"
PAGE = 200
_NOT_SENT = (PaymentStatus.NEW,)

log = get_logger("services.billing.reconciliation")


def yesterday() -> date:
    """The legal entity's day before today."""
    return clock.now().astimezone(clock.zone()).date() - timedelta(days=1)


async def request(session: AsyncSession, actor: Principal, *, day: date) -> OutboxMessage:
    """Have a day compared, again where it was before; a worker does it.

    Raises:
        InvalidValue: the day is not over.
    """
    require(actor, "payment:reconcile", "Mutation.paymentsReconcile")
    if day > yesterday():
        raise fields.InvalidValue("the day is not over", field=fields.path("day"))
    name = get_settings().gateway
    payload = {"day": day.isoformat(), "gateway": name}
    message_id = await enqueue(session, RECONCILE, payload, ordering_key=f"{RECONCILE}:{name}:{day}")
    message = await session.get_one(OutboxMessage, message_id)
    await audit.record(session, actor, "payments.reconcile", message, before=None, after=payload)
    return message


async def reconcile(day: date, name: str) -> int:
    """Ask the gateway about each payment of a day, outside of any transaction; gives the key of the report.

    Running it again, also after a crash in the middle, counts anew and changes nothing twice.
    """
    start, end = _bounds(day)
    async with transaction() as session:
        report_id = await _begin(session, name, start)
    last = 0
    while True:
        async with transaction() as session:
            page = await _page(session, name, start, end, last)
        if not page:
            break
        for payment in page:
            await _compare(report_id, payment)
        last = page[-1].id
    async with transaction() as session:
        report = await session.get_one(Reconciliation, report_id, with_for_update=True)
        report.finished_at = clock.now()
        if report.open:
            log.error("payments differ from the gateway's", gateway=name, day=day.isoformat(), open=report.open)
    return report_id


async def _begin(session: AsyncSession, name: str, start: datetime) -> int:
    zero = {"checked": 0, "unanswered": 0, "repaired": 0, "open": 0, "finished_at": None, "updated_at": func.now()}
    made = insert(Reconciliation).values(gateway=name, day_start=start)
    kept = made.on_conflict_do_update(index_elements=[Reconciliation.gateway, Reconciliation.day_start], set_=zero)
    report_id: int = (await session.scalars(kept.returning(Reconciliation.id))).one()
    await session.execute(
        delete(ReconciliationDifference).where(ReconciliationDifference.reconciliation_id == report_id)
    )
    return report_id


async def _page(session: AsyncSession, name: str, start: datetime, end: datetime, after: int) -> list[Payment]:
    """Payments that were begun on the day, or whose money came on it."""
    that_day = Payment.created_at.between(start, end) | Payment.confirmed_at.between(start, end)
    wanted = (
        select(Payment)
        .where(
            Payment.gateway == name,
            Payment.method != PaymentMethod.MANUAL,
            Payment.status.not_in(_NOT_SENT),
            that_day,
            Payment.id > after,
        )
        .order_by(Payment.id)
        .limit(PAGE)
    )
    return list(await session.scalars(wanted))


async def _compare(report_id: int, payment: Payment) -> None:
    try:
        state = await _ask(payment)
    except GatewayUnanswered:
        await _count(report_id, checked=0, unanswered=1)
        return
    if state is None:
        await _note(report_id, payment, DifferenceKind.MISSING, "unknown", repaired=False)
        await _count(report_id, checked=1, unanswered=0)
        return
    if payment.rrn is None and state.rrn is not None:
        async with transaction() as session:
            kept = await session.get_one(Payment, payment.id, with_for_update={"key_share": True})
            kept.rrn = state.rrn
    found = differences(payment.status, payment.amount, state.status, state.amount)
    if any(kind == DifferenceKind.STATE and safe for kind, safe in found):
        await apply_state(payment.id, state, source="reconciliation")
    for kind, safe in found:
        theirs = state.gateway_status if kind == DifferenceKind.STATE else str(state.amount)
        await _note(report_id, payment, kind, theirs, repaired=safe)
    await _count(report_id, checked=1, unanswered=0)


async def _ask(payment: Payment) -> GatewayState | None:
    """What the gateway says; None where it does not know the payment.

    Raises:
        GatewayUnanswered: also where it refuses to say: that tells nothing of the payment.
    """
    service = gateway(payment.gateway)
    try:
        # Looking for the order tells the retrieval reference number too, which a gateway may tell nowhere else.
        found = await service.find(payment.order_id) if payment.rrn is None else None
        if found is None and payment.gateway_payment_id is not None:
            return await service.state(payment.gateway_payment_id)
        return found
    except UnknownPayment:
        return None
    except GatewayRefused as refused:
        raise GatewayUnanswered(f"the gateway does not say: {refused.message}") from refused


async def _note(report_id: int, payment: Payment, kind: DifferenceKind, theirs: str, *, repaired: bool) -> None:
    ours = str(payment.amount) if kind == DifferenceKind.AMOUNT else payment.status.value
    async with transaction() as session:
        session.add(
            ReconciliationDifference(
                reconciliation_id=report_id,
                payment_id=payment.id,
                kind=kind,
                ours=ours,
                theirs=theirs,
                repaired=repaired,
            )
        )
        report = await session.get_one(Reconciliation, report_id, with_for_update=True)
        report.repaired += repaired
        report.open += not repaired


async def _count(report_id: int, *, checked: int, unanswered: int) -> None:
    async with transaction() as session:
        report = await session.get_one(Reconciliation, report_id, with_for_update=True)
        report.checked += checked
        report.unanswered += unanswered


def _bounds(day: date) -> tuple[datetime, datetime]:
    start = datetime.combine(day, time(), clock.zone())
    return start, datetime.combine(day + timedelta(days=1), time(), clock.zone()) - timedelta(microseconds=1)
