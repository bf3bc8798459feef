"""Issues invoices with gapless numbers (INV-1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.principal import Principal
from core.settings import get_settings
from domain.billing import InvoiceKind, InvoiceStatus
from domain.catalog import Term
from domain.vat import vat_within
from models import Invoice, InvoiceCounter, InvoiceLine
from services import audit, legal_entities

PAYMENT_TERM = timedelta(days=5)


@dataclass(frozen=True)
class DraftLine:
    """One line to be billed; the amount is rounded already."""

    description: str
    quantity: Decimal
    unit_price: Decimal
    amount: Decimal

    @classmethod
    def of_months(cls, name: str, months: int, units: int, unit_price: Decimal, amount: Decimal) -> DraftLine:
        """Units for whole months, at the price of one for one month."""
        return cls(f"{name}, {months} × {units}", Decimal(months * units), unit_price, amount)


@dataclass(frozen=True)
class Draft:
    """What is to be billed; the amount of a line may be negative where it is a credit.

    Parameters:
        due_at: until when it should be paid; five days unless told.
        coins: what a purchase of coins gives, once paid.
        top_up: whether the wallet bought them by itself.
    """

    partner_id: int
    kind: InvoiceKind
    currency: str
    lines: tuple[DraftLine, ...]
    install_id: int | None = None
    plan_id: int | None = None
    term: Term | None = None
    seats: int | None = None
    unit_price: Decimal | None = None
    auto_renew: bool = True
    subscription_id: int | None = None
    period_start: datetime | None = None
    period_end: datetime | None = None
    due_at: datetime | None = None
    coin_package_id: int | None = None
    coins: Decimal | None = None
    top_up: bool = False


async def issue_invoice(session: AsyncSession, actor: Principal, draft: Draft) -> Invoice:
    """Write the invoice with its lines under the next number of legal entity and year."""
    settings = get_settings()
    now = clock.now()
    year = now.astimezone(clock.zone()).year
    entity = await legal_entities.issuing(session, settings.legal_entity)
    vat_rate = None if entity is None else entity.vat_rate
    total = sum((line.amount for line in draft.lines), Decimal(0))
    sequence = await _next_sequence(session, settings.legal_entity, year)
    invoice = Invoice(
        partner_id=draft.partner_id,
        install_id=draft.install_id,
        subscription_id=draft.subscription_id,
        legal_entity=settings.legal_entity,
        year=year,
        sequence=sequence,
        number=invoice_number(settings.legal_entity, year, sequence),
        kind=draft.kind,
        status=InvoiceStatus.PENDING,
        plan_id=draft.plan_id,
        coin_package_id=draft.coin_package_id,
        coins=draft.coins,
        top_up=draft.top_up,
        term=draft.term,
        seats=draft.seats,
        unit_price=draft.unit_price,
        period_start=draft.period_start,
        period_end=draft.period_end,
        auto_renew=draft.auto_renew,
        currency=draft.currency,
        total=total,
        vat_rate=vat_rate,
        vat_amount=vat_within(total, vat_rate),
        due_at=draft.due_at or now + PAYMENT_TERM,
    )
    session.add(invoice)
    await session.flush()
    for position, line in enumerate(draft.lines, start=1):
        session.add(
            InvoiceLine(
                partner_id=draft.partner_id,
                invoice_id=invoice.id,
                position=position,
                description=line.description,
                quantity=line.quantity,
                unit_price=line.unit_price,
                amount=line.amount,
                currency=draft.currency,
            )
        )
    told = {"number": invoice.number, "kind": draft.kind, "total": invoice.total, "currency": draft.currency}
    await audit.record(session, actor, "invoice.issue", invoice, before=None, after=told)
    return invoice


def invoice_number(legal_entity: str, year: int, sequence: int) -> str:
    """The number that people see."""
    return f"{number_prefix(legal_entity)}{year}-{sequence:06d}"


def number_prefix(legal_entity: str) -> str:
    """What the numbers of a legal entity begin with; the default one's need no prefix."""
    return "" if legal_entity == "default" else f"{legal_entity}-"


async def _next_sequence(session: AsyncSession, legal_entity: str, year: int) -> int:
    """The next number; the counter's row stays locked to the end, so a rollback leaves no gap."""
    first = insert(InvoiceCounter).values(legal_entity=legal_entity, year=year, last_sequence=1)
    taken = await session.scalar(
        first.on_conflict_do_update(
            index_elements=[InvoiceCounter.legal_entity, InvoiceCounter.year],
            set_={"last_sequence": InvoiceCounter.last_sequence + 1},
        ).returning(InvoiceCounter.last_sequence)
    )
    assert taken is not None
    return int(taken)
