"""Invoices that wait while their subscription changes: the order of a change, and the renewal (SUB-4, SUB-5)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.principal import Principal
from domain.billing import CHANGE_ORDERS as CHANGE_ORDERS
from domain.billing import WAITING_INVOICE, InvoiceKind, InvoiceStatus
from models import Install, Invoice, Subscription
from services import audit
from services.billing.announce import UNASKED, announce_invoice
from services.billing.closing import close_links

RENEWALS = frozenset({InvoiceKind.RENEWAL})


async def waiting(
    session: AsyncSession, subscription_ids: Sequence[int], kinds: Iterable[InvoiceKind], *, lock: bool = False
) -> list[Invoice]:
    """The unpaid invoices of these subscriptions and kinds, oldest first."""
    wanted = (
        select(Invoice)
        .where(
            Invoice.subscription_id.in_(subscription_ids),
            Invoice.kind.in_(list(kinds)),
            Invoice.status.in_(sorted(WAITING_INVOICE)),
        )
        .order_by(Invoice.id)
        .execution_options(populate_existing=True)
    )
    return list(await session.scalars(wanted.with_for_update(key_share=True) if lock else wanted))


async def withdraw(
    session: AsyncSession, actor: Principal, subscription: Subscription, kinds: Iterable[InvoiceKind], why: str
) -> list[Invoice]:
    """Cancel the unpaid invoices of these kinds, except one whose money is on its way; gives the cancelled ones.

    A withdrawn renewal is billed anew, at the price of the changed subscription, by the next run of renewals.
    """
    withdrawn = []
    for invoice in await waiting(session, [subscription.id], kinds, lock=True):
        if invoice.status == InvoiceStatus.CHARGING:
            continue
        await cancel(session, actor, invoice, why)
        withdrawn.append(invoice)
        if invoice.kind == InvoiceKind.RENEWAL:
            subscription.invoiced_until = None
    return withdrawn


async def cancel(session: AsyncSession, actor: Principal, invoice: Invoice, why: str | None = None) -> None:
    """Cancel one unpaid invoice that the caller has locked with its install, and have its payment links closed."""
    before = {"status": invoice.status}
    invoice.status = InvoiceStatus.CANCELED
    invoice.canceled_at, invoice.next_charge_at = clock.now(), None
    after = {"status": InvoiceStatus.CANCELED, **({} if why is None else {"reason": why})}
    await audit.record(session, actor, "invoice.cancel", invoice, before=before, after=after)
    if invoice.kind in UNASKED and invoice.install_id is not None:
        install = await session.get_one(Install, invoice.install_id)
        await announce_invoice(session, install, invoice, "invoice.canceled")
    await close_links(session, invoice)
