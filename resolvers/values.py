"""Values of payloads that several doors give, and what they leave to be done after the commit."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from typing import Any

from core.links import DownloadLink
from domain.billing import PaymentStatus
from models import Payment
from resolvers.mutation import MutationContext
from services import billing


def money(amount: Decimal, currency: str) -> dict[str, Any]:
    """A value of the type `Money`."""
    return {"amount": amount, "currency": currency}


def link_of(link: DownloadLink) -> dict[str, Any]:
    """A value of the types of links to download something."""
    return {"url": link.url, "expires_at": link.expires_at}


def open_after_commit(context: MutationContext, payment: Payment | None) -> None:
    """Have a new payment opened at its gateway at once, so that the answer has its link."""
    if payment is not None and payment.status == PaymentStatus.NEW:
        context.after_commit(partial(billing.open_payment, payment.id))
