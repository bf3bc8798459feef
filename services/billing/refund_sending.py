"""Tells gateways to give money back: each refund once, asked about when in doubt, never sent again blindly (INV-2)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.database import transaction
from core.principal import SYSTEM
from domain.billing import PaymentStatus
from domain.effects import OutboxStatus
from domain.refunds import ASKED_REFUND, RefundEvidence, RefundStatus, refund_evidence
from gateways.interface import (
    Gateway,
    GatewayRefused,
    GatewayState,
    GatewayUnanswered,
    GatewayUnreachable,
    Receipt,
)
from gateways.registry import gateway
from models import Install, Invoice, OutboxMessage, Payment, Refund
from services.billing.locks import IN_FLIGHT, LOCK, lock_payment
from services.billing.receipts import receipt_of
from services.billing.refunding import doubt_refund, fail_refund, refunds_made, settle_refund
from services.outbox import enqueue

SEND = "refund.send"
ASK_AFTER = timedelta(minutes=1)
# The SBP takes minutes, cards some days.
LONGEST_UNDER_WAY = timedelta(days=7)
_GIVEN_BACK = (PaymentStatus.PARTIALLY_REFUNDED, PaymentStatus.REFUNDED, PaymentStatus.REVERSED)


async def send_refund(refund_id: int) -> None:
    """Tell the gateway to give the money back; safe to call again, at once or after a crash.

    Before the gateway is called the refund is UNKNOWN, so that a lost answer is never taken for "not sent". It is sent
    again only where the payment's state shows that nothing was given back, or where the gateway knows its key again;
    where neither tells what came of it, it is IN_DOUBT and waits for a person. A gateway that takes its time leaves it
    UNKNOWN, to be asked about later.

    Raises:
        GatewayUnanswered: what the gateway did is unknown.
    """
    begun = await _begin(refund_id)
    if begun is None:
        return
    service = gateway(begun.gateway)
    if begun.again and not await _send_again(service, refund_id, begun):
        return
    try:
        state = await service.cancel(begun.gateway_payment_id, begun.amount, begun.key, begun.receipt)
    except GatewayUnreachable:
        if not begun.again:
            await _not_sent(refund_id)
        raise
    except GatewayRefused as refused:
        await _refused(service, refund_id, begun, refused)
        return
    await _take(refund_id, state)


async def ask_for_open_refunds(session: AsyncSession, limit: int) -> int:
    """Write a message for each refund that has been open for long and has none that waits; gives how many."""
    asked_soon = exists().where(
        OutboxMessage.ordering_key == func.concat(SEND, ":", Refund.payment_id),
        OutboxMessage.status == OutboxStatus.PENDING,
    )
    wanted = (
        select(Refund)
        .where(Refund.status.in_(ASKED_REFUND), Refund.updated_at < clock.now() - ASK_AFTER, ~asked_soon)
        .order_by(Refund.updated_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    refunds = list(await session.scalars(wanted))
    for refund in refunds:
        refund.updated_at = clock.now()
        key = f"{SEND}:{refund.payment_id}"
        await enqueue(session, SEND, {"refundId": refund.id}, ordering_key=key, partner_id=refund.partner_id)
    return len(refunds)


@dataclass(frozen=True)
class _Begun:
    """What the gateway is to be told.

    Parameters:
        again: whether it may have been told already.
        accepted_at: when it first said that it was giving the money back.
        before: what was given back of the payment earlier.
        paid: the whole payment.
        receipt: of what is given back, for a part of the payment.
    """

    gateway: str
    gateway_payment_id: str
    amount: Decimal
    key: str
    again: bool
    accepted_at: datetime | None
    before: Decimal
    paid: Decimal
    receipt: Receipt | None

    def evidence(self, state: GatewayState) -> RefundEvidence:
        """What a state of the payment tells of the refund."""
        return refund_evidence(
            state.status, refunding=state.refunding, amount=self.amount, before=self.before, paid=self.paid
        )


async def _begin(refund_id: int) -> _Begun | None:
    async with transaction() as session:
        refund = await session.get_one(Refund, refund_id, with_for_update=LOCK)
        now = clock.now()
        if refund.status not in ASKED_REFUND:
            return None
        if refund.sent_at is not None and refund.sent_at > now - IN_FLIGHT:
            return None
        again = refund.sent_at is not None
        refund.status, refund.sent_at, refund.updated_at = RefundStatus.UNKNOWN, now, now
        payment = await session.get_one(Payment, refund.payment_id)
        assert payment.gateway_payment_id is not None, "money came through a gateway that knows the payment"
        in_part, earlier = refund.amount < payment.amount, await refunds_made(session, payment)
        return _Begun(
            gateway=payment.gateway,
            gateway_payment_id=payment.gateway_payment_id,
            amount=refund.amount,
            key=refund.key,
            again=again,
            accepted_at=refund.accepted_at,
            before=sum(earlier, Decimal(0)),
            paid=payment.amount,
            receipt=await receipt_of(session, payment, part=refund.amount, earlier=earlier) if in_part else None,
        )


async def _send_again(service: Gateway, refund_id: int, begun: _Begun) -> bool:
    """Ask what came of a refund that may have been sent; gives whether it may be sent again."""
    state = await _asked(service, begun)
    evidence = begun.evidence(state)
    since = begun.accepted_at
    if evidence == RefundEvidence.UNDER_WAY and since is not None and since < clock.now() - LONGEST_UNDER_WAY:
        await _doubt(refund_id, f"the gateway has shown {state.gateway_status} for {LONGEST_UNDER_WAY.days} days")
        return False
    if evidence in (RefundEvidence.MADE, RefundEvidence.UNDER_WAY):
        await _take(refund_id, state, asked=begun)
        return False
    if since is not None and not state.repeatable:
        await _ended(service, refund_id, begun, state)
        return False
    if evidence == RefundEvidence.UNCLEAR and not state.repeatable:
        await _doubt(refund_id, f"the gateway shows {state.gateway_status}, which an earlier refund may have made")
        return False
    return True


async def _asked(service: Gateway, begun: _Begun) -> GatewayState:
    """The payment's state at the gateway. That a question is refused says nothing of the refund that was sent.

    Raises:
        GatewayUnanswered: also where the gateway refuses to say.
    """
    try:
        return await service.state(begun.gateway_payment_id)
    except GatewayRefused as refused:
        raise GatewayUnanswered(f"the gateway does not say: {refused.message}") from refused


async def _ended(service: Gateway, refund_id: int, begun: _Begun, state: GatewayState) -> None:
    """What came of a refund that the gateway had taken on, and that is under way no more."""
    try:
        refused = await service.refund_refusal(begun.gateway_payment_id)
    except GatewayRefused as unsaid:
        await _doubt(refund_id, f"the gateway shows {state.gateway_status} and does not say why: {unsaid.message}")
        return
    nothing = begun.evidence(state) == RefundEvidence.NOT_MADE
    if nothing and refused is not None:
        await _fail(refund_id, refused)
    elif not nothing and refused is None and state.status == PaymentStatus.PARTIALLY_REFUNDED:
        await _take(refund_id, state, asked=begun)
    else:
        said = "no refusal" if refused is None else f"{refused.error_code}: {refused.message}"
        await _doubt(refund_id, f"the gateway gave it back or not: it shows {state.gateway_status} and {said}")


async def _refused(service: Gateway, refund_id: int, begun: _Begun, refused: GatewayRefused) -> None:
    """A first refusal is the last word; that of a repeat counts only where nothing was given back before it."""
    if begun.again:
        state = await _asked(service, begun)
        if begun.evidence(state) != RefundEvidence.NOT_MADE:
            await _doubt(refund_id, f"the gateway refused a repeat ({refused.error_code}: {refused.message})")
            return
    await _fail(refund_id, refused)


async def _take(refund_id: int, state: GatewayState, *, asked: _Begun | None = None) -> None:
    """Book what the gateway has given back, or note that it is at it.

    Parameters:
        asked: where the state is no answer to the refund but one to a question, what was known when it was asked; what
            was booked since makes it worthless.
    """
    async with transaction() as session:
        install, invoice, payment, refund = await _lock(session, refund_id)
        if asked is not None:
            known = sum(await refunds_made(session, payment), Decimal(0))
            if refund.status not in ASKED_REFUND or known != asked.before:
                return
        if state.status in _GIVEN_BACK:
            payment.gateway_status = state.gateway_status
            await settle_refund(session, SYSTEM, refund, payment, invoice, install)
        elif state.refunding and refund.accepted_at is None:
            refund.accepted_at = clock.now()


async def _not_sent(refund_id: int) -> None:
    """The gateway was not reached, so it was told nothing."""
    async with transaction() as session:
        refund = await session.get_one(Refund, refund_id, with_for_update=LOCK)
        if refund.status == RefundStatus.UNKNOWN:
            refund.status, refund.sent_at = RefundStatus.PENDING, None


async def _fail(refund_id: int, refused: GatewayRefused) -> None:
    async with transaction() as session:
        _, invoice, _, refund = await _lock(session, refund_id)
        await fail_refund(session, SYSTEM, refund, invoice, code=refused.error_code, message=refused.message)


async def _doubt(refund_id: int, why: str) -> None:
    async with transaction() as session:
        _, _, payment, refund = await _lock(session, refund_id)
        await doubt_refund(session, refund, payment, why)


async def _lock(session: AsyncSession, refund_id: int) -> tuple[Install | None, Invoice, Payment, Refund]:
    """In the one order: install, invoice, payment, refund."""
    of_payment = (await session.get_one(Refund, refund_id)).payment_id
    install, invoice, payment = await lock_payment(session, of_payment)
    refund = await session.get_one(Refund, refund_id, with_for_update=LOCK, populate_existing=True)
    return install, invoice, payment, refund
