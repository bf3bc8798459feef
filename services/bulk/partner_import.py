"""Partners in from a file, all or none (PAR-5)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC
from types import MappingProxyType
from typing import Any, cast

from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import KontoraError
from core.principal import Principal
from domain import fields
from domain.bulk import BulkOperationKind
from domain.moments import moment
from domain.partners import DeploymentType
from models import BulkOperation, Partner
from services import partners
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
IMPORTED = frozenset({*_TEXTS, "id", "deployment", "connectedAt"})
# Written by the export beside what the import takes; left alone when a file comes back.
_SHOWN_ONLY = frozenset({"status", "statusReason", "contactName", "contactEmail", "contactPhone"})


async def import_partners(
    session: AsyncSession, actor: Principal, _operation: BulkOperation, table: list[list[str]], progress: Progress
) -> ImportReport:
    """Make and change partners as a table says. Where one row is wrong, the caller rolls all of them back.

    A row with an id changes that partner, and only in the columns that the table has; others make a partner.

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
    told_values = cast(partners.PartnerValues, values)
    if not cells.get("id"):
        await partners.create(session, actor, values=told_values)
        report.created += 1
        return
    if not (cells["id"].isascii() and cells["id"].isdecimal() and len(cells["id"]) < 19):
        raise fields.InvalidValue("id is the partner's number", field=fields.path("id"))
    partner = await load(session, actor, Partner, int(cells["id"]), lock=True)
    await partners.update_card(session, actor, partner_id=partner.id, version=partner.version, values=told_values)
    report.updated += 1
