"""Invoices that people write themselves: for what no plan or package sells (INV-1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.errors import NotFound
from core.principal import Principal
from domain import fields
from domain.billing import InvoiceKind
from domain.money import rounded
from models import Install, Invoice, Partner, Payment
from policies.scopes import require
from services.billing.announce import announce_invoice
from services.billing.issue import Draft, DraftLine, issue_invoice
from services.billing.payments import new_payment
from services.loading import load

MOST_LINES = 100
QUANTITY_PLACES = 3
MOST_DUE_DAYS = 365
DEFAULT_DUE_DAYS = 5


@dataclass(frozen=True)
class AskedLine:
    """One line as it was asked for; its amount is quantity times price, rounded half up."""

    description: str
    quantity: Decimal
    unit_price: Decimal


async def create_invoice(
    session: AsyncSession,
    actor: Principal,
    *,
    partner_id: int,
    lines: Sequence[AskedLine],
    currency: str,
    install_id: int | None = None,
    due_days: int = DEFAULT_DUE_DAYS,
) -> tuple[Invoice, Payment]:
    """Issue an invoice over these lines, with a payment whose link the gateway gives after commit.

    Raises:
        NotFound: no such partner, or no such install of the partner.
        InvalidValue, InvalidAmount: a line, the currency or the days are not fit; the sum is nothing.
    """
    require(actor, "invoice:write", "Mutation.invoiceCreate")
    partner = await load(session, actor, Partner, partner_id, field="partnerId")
    install = None
    if install_id is not None:
        install = await load(session, actor, Install, install_id, field="installId", lock=True)
        if install.partner_id != partner.id:
            raise NotFound.of("Install", field=fields.path("installId"))
    currency = fields.currency(currency, "currency")
    fields.whole(due_days, "dueDays", least=0, most=MOST_DUE_DAYS)
    if not 1 <= len(lines) <= MOST_LINES:
        raise fields.InvalidValue(f"an invoice has 1 to {MOST_LINES} lines", field=fields.path("lines"))
    drafted = tuple(_line(line) for line in lines)
    total = sum((line.amount for line in drafted), Decimal(0))
    if fields.amount(total, "lines") == 0:
        raise fields.InvalidAmount("the lines sum to nothing", field=fields.path("lines"))
    invoice = await issue_invoice(
        session,
        actor,
        Draft(
            partner_id=partner.id,
            install_id=install_id,
            kind=InvoiceKind.ONE_OFF,
            currency=currency,
            auto_renew=False,
            due_at=clock.now() + timedelta(days=due_days),
            lines=drafted,
        ),
    )
    if install is not None:
        await announce_invoice(session, install, invoice, "invoice.created")
    return invoice, await new_payment(session, invoice, source=actor.label)


def _line(asked: AskedLine) -> DraftLine:
    quantity = fields.amount(asked.quantity, "lines", places=QUANTITY_PLACES)
    if not 0 < quantity < Decimal(10) ** 9:
        raise fields.InvalidAmount(
            "a quantity is more than nothing and less than a billion", field=fields.path("lines")
        )
    unit_price = fields.amount(asked.unit_price, "lines")
    return DraftLine(
        description=fields.line(asked.description, "lines"),
        quantity=quantity,
        unit_price=unit_price,
        amount=rounded(quantity * unit_price),
    )
