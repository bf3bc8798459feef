"""What is printed in an invoice and in an act."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from domain.documents import InvoiceDocumentKind
from models import Invoice, InvoiceLine, LegalEntity, Partner
from services.documents import words
from services.documents.payment_qr import payment_qr

RUBLE = "RUB"


def contents(
    kind: InvoiceDocumentKind,
    invoice: Invoice,
    lines: Sequence[InvoiceLine],
    entity: LegalEntity,
    partner: Partner,
    dated_at: datetime,
    zone: ZoneInfo,
) -> dict[str, Any]:
    """The data of the template, every value as text that is ready to be printed."""
    issued = invoice.created_at.astimezone(zone).date()
    vat = "Без НДС" if invoice.vat_rate is None else f"В том числе НДС {words.percent(invoice.vat_rate)}"
    purpose = f"Оплата по счёту № {invoice.number} от {words.short_date(issued)}. {_vat_of(invoice)}"
    buyer = partner.legal_name or partner.name
    told: dict[str, Any] = {
        "number": invoice.number,
        "date": words.long_date(dated_at.astimezone(zone).date()),
        "currency": invoice.currency,
        "seller": _party(entity.name, entity.inn, entity.kpp, entity.address),
        "buyer": _party(buyer, partner.inn, partner.kpp, None),
        "buyer_name": buyer,
        "bank": {
            "name": entity.bank_name,
            "bik": entity.bik,
            "account": entity.account,
            "correspondent": entity.correspondent_account,
            "inn": entity.inn,
            "kpp": entity.kpp or "",
            "payee": entity.name,
        },
        "lines": [_line(line) for line in lines],
        "total": words.amount(invoice.total),
        "vat_label": vat,
        "vat": "—" if invoice.vat_rate is None else words.amount(invoice.vat_amount),
        "words": words.spelled(invoice.total, invoice.currency),
        "signatory": entity.signatory,
        "signatory_title": entity.signatory_title,
        "accountant": entity.accountant,
    }
    if kind == InvoiceDocumentKind.INVOICE:
        told["due"] = words.long_date(invoice.due_at.astimezone(zone).date())
        told["purpose"] = purpose
        told["qr"] = payment_qr(entity, invoice, purpose) if _payable(invoice) else None
    else:
        told["basis"] = f"Счёт № {invoice.number} от {words.long_date(issued)}"
    return told


def _payable(invoice: Invoice) -> bool:
    return invoice.currency == RUBLE and invoice.total > 0


def _vat_of(invoice: Invoice) -> str:
    if invoice.vat_rate is None:
        return "Без НДС"
    return f"В том числе НДС {words.percent(invoice.vat_rate)} — {words.amount(invoice.vat_amount)} руб."


def _party(name: str, inn: str | None, kpp: str | None, address: str | None) -> str:
    numbers = (f"ИНН {inn}" if inn else None, f"КПП {kpp}" if kpp else None)
    return ", ".join(part for part in (name, *numbers, address and words.unbroken(address)) if part)


def _line(line: InvoiceLine) -> dict[str, str]:
    negative = line.amount < 0 < line.unit_price
    price: Decimal = -line.unit_price if negative else line.unit_price
    return {
        "description": line.description,
        "quantity": words.quantity(line.quantity),
        "price": words.amount(price),
        "amount": words.amount(line.amount),
    }
