"""Documents about invoices: their kinds, and when an act may be issued (INV-4)."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from core.errors import UserError
from domain.billing import InvoiceStatus
from domain.receipts import rendered_at


class InvoiceDocumentKind(StrEnum):
    """What a document about an invoice is: the invoice itself (счёт), or the act of what was rendered (акт)."""

    INVOICE = "INVOICE"
    ACT = "ACT"


class ActNotDue(UserError):
    """There is nothing yet that an act could confirm."""

    code = "ACT_NOT_DUE"


def act_moment(status: InvoiceStatus, paid_at: datetime | None, period_end: datetime | None, now: datetime) -> datetime:
    """The moment whose day an act carries: the end of the period billed, or the payment where there is no period.

    Raises:
        ActNotDue: the invoice is not paid in full, or its period has not ended.
    """
    if status != InvoiceStatus.PAID or paid_at is None:
        raise ActNotDue(f"an act confirms a paid invoice; this one is {status.value}", field=("input", "invoiceId"))
    moment = rendered_at(paid_at, period_end)
    if moment > now:
        raise ActNotDue(
            f"the period billed ends at {moment.isoformat()}; an act confirms what has been rendered",
            field=("input", "invoiceId"),
        )
    return moment
