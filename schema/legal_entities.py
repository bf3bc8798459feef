"""Our legal entities as the API shows them (INV-4)."""

from __future__ import annotations

from typing import Any

import strawberry

import models
from planner.binding import Node, bound, column, equals, filter_input, object_value, order_input, plain
from planner.scalars import Decimal
from schema.payload import KeyedInput, Payload

LegalEntityFilter = filter_input("LegalEntity", {"code": equals(models.LegalEntity.code, "Exactly this code.")})
LegalEntityOrder = order_input("LegalEntity", {"CODE": models.LegalEntity.code})


@bound(
    models.LegalEntity,
    requires="legal_entity:read",
    description="A company of ours that issues invoices: what is printed on them (INV-4).",
)
class LegalEntity(Node):
    """A company of ours that issues invoices."""

    code: str = column(models.LegalEntity.code, "Short unique code; `Invoice.number` carries it, save for `default`.")
    name: str = column(models.LegalEntity.name, "Full name.")
    inn: str = column(models.LegalEntity.inn, "Taxpayer number, 10 or 12 digits.")
    kpp: Any = column(models.LegalEntity.kpp, "Tax registration code; entrepreneurs have none.")
    ogrn: Any = column(models.LegalEntity.ogrn, "Number in the state register, 13 or 15 digits.")
    address: str = column(models.LegalEntity.address, "Legal address.")
    bank_name: str = column(models.LegalEntity.bank_name, "Bank, with its town.")
    bik: str = column(models.LegalEntity.bik, "Code of the bank, 9 digits.")
    account: str = column(models.LegalEntity.account, "Account that customers pay to, 20 digits.")
    correspondent_account: str = column(
        models.LegalEntity.correspondent_account, "The bank's account with the central bank, 20 digits."
    )
    signatory: str = column(models.LegalEntity.signatory, "Who signs, as printed: I. I. Ivanov.")
    signatory_title: str = column(models.LegalEntity.signatory_title, "Office of whoever signs.")
    accountant: Any = column(models.LegalEntity.accountant, "Chief accountant, as printed; null where nobody is.")
    vat_rate: Any = column(models.LegalEntity.vat_rate, "VAT in percent, included in prices; null without VAT.")
    version: int = column(models.LegalEntity.version, "Version to send back with a change.")
    created_at: Any = column(models.LegalEntity.created_at, "When it was entered.")
    updated_at: Any = column(models.LegalEntity.updated_at, "When it was last changed.")


@strawberry.input(description="A new legal entity of ours.")
class LegalEntityCreateInput(KeyedInput):
    """A new legal entity of ours."""

    code: str = strawberry.field(
        description="Short unique code: lower-case letters, digits, hyphens. Invoices are issued by the one that the "
        "setting KONTORA_LEGAL_ENTITY names."
    )
    name: str = strawberry.field(description="Full name.")
    inn: str = strawberry.field(description="Taxpayer number, 10 or 12 digits.")
    kpp: str | None = strawberry.field(default=None, description="Tax registration code; none for entrepreneurs.")
    ogrn: str | None = strawberry.field(default=None, description="Number in the state register, 13 or 15 digits.")
    address: str = strawberry.field(description="Legal address, at most 500 characters.")
    bank_name: str = strawberry.field(description="Bank, with its town.")
    bik: str = strawberry.field(description="Code of the bank, 9 digits.")
    account: str = strawberry.field(description="Account that customers pay to, 20 digits.")
    correspondent_account: str = strawberry.field(description="The bank's account with the central bank, 20 digits.")
    signatory: str = strawberry.field(description="Who signs, as printed.")
    signatory_title: str = strawberry.field(
        default="Генеральный директор", description="Office of whoever signs, as printed."
    )
    accountant: str | None = strawberry.field(default=None, description="Chief accountant, as printed.")
    vat_rate: Decimal | None = strawberry.field(
        default=None, description="VAT in percent, over 0 and under 100, included in prices; null without VAT."
    )


@strawberry.input(description="Changes of a legal entity; what is left out stays as it is. Issued documents stay.")
class LegalEntityUpdateInput(KeyedInput):
    """Changes of a legal entity."""

    id: strawberry.ID = strawberry.field(description="The legal entity.")
    version: int = strawberry.field(description="The version that was read; another one is a conflict.")
    name: str | None = strawberry.field(default=strawberry.UNSET, description="Full name.")
    inn: str | None = strawberry.field(default=strawberry.UNSET, description="Taxpayer number, 10 or 12 digits.")
    kpp: str | None = strawberry.field(default=strawberry.UNSET, description="Tax registration code; null for none.")
    ogrn: str | None = strawberry.field(default=strawberry.UNSET, description="Number in the state register.")
    address: str | None = strawberry.field(default=strawberry.UNSET, description="Legal address.")
    bank_name: str | None = strawberry.field(default=strawberry.UNSET, description="Bank, with its town.")
    bik: str | None = strawberry.field(default=strawberry.UNSET, description="Code of the bank, 9 digits.")
    account: str | None = strawberry.field(default=strawberry.UNSET, description="Account, 20 digits.")
    correspondent_account: str | None = strawberry.field(
        default=strawberry.UNSET, description="The bank's account with the central bank, 20 digits."
    )
    signatory: str | None = strawberry.field(default=strawberry.UNSET, description="Who signs, as printed.")
    signatory_title: str | None = strawberry.field(default=strawberry.UNSET, description="Office of whoever signs.")
    accountant: str | None = strawberry.field(default=strawberry.UNSET, description="Chief accountant; null for none.")
    vat_rate: Decimal | None = strawberry.field(
        default=strawberry.UNSET, description="VAT in percent of invoices issued from now on; null without VAT."
    )


@plain(requires="", description="A legal entity after the change.")
class LegalEntityPayload(Payload):
    """A legal entity after the change."""

    legal_entity: Any = object_value("schema.legal_entities.LegalEntity", "The legal entity; null on user errors.")
