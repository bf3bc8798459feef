"""Brings payments in step with their gateways by asking, whatever was lost on the way (INV-6)."""

from __future__ import annotations

from core.database import transaction
from domain.billing import INVOICE_TRANSITIONS, InvoiceStatus, PaymentMethod, PaymentStatus
from gateways.interface import GatewayRefused
from gateways.registry import gateway
from models import Invoice, Payment
from services.billing.charging import carry_on
from services.billing.closing import NOT_OPENED
from services.billing.payments import InFlight, apply_state, open_payment


async def repair_payment(payment_id: int) -> None:
    """Bring a payment in step with its gateway by asking (INV-6); never sends a payment again."""
    async with transaction() as session:
        payment = await session.get_one(Payment, payment_id)
        method = payment.method
        name, gateway_payment_id, order_id = payment.gateway, payment.gateway_payment_id, payment.order_id
        waiting_for_link = payment.status in (PaymentStatus.NEW, PaymentStatus.UNKNOWN) and gateway_payment_id is None
    if method == PaymentMethod.RECURRING:
        await carry_on(payment_id)
        await confirm_payment(payment_id)
        return
    if waiting_for_link:
        await open_payment(payment_id)
        return
    service = gateway(name)
    state = await (service.state(gateway_payment_id) if gateway_payment_id else service.find(order_id))
    if state is not None:
        await apply_state(payment_id, state, source="repair")
    if service.two_stage:
        await confirm_payment(payment_id)


async def confirm_payment(payment_id: int) -> None:
    """Take money that is held for an invoice that waits for it, and release any other; safe to call again.

    Raises:
        GatewayUnanswered: no answer came; the next call asks first.
    """
    async with transaction() as session:
        payment = await session.get_one(Payment, payment_id)
        invoice = await session.get_one(Invoice, payment.invoice_id)
        wanted = InvoiceStatus.PAID in INVOICE_TRANSITIONS[invoice.status]
        gateway_payment_id, amount = payment.gateway_payment_id, payment.amount
    if payment.status != PaymentStatus.AUTHORIZED or gateway_payment_id is None:
        return
    service = gateway(payment.gateway)
    try:
        if wanted:
            state = await service.confirm(gateway_payment_id, amount)
        else:
            state = await service.cancel(gateway_payment_id, amount, payment.order_id)
    except GatewayRefused:
        # It is confirmed or released already; whichever it is, the gateway says so.
        state = await service.state(gateway_payment_id)
    await apply_state(payment_id, state, source="confirm")


async def close_payment(payment_id: int) -> None:
    """Close an unpaid payment at its gateway; safe to call again. Money that was faster is booked as it came.

    Raises:
        InFlight: the payment is just being opened.
        GatewayUnanswered: no answer came; the next call asks first.
    """
    async with transaction() as session:
        payment = await session.get_one(Payment, payment_id)
        status, name = payment.status, payment.gateway
        gateway_payment_id, order_id = payment.gateway_payment_id, payment.order_id
    if status == PaymentStatus.NEW:
        # Opening it for an invoice that waits for nothing calls it off.
        await open_payment(payment_id)
        return
    if status in NOT_OPENED:
        raise InFlight("the payment is being opened")
    if status != PaymentStatus.PENDING or gateway_payment_id is None:
        return
    service = gateway(name)
    try:
        state = await service.close(gateway_payment_id, order_id)
    except GatewayRefused:
        # The customer is paying at this moment; what comes of it is told as for any payment.
        state = await service.state(gateway_payment_id)
    await apply_state(payment_id, state, source="close")
