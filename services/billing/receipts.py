"""What the customer's receipt says of a payment or of a refund of it (54-FZ)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal

from sqlalchemy import case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.settings import get_settings
from domain.proration import part_of, receipt_amounts
from domain.receipts import CLOSED, ReceiptMethod
from gateways.interface import Receipt, ReceiptLine
from models import ClosingReceipt, Contact, InvoiceLine, Payment

# Of tag 1008; a longer email gets no receipt.
LONGEST_ADDRESS_CHARS = 64


async def receipt_of(
    session: AsyncSession, payment: Payment, *, part: Decimal | None = None, earlier: Iterable[Decimal] = ()
) -> Receipt | None:
    """The receipt of a payment; None where nobody is known who could get it.

    Parameters:
        part: only this much of it, spread over the lines in proportion, for a refund in part.
        earlier: what refunds before it gave back, in their order, so that all of them give each line back once.
    """
    billed = select(InvoiceLine).where(InvoiceLine.invoice_id == payment.invoice_id).order_by(InvoiceLine.position)
    lines = list(await session.scalars(billed))
    email, phone = await _address(session, payment.partner_id)
    if email is None and phone is None:
        return None
    amounts = receipt_amounts([line.amount for line in lines])
    for back in earlier:
        amounts = [amount - less for amount, less in zip(amounts, part_of(amounts, back), strict=True)]
    if part is not None:
        amounts = part_of(amounts, part)
    return Receipt(_told(lines, amounts), await _method(session, payment, back=part is not None), email, phone)


async def _method(session: AsyncSession, payment: Payment, *, back: bool) -> ReceiptMethod:
    """What the receipt calls the settlement: once a prepayment's receipt is closed, its money comes back as payment."""
    if back and await session.scalar(
        select(ClosingReceipt.id).where(ClosingReceipt.payment_id == payment.id, ClosingReceipt.status.in_(CLOSED))
    ):
        return ReceiptMethod.FULL_PAYMENT
    return payment.receipt_method or ReceiptMethod(get_settings().tbank_payment_method.upper())


async def closing_receipt_of(session: AsyncSession, payment: Payment) -> Receipt | None:
    """The closing receipt of a payment, of all that it paid for; None where nobody is known who could get it."""
    receipt = await receipt_of(session, payment)
    return None if receipt is None else replace(receipt, method=ReceiptMethod.FULL_PAYMENT)


async def _address(session: AsyncSession, partner_id: int) -> tuple[str | None, str | None]:
    """Where the partner's receipts go: its people in the order of their importance, an email before a phone."""
    email = case((func.length(Contact.email) <= LONGEST_ADDRESS_CHARS, Contact.email)).label("email")
    known = (
        select(email, Contact.phone)
        .where(Contact.partner_id == partner_id, or_(email.is_not(None), Contact.phone.is_not(None)))
        .order_by(email.is_(None), Contact.is_primary.desc(), Contact.id)
        .limit(1)
    )
    row = (await session.execute(known)).one_or_none()
    return (get_settings().receipt_email, None) if row is None else (row.email, row.phone)


def _told(lines: Sequence[InvoiceLine], amounts: Sequence[Decimal]) -> tuple[ReceiptLine, ...]:
    """The lines as a receipt can show them: what costs nothing is left out."""
    told = []
    for line, amount in zip(lines, amounts, strict=True):
        if amount == line.amount and amount > 0:
            told.append(ReceiptLine(line.description, line.quantity, line.unit_price, amount))
        elif amount > 0:
            told.append(ReceiptLine(line.description, Decimal(1), amount, amount))
    return tuple(told)
