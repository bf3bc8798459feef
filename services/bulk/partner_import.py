"""Partners in from a file, all or none (PAR-5)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC
from types import MappingProxyType
from typing import Any, cast

from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import KontoraError, UserError
from core.principal import Principal
from domain import fields
from domain.bulk import BulkOperationKind
from domain.moments import moment
from domain.partners import DeploymentType
from models import BulkOperation, Partner
from services import partner_contacts, partners
from services.bulk.imports import ImportReport, ImportTable, Progress, Repeated, require_import
from services.loading import load

_TEXTS = MappingProxyType(
    {
        "name": "name",
        "legalName": "legal_name",
        "inn": "inn",
        "kpp": "kpp",
        "ogrn": "ogrn",
        "segment": "segment",
        "amocrmDomain": "amocrm_domain",
    }
)
# Of the primary contact: the column, its name in an error, and what it says.
_CONTACT = (
    ("contactName", "fullName", "full_name"),
    ("contactEmail", "email", "email"),
    ("contactPhone", "phone", "phone"),
)
IMPORTED = frozenset({*_TEXTS, "id", "deployment", "connectedAt", "branchCount", *(column for column, *_ in _CONTACT)})
# Written by the export beside what the import takes; left alone when a file comes back.
_SHOWN_ONLY = frozenset({"status", "statusReason"})


async def import_partners(
    session: AsyncSession, actor: Principal, _operation: BulkOperation, table: list[list[str]], progress: Progress
) -> ImportReport:
    """Make and change partners as a table says. Where one row is wrong, the caller rolls all of them back.

    A row with an id changes that partner, and only in the columns that the table has; others make a partner. Where it
    names a contact, that is the primary one from then on.

    Parameters:
        progress: is told how many rows are done, and how many there are.

    Raises:
        Forbidden: the actor may not change partners.
        UnreadableTable: there is no header, or it has unknown columns.
    """
    require_import(actor, BulkOperationKind.PARTNER_IMPORT)
    rows = ImportTable.of(table, needed={"name"}, taken=IMPORTED, shown=_SHOWN_ONLY).rows
    report = ImportReport(rows=len(rows))
    counted = Counter(_inn_kpp(cells) for _, cells in rows)
    for done, (number, cells) in enumerate(rows):
        await progress(done, len(rows))
        try:
            if cells.get("inn") and counted[_inn_kpp(cells)] > 1:
                raise Repeated("another row has this INN and KPP", field=fields.path("inn"))
            async with session.begin_nested():
                await _take(session, actor, cells, report)
        except KontoraError as error:
            report.refuse(number, error)
        if report.full:
            break
    return report


def _inn_kpp(cells: Mapping[str, str]) -> tuple[str, str]:
    return cells.get("inn", ""), cells.get("kpp", "")


async def _take(session: AsyncSession, actor: Principal, cells: Mapping[str, str], report: ImportReport) -> None:
    values: dict[str, Any] = {}
    for column, name in _TEXTS.items():
        if column in cells:
            values[name] = cells[column] if column == "name" else cells[column] or None
    if cells.get("deployment"):
        if cells["deployment"] not in DeploymentType.__members__:
            told = f"deployment is one of {', '.join(DeploymentType)}"
            raise fields.InvalidValue(told, field=fields.path("deployment"))
        values["deployment"] = DeploymentType(cells["deployment"])
    if "connectedAt" in cells:
        typed = cells["connectedAt"]
        values["connected_at"] = moment(typed, "connectedAt", UTC) if typed else None
    if "branchCount" in cells:
        typed = cells["branchCount"]
        if typed and not (typed.isascii() and typed.isdecimal() and len(typed) < 10):
            raise fields.InvalidValue("branchCount is a whole number", field=fields.path("branchCount"))
        values["branch_count"] = int(typed) if typed else None
    told_values = cast(partners.PartnerValues, values)
    if not cells.get("id"):
        partner = await partners.create(session, actor, values=told_values)
        await _take_contact(session, actor, cells, partner.id)
        report.created += 1
        return
    if not (cells["id"].isascii() and cells["id"].isdecimal() and len(cells["id"]) < 19):
        raise fields.InvalidValue("id is the partner's number", field=fields.path("id"))
    partner = await load(session, actor, Partner, int(cells["id"]), lock=True)
    await partners.update_card(session, actor, partner_id=partner.id, version=partner.version, values=told_values)
    await _take_contact(session, actor, cells, partner.id)
    report.updated += 1


async def _take_contact(session: AsyncSession, actor: Principal, cells: Mapping[str, str], partner_id: int) -> None:
    """The primary contact as the row says; empty cells say nothing of it."""
    told = {name: cells[column] or None for column, _, name in _CONTACT if column in cells}
    if not any(told.values()):
        return
    if not told.get("full_name"):
        raise fields.InvalidValue("a contact has a name", field=fields.path("contactName"))
    try:
        values = cast(partner_contacts.ContactValues, told)
        await partner_contacts.keep_primary(session, actor, partner_id=partner_id, values=values)
    except UserError as error:
        columns = {field: column for column, field, _ in _CONTACT}
        error.field = fields.path(columns.get((error.field or ("",))[-1], "contactName"))
        raise
