"""Our legal entities: enter and change what invoices are issued and printed with (INV-4)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, TypedDict

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core.principal import Principal
from domain import fields
from domain.bank_details import check_account, check_bik, check_correspondent_account
from domain.inn import check_inn, check_kpp, check_ogrn
from models import LegalEntity
from services import audit
from services.changes import apply, next_version, unique
from services.loading import load

LONGEST_ADDRESS_CHARS = 500
_CAMEL = {"bank_name": "bankName", "signatory_title": "signatoryTitle"}
_LINES = ("name", "bank_name", "signatory", "signatory_title")


class LegalEntityValues(TypedDict, total=False):
    """What may be said of a legal entity; what is left out stays as it is."""

    name: str
    inn: str
    kpp: str | None
    ogrn: str | None
    address: str
    bank_name: str
    bik: str
    account: str
    correspondent_account: str
    signatory: str
    signatory_title: str
    accountant: str | None
    vat_rate: Decimal | None


async def create(session: AsyncSession, actor: Principal, *, code: str, values: LegalEntityValues) -> LegalEntity:
    """Enter a legal entity.

    Raises:
        UserError: a value is not fit for its field, the bank details do not fit together, or the code is taken.
    """
    entity = LegalEntity(code=fields.code(code, "code"), **_checked(values))
    _check_bank(entity)
    async with unique(session, "uq_legal_entities_code", "another legal entity has this code", "code"):
        session.add(entity)
    await audit.record(session, actor, "legal_entity.create", entity, before=None, after=dict(values))
    return entity


async def change(
    session: AsyncSession, actor: Principal, *, legal_entity_id: int, version: int, values: LegalEntityValues
) -> LegalEntity:
    """Change a legal entity; documents that were issued stay as they are.

    Raises:
        NotFound: there is none.
        Conflict: somebody changed it in between.
        UserError: a value is not fit for its field, or the bank details do not fit together.
    """
    entity = await load(session, actor, LegalEntity, legal_entity_id, lock=True)
    next_version(entity, version)
    before, after = apply(entity, _checked(values))
    _check_bank(entity)
    await audit.record(session, actor, "legal_entity.update", entity, before=before, after=after)
    return entity


async def issuing(session: AsyncSession, code: str) -> LegalEntity | None:
    """The legal entity with a code, if it was entered."""
    found: LegalEntity | None = await session.scalar(select(LegalEntity).where(LegalEntity.code == code))
    return found


def _checked(values: LegalEntityValues) -> dict[str, Any]:
    checked: dict[str, Any] = dict(values)
    for name in _LINES:
        if name in checked:
            checked[name] = fields.line(checked[name], _CAMEL.get(name, name))
    if "address" in checked:
        checked["address"] = fields.line(checked["address"], "address", most_chars=LONGEST_ADDRESS_CHARS)
    if "accountant" in checked:
        checked["accountant"] = fields.optional_line(checked["accountant"], "accountant")
    if "inn" in checked:
        check_inn(checked["inn"], fields.path("inn"))
    if checked.get("kpp") is not None:
        check_kpp(checked["kpp"], fields.path("kpp"))
    if checked.get("ogrn") is not None:
        check_ogrn(checked["ogrn"], fields.path("ogrn"))
    rate = checked.get("vat_rate")
    if rate is not None:
        checked["vat_rate"] = fields.amount(rate, "vatRate")
        if not 0 < rate < 100:
            raise fields.InvalidAmount("vatRate is over 0 and under 100 percent", field=fields.path("vatRate"))
    return checked


def _check_bank(entity: LegalEntity) -> None:
    """The account and the bank belong together, whichever of them was changed."""
    check_bik(entity.bik, fields.path("bik"))
    check_account(entity.account, entity.bik, fields.path("account"))
    check_correspondent_account(entity.correspondent_account, entity.bik, fields.path("correspondentAccount"))
