"""What follows when a payment moves: the invoice is paid once, and what it bought begins (INV-1, INV-3)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.principal import Principal
from domain.billing import INVOICE_TRANSITIONS, InvoiceKind, InvoiceStatus, PaymentMethod, PaymentStatus
from gateways.interface import GatewayState
from gateways.registry import gateway
from models import Install, Invoice, Payment
from services import audit
from services.billing.announce import announce_invoice
from services.billing.attention import call_a_person
from services.billing.cards import Card, keep_late_card, note_card, paid_by
from services.billing.changes_paid import plan_paid, seats_paid
from services.billing.closing import close_links, confirm_held
from services.billing.closing_receipts import owe_closing_receipt
from services.billing.coins import coins_paid
from services.billing.refunding import refund_told
from services.billing.renew import charge_declined, renew_paid
from services.billing.start import start_paid

Bought = Callable[[AsyncSession, Principal, Invoice, Install, Card | None], Awaitable[None]]
# What a paid invoice of a kind begins; the last argument is the card that paid, where it may be charged again.
# Kinds that are not here are only paid.
BOUGHT: Mapping[InvoiceKind, Bought] = MappingProxyType(
    {
        InvoiceKind.SUBSCRIPTION_START: start_paid,
        InvoiceKind.SEATS_UPGRADE: seats_paid,
        InvoiceKind.PLAN_CHANGE: plan_paid,
        InvoiceKind.RENEWAL: renew_paid,
        InvoiceKind.COIN_PURCHASE: coins_paid,
    }
)

_ENDED_UNPAID = frozenset(
    {PaymentStatus.REJECTED, PaymentStatus.CANCELED, PaymentStatus.EXPIRED, PaymentStatus.REVERSED}
)
_MONEY_CAME = frozenset({PaymentStatus.CONFIRMED, PaymentStatus.PARTIALLY_REFUNDED, PaymentStatus.REFUNDED})
_REFUNDED = frozenset({PaymentStatus.PARTIALLY_REFUNDED, PaymentStatus.REFUNDED})


async def follow_payment(
    session: AsyncSession,
    actor: Principal,
    payment: Payment,
    before: PaymentStatus,
    state: GatewayState,
    *,
    invoice: Invoice,
    install: Install | None,
) -> None:
    """Carry a payment's step over to its invoice; all three rows are locked."""
    if payment.status in _MONEY_CAME and payment.confirmed_at is None:
        payment.confirmed_at = clock.now()
        await settle(session, actor, invoice, install, payment, card=paid_by(payment))
    if payment.status == PaymentStatus.AUTHORIZED and gateway(payment.gateway).two_stage:
        await confirm_held(session, payment)
    elif payment.status in _REFUNDED:
        await refund_told(session, payment, state, invoice=invoice, install=install)
    elif payment.status in _ENDED_UNPAID and _is_charged_otherwise(invoice, payment):
        return
    elif payment.status in _ENDED_UNPAID and before != PaymentStatus.CONFIRMED:
        await _move(session, actor, invoice, InvoiceStatus.FAILED)
        if payment.method == PaymentMethod.RECURRING and invoice.status == InvoiceStatus.FAILED:
            assert install is not None
            await charge_declined(session, actor, invoice, install, payment)


def _is_charged_otherwise(invoice: Invoice, payment: Payment) -> bool:
    """Whether the stored card is being charged: a link that ends beside it says nothing of the invoice."""
    return invoice.status == InvoiceStatus.CHARGING and payment.method != PaymentMethod.RECURRING


async def follow_card(
    session: AsyncSession, payment: Payment, state: GatewayState, *, invoice: Invoice, install: Install | None
) -> bool:
    """Take the card that a gateway tells of, whatever else it tells; gives whether one was kept that came late.

    The answer that confirms a payment names no card; the notification that does may come before or after it. A repeat
    does not bring back a card that was forgotten meanwhile.
    """
    if install is None or not invoice.auto_renew or payment.method != PaymentMethod.GATEWAY:
        return False
    if not note_card(payment, state) or payment.confirmed_at is None:
        return False
    return await keep_late_card(session, payment, invoice, install)


async def settle(
    session: AsyncSession,
    actor: Principal,
    invoice: Invoice,
    install: Install | None,
    payment: Payment,
    *,
    card: Card | None = None,
) -> None:
    """Mark the invoice paid, once, and start what it bought; money for a closed invoice is put on record."""
    if InvoiceStatus.PAID not in INVOICE_TRANSITIONS[invoice.status]:
        told = {"invoice": invoice.number, "invoiceStatus": invoice.status, "amount": payment.amount}
        await audit.record(session, actor, "payment.surplus", payment, before=None, after=told)
        reason = f"money came for invoice {invoice.number}, which is {invoice.status}"
        await call_a_person(session, payment, reason)
        return
    await _move(session, actor, invoice, InvoiceStatus.PAID)
    await close_links(session, invoice, but=payment)
    await _hand_over(session, actor, invoice, install, card)
    await owe_closing_receipt(session, actor, payment, invoice)


async def settle_free(session: AsyncSession, actor: Principal, invoice: Invoice, install: Install | None) -> None:
    """Mark an invoice that asks for nothing paid at once, and start what it stands for."""
    assert invoice.total == 0
    await _move(session, actor, invoice, InvoiceStatus.PAID)
    await _hand_over(session, actor, invoice, install, None)


async def _hand_over(
    session: AsyncSession, actor: Principal, invoice: Invoice, install: Install | None, card: Card | None
) -> None:
    if install is None:
        return
    bought = BOUGHT.get(invoice.kind)
    if bought is None:
        await announce_invoice(session, install, invoice, "invoice.paid")
    else:
        await bought(session, actor, invoice, install, card)


async def _move(session: AsyncSession, actor: Principal, invoice: Invoice, to: InvoiceStatus) -> None:
    before = invoice.status
    if to not in INVOICE_TRANSITIONS[before]:
        return
    invoice.status = to
    invoice.next_charge_at = None
    if to == InvoiceStatus.PAID:
        invoice.paid_at = clock.now()
    await audit.record(
        session, actor, f"invoice.{to.lower()}", invoice, before={"status": before}, after={"status": to}
    )
