"""Contracts with partners, and notes about them (PAR-3, PAR-4)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, TypedDict

from sqlalchemy.ext.asyncio import AsyncSession

from core.principal import Principal
from domain import fields
from domain.partners import ContractStatus, NoteKind
from models import Partner, PartnerContract, PartnerNote
from services import audit
from services.changes import apply, next_version, unique
from services.loading import load

LONGEST_SLA = 2_000
LONGEST_NOTE = 10_000


class ContractValues(TypedDict, total=False):
    """What may be said of a contract; what is left out stays as it is."""

    number: str
    status: ContractStatus
    signed_at: datetime | None
    starts_at: datetime | None
    ends_at: datetime | None
    amount: Decimal | None
    currency: str | None
    sla: str | None
    url: str | None


async def create_contract(
    session: AsyncSession, actor: Principal, *, partner_id: int, values: ContractValues
) -> PartnerContract:
    """Enter a contract with a partner.

    Raises:
        NotFound: there is no such partner in the caller's reach.
        Conflict: the partner has a contract of this number.
        UserError: a value is not fit for its field.
    """
    await load(session, actor, Partner, partner_id, field="partnerId")
    contract = PartnerContract(partner_id=partner_id, **_checked({"number": "", **values}))
    _check_whole(contract)
    async with _one_number(session):
        session.add(contract)
    after = {name: getattr(contract, name) for name in values}
    await audit.record(session, actor, "partner_contract.create", contract, before=None, after=after)
    return contract


async def update_contract(
    session: AsyncSession, actor: Principal, *, contract_id: int, version: int, values: ContractValues
) -> PartnerContract:
    """Change a contract.

    Raises:
        NotFound: there is no such contract in the caller's reach.
        Conflict: somebody changed it in between, or another contract has the number.
        UserError: a value is not fit for its field.
    """
    contract = await load(session, actor, PartnerContract, contract_id, lock=True)
    next_version(contract, version)
    with session.no_autoflush:
        before, after = apply(contract, _checked(values))
        _check_whole(contract)
    async with _one_number(session):
        pass
    await audit.record(session, actor, "partner_contract.update", contract, before=before, after=after)
    return contract


async def add_note(
    session: AsyncSession, actor: Principal, *, partner_id: int, kind: NoteKind, body: str
) -> PartnerNote:
    """Write a note about a partner; the audit trail keeps that it was written, never what it says.

    Raises:
        NotFound: there is no such partner in the caller's reach.
        InvalidValue: empty, or too long.
    """
    await load(session, actor, Partner, partner_id, field="partnerId")
    told = body.strip()
    if not told or len(told) > LONGEST_NOTE or "\0" in told:
        raise fields.InvalidValue(f"a note has 1 to {LONGEST_NOTE} characters", field=fields.path("body"))
    note = PartnerNote(partner_id=partner_id, kind=kind, body=told, written_by_user_id=actor.user_id)
    session.add(note)
    await audit.record(session, actor, "partner_note.create", note, before=None, after={"kind": kind})
    return note


def _one_number(session: AsyncSession) -> Any:
    return unique(session, "uq_partner_contracts_partner_id", "the partner has a contract of this number", "number")


def _checked(values: ContractValues) -> dict[str, Any]:
    checked: dict[str, Any] = dict(values)
    if "number" in checked:
        checked["number"] = fields.line(checked["number"], "number")
    if checked.get("amount") is not None:
        checked["amount"] = fields.amount(checked["amount"], "amount")
    if checked.get("currency") is not None:
        checked["currency"] = fields.currency(checked["currency"], "currency")
    if "sla" in checked:
        checked["sla"] = fields.optional_line(checked["sla"], "sla", most_chars=LONGEST_SLA)
    if "url" in checked:
        checked["url"] = fields.web_address(checked["url"], "url")
    return checked


def _check_whole(contract: PartnerContract) -> None:
    if (contract.amount is None) != (contract.currency is None):
        raise fields.InvalidValue("amount and currency go together", field=fields.path("currency"))
    if contract.starts_at is not None and contract.ends_at is not None and contract.ends_at <= contract.starts_at:
        raise fields.InvalidValue("a contract ends after it starts", field=fields.path("endsAt"))
