"""Asks for money to be given back: in full or in part, with what it had bought (INV-2)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import Conflict
from core.principal import Principal
from domain import fields
from domain.billing import InvoiceKind, PaymentMethod
from domain.invoice_actions import REFUNDABLE, refund_blocked
from domain.refunds import OPEN_REFUND, RefundedCoins, RefundedSubscription, RefundOutcome, RefundStatus
from models import Install, Invoice, Payment, Refund
from policies.scopes import require
from services import audit
from services.billing.locks import live_subscription
from services.billing.refund_sending import SEND
from services.billing.refunding import add_refund, book_elsewhere, fail_refund, settle_refund
from services.billing.surplus import has_paid
from services.billing.take_back import take_back, taken_back_at_most
from services.loading import load
from services.outbox import enqueue

LONGEST_REASON = 500


class PaymentNotRefundable(Conflict):
    """No money of the payment is here, or a refund of it is under way."""

    code = "PAYMENT_NOT_REFUNDABLE"


class RefundTooLarge(Conflict):
    """More than is left of the payment."""

    code = "REFUND_EXCEEDS_PAYMENT"


class RefundNotInDoubt(Conflict):
    """Only a refund of which nothing else can tell is settled by a person's word."""

    code = "REFUND_NOT_IN_DOUBT"


@dataclass(frozen=True)
class RefundQuote:
    """What may be refunded now.

    Parameters:
        refundable: what is left of the payment.
        with_coins_taken_back: the largest refund that takes its coins back; None where no coins were bought.
        ends_subscription: whether a subscription was paid that END_NOW would end.
    """

    refundable: Decimal
    currency: str
    with_coins_taken_back: Decimal | None
    ends_subscription: bool


async def preview_refund(session: AsyncSession, actor: Principal, *, payment_id: int) -> RefundQuote:
    """What may be refunded of a payment, without doing it.

    Raises:
        NotFound: no such payment in the actor's scope.
    """
    require(actor, "payment:refund", "Query.paymentPreviewRefund")
    payment = await load(session, actor, Payment, payment_id, field="paymentId")
    invoice = await session.get_one(Invoice, payment.invoice_id)
    left = payment.amount - payment.refunded_amount if payment.status in REFUNDABLE else Decimal("0.00")
    if not await has_paid(session, invoice, payment):
        return RefundQuote(left, payment.currency, None, ends_subscription=False)
    coins = None
    if invoice.kind == InvoiceKind.COIN_PURCHASE and left:
        coins = min(left, await taken_back_at_most(session, invoice))
    return RefundQuote(left, payment.currency, coins, await _pays_for_live(session, invoice))


async def request_refund(
    session: AsyncSession,
    actor: Principal,
    *,
    payment_id: int,
    amount: Decimal | None,
    reason: str,
    subscription: RefundedSubscription,
    coins: RefundedCoins,
) -> Refund:
    """Ask for money to be given back; the gateway is told after commit. By-hand payments are given back by hand.

    Coins are taken at once, so that nobody spends them meanwhile, and come back where the gateway refuses. Money that
    came for an invoice besides what paid it has bought nothing, so that nothing is taken.

    Parameters:
        amount: in the payment's currency; None for all that is left.

    Raises:
        NotFound: no such payment.
        PaymentNotRefundable: its money is not here, or another refund of it is under way.
        RefundTooLarge: more than is left.
        CoinsSpent: coins were to be taken back and are not there; says how many are, and what they pay for.
        InvalidAmount, InvalidValue: the amount or the reason is not fit.
    """
    require(actor, "payment:refund", "Mutation.paymentRefund")
    reason = fields.line(reason, "reason", most_chars=LONGEST_REASON)
    install, invoice, payment = await _locked(session, actor, payment_id)
    asked = await _fit_amount(session, payment, amount)
    bought_coins = invoice.kind == InvoiceKind.COIN_PURCHASE and await has_paid(session, invoice, payment)
    refund = await add_refund(
        session,
        actor,
        payment,
        amount=asked,
        reason=reason,
        subscription=subscription,
        coins=coins if bought_coins else RefundedCoins.LEAVE,
    )
    if refund.coins == RefundedCoins.TAKE_BACK:
        taken = await take_back(session, actor, invoice=invoice, amount=asked, reference=refund.key)
        refund.coins_taken = Decimal(0) if taken is None else -taken.amount
    told = {"amount": asked, "reason": reason, "subscription": subscription, "coins_taken": refund.coins_taken}
    await audit.record(session, actor, "payment.refund", refund, before=None, after=told)
    if payment.method == PaymentMethod.MANUAL:
        await settle_refund(session, actor, refund, payment, invoice, install)
    else:
        key = f"{SEND}:{payment.id}"
        await enqueue(session, SEND, {"refundId": refund.id}, ordering_key=key, partner_id=refund.partner_id)
    return refund


async def record_refund(
    session: AsyncSession, actor: Principal, *, payment_id: int, amount: Decimal, reason: str
) -> Refund:
    """Book money that was given back without us, at the gateway or by hand, and that no notification told of.

    Parameters:
        amount: in the payment's currency.

    Raises:
        NotFound: no such payment.
        PaymentNotRefundable: its money is not here, or a refund of it is under way.
        RefundTooLarge: more than is left.
        InvalidAmount, InvalidValue: the amount or the reason is not fit.
    """
    require(actor, "payment:refund", "Mutation.paymentRecordRefund")
    reason = fields.line(reason, "reason", most_chars=LONGEST_REASON)
    install, invoice, payment = await _locked(session, actor, payment_id)
    amount = await _fit_amount(session, payment, amount)
    return await book_elsewhere(session, actor, payment, invoice, install, amount=amount, reason=reason)


async def resolve_refund(
    session: AsyncSession, actor: Principal, *, refund_id: int, outcome: RefundOutcome, note: str
) -> Refund:
    """Say what came of a refund that is in doubt, as somebody found out at the gateway.

    Parameters:
        note: where it was seen; kept with the refund.

    Raises:
        NotFound: no such refund in the actor's scope.
        RefundNotInDoubt: it is under way, or ended.
        InvalidValue: the note is not fit.
    """
    require(actor, "payment:refund", "Mutation.refundResolve")
    note = fields.line(note, "note", most_chars=LONGEST_REASON)
    found = await load(session, actor, Refund, refund_id)
    install, invoice, payment = await _locked(session, actor, found.payment_id)
    refund = await load(session, actor, Refund, refund_id, lock=True)
    if refund.status != RefundStatus.IN_DOUBT:
        raise RefundNotInDoubt(f"the refund is {refund.status}", field=fields.path("id"))
    refund.resolved_by_user_id, refund.resolution_note = actor.user_id, note
    if outcome == RefundOutcome.GIVEN_BACK:
        await settle_refund(session, actor, refund, payment, invoice, install)
    else:
        await fail_refund(session, actor, refund, invoice, code=None, message=None)
    return refund


async def _fit_amount(session: AsyncSession, payment: Payment, amount: Decimal | None) -> Decimal:
    """The amount that may be given back of a locked payment now; None stands for all that is left."""
    under_way = select(Refund.id).where(Refund.payment_id == payment.id, Refund.status.in_(OPEN_REFUND))
    blocked = refund_blocked(payment.status, under_way=await session.scalar(under_way) is not None)
    if blocked is not None:
        raise PaymentNotRefundable(blocked.message, field=fields.path("paymentId"))
    left = payment.amount - payment.refunded_amount
    asked = left if amount is None else fields.amount(amount, "amount")
    if asked > left:
        raise RefundTooLarge(f"{left} {payment.currency} are left of the payment", field=fields.path("amount"))
    if asked == 0:
        raise fields.InvalidAmount("a refund is more than nothing", field=fields.path("amount"))
    return asked


async def _locked(session: AsyncSession, actor: Principal, payment_id: int) -> tuple[Install | None, Invoice, Payment]:
    found = await load(session, actor, Payment, payment_id, field="paymentId")
    invoice_id, install = found.invoice_id, None
    install_id = (await session.get_one(Invoice, invoice_id)).install_id
    if install_id is not None:
        install = await load(session, actor, Install, install_id, field="paymentId", lock=True)
    invoice = await load(session, actor, Invoice, invoice_id, field="paymentId", lock=True)
    return install, invoice, await load(session, actor, Payment, payment_id, field="paymentId", lock=True)


async def _pays_for_live(session: AsyncSession, invoice: Invoice) -> bool:
    if invoice.subscription_id is None or invoice.install_id is None:
        return False
    live = await live_subscription(session, invoice.install_id)
    return live is not None and live.id == invoice.subscription_id
