"""The QR code by which Russian bank apps fill in a transfer (GOST R 56042-2014)."""

from __future__ import annotations

import io

import segno

from domain.money import minor_units
from models import Invoice, LegalEntity

HEAD = "ST00012"  # version 1 of the format, values in UTF-8


def payment_text(entity: LegalEntity, invoice: Invoice, purpose: str) -> str:
    """What the code says."""
    values = {
        "Name": entity.name,
        "PersonalAcc": entity.account,
        "BankName": entity.bank_name,
        "BIC": entity.bik,
        "CorrespAcc": entity.correspondent_account,
        "PayeeINN": entity.inn,
        "KPP": entity.kpp or "",
        "Sum": str(minor_units(invoice.total)),
        "Purpose": purpose,
    }
    told = (f"{name}={value.replace('|', ' ')}" for name, value in values.items() if value)
    return "|".join((HEAD, *told))


def payment_qr(entity: LegalEntity, invoice: Invoice, purpose: str) -> str:
    """The code as SVG."""
    drawn = io.BytesIO()
    segno.make(payment_text(entity, invoice, purpose), error="m", boost_error=False).save(
        drawn, kind="svg", border=0, xmldecl=False
    )
    return drawn.getvalue().decode()
