"""Partners in from a file, all or none; partners, licences and payments out into one (PAR-5)."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, cast

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from core.database import transaction
from core.errors import Forbidden, KontoraError
from core.principal import Principal
from core.request import current_request
from domain import fields
from domain.partners import DeploymentType
from models import AccessLogEntry
from policies.scopes import require
from services import partners
from services.partner_tables import TableFormat, UnreadableTable, write_table

MOST_PROBLEMS = 1_000


class Exported(StrEnum):
    """What is written into a file."""

    PARTNERS = "partners"
    LICENCES = "licences"
    PAYMENTS = "payments"


@dataclass(frozen=True)
class Problem:
    """What is wrong with a row: its line in the file from 1, the header's being 1, and the column at fault."""

    row: int
    column: str | None
    code: str
    message: str


@dataclass
class ImportReport:
    """What came of a file; with problems nothing was written."""

    rows: int
    created: int = 0
    updated: int = 0
    problems: list[Problem] = field(default_factory=list)


class _RolledBack(Exception):
    """Ends the transaction of a dry run, or of a file with problems."""


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

# Of each table: its permission, where its rows come from, and each column with its SQL and its own permission.
_EXPORTS: Mapping[Exported, tuple[str, str, Mapping[str, tuple[str, str]]]] = MappingProxyType(
    {
        Exported.PARTNERS: (
            "partner:read",
            "partners t LEFT JOIN contacts c ON c.partner_id = t.id AND c.is_primary",
            {
                "id": ("t.id", ""),
                "name": ("t.name", ""),
                "legalName": ("t.legal_name", ""),
                "inn": ("t.inn", ""),
                "kpp": ("t.kpp", ""),
                "ogrn": ("t.ogrn", ""),
                "segment": ("t.segment", ""),
                "deployment": ("t.deployment", ""),
                "connectedAt": ("t.connected_at", ""),
                "amocrmDomain": ("t.amocrm_domain", ""),
                "status": ("t.status", ""),
                "statusReason": ("t.status_reason", ""),
                "contactName": ("c.full_name", "partner:pii"),
                "contactEmail": ("c.email", "partner:pii"),
                "contactPhone": ("c.phone", "partner:pii"),
            },
        ),
        Exported.LICENCES: (
            "install:read",
            "installs t JOIN partners p ON p.id = t.partner_id JOIN products ON products.id = t.product_id "
            "LEFT JOIN subscriptions s ON s.install_id = t.id AND s.status IN ('TRIAL', 'ACTIVE', 'PAST_DUE')",
            {
                "id": ("t.id", ""),
                "partner": ("p.name", "partner:read"),
                "inn": ("p.inn", "partner:read"),
                "product": ("products.name", "product:read"),
                "status": ("t.status", ""),
                "subscribedUntil": ("t.subscribed_until", ""),
                "seats": ("s.seats", "subscription:read"),
                "autoRenew": ("s.auto_renew", "subscription:read"),
            },
        ),
        Exported.PAYMENTS: (
            "payment:read",
            "payments t JOIN partners p ON p.id = t.partner_id JOIN invoices i ON i.id = t.invoice_id",
            {
                "id": ("t.id", ""),
                "partner": ("p.name", "partner:read"),
                "inn": ("p.inn", "partner:read"),
                "invoice": ("i.number", "invoice:read"),
                "method": ("t.method", ""),
                "status": ("t.status", ""),
                "amount": ("t.amount", ""),
                "currency": ("t.currency", ""),
                "createdAt": ("t.created_at", ""),
            },
        ),
    }
)


async def export(session: AsyncSession, actor: Principal, what: Exported, format: TableFormat) -> bytes:
    """The file, without the columns that the actor may not read; commit before it leaves, for the look is logged.

    Raises:
        Forbidden: the actor may not read such rows.
    """
    permission, source, columns = _EXPORTS[what]
    require(actor, permission, f"export of {what}")
    if actor.kind not in ("staff", "partner"):
        raise Forbidden(permission, f"export of {what}")
    open_columns = {name: sql for name, (sql, needs) in columns.items() if not needs or needs in actor.permissions}
    of_partner = "t.id" if what is Exported.PARTNERS else "t.partner_id"
    held = f"WHERE {of_partner} = :partner_id" if actor.is_tenant else ""
    sql = f"SELECT {of_partner}, {', '.join(open_columns.values())} FROM {source} {held} ORDER BY t.id"
    given = {"partner_id": actor.partner_id} if actor.is_tenant else {}
    found = (await session.execute(text(sql), given)).all()
    content = write_table(format, list(open_columns), (row[1:] for row in found))
    if actor.kind == "staff":
        request = current_request()
        session.add(
            AccessLogEntry(
                user_id=actor.user_id,
                operation_name=f"export of {what}",
                document_hash=hashlib.sha256(content).hexdigest(),
                fields=sorted(f"{what}.{name}" for name in open_columns),
                partner_ids=sorted({row[0] for row in found}),
                request_id=request.request_id,
                ip=request.ip,
            )
        )
    return content


async def import_partners(actor: Principal, table: list[list[str]], *, dry_run: bool) -> ImportReport:
    """Make and change partners as a table says: every row, or, where one row is wrong, none.

    A row with an id changes that partner, and only in the columns that the table has; others make a partner.

    Raises:
        Forbidden: the actor may not change partners.
        UnreadableTable: there is no header, or it has unknown columns.
    """
    require(actor, "partner:write", "import of partners")
    header = _header(table)
    rows = [(number, row) for number, row in enumerate(table[1:], 2) if any(row)]
    report = ImportReport(rows=len(rows))
    at = {name: header.index(name) for name in header if name}
    counted = Counter(_inn_kpp(row, at) for _, row in rows)
    try:
        async with transaction(actor) as session:
            for number, row in rows:
                if _inn_kpp(row, at)[0] and counted[_inn_kpp(row, at)] > 1:
                    report.problems.append(Problem(number, "inn", "REPEATED", "another row has this INN and KPP"))
                    continue
                try:
                    async with session.begin_nested():
                        await _take(session, actor, {name: row[i] for name, i in at.items() if i < len(row)}, report)
                except KontoraError as error:
                    column = error.field[-1] if error.field else None
                    report.problems.append(Problem(number, column, error.code, error.message))
                if len(report.problems) >= MOST_PROBLEMS:
                    break
            if dry_run or report.problems:
                raise _RolledBack
    except _RolledBack:
        if report.problems:
            report.created = report.updated = 0
    return report


def _header(table: list[list[str]]) -> list[str]:
    header = table[0] if table else []
    unknown = [name for name in header if name and name not in IMPORTED | _SHOWN_ONLY]
    if unknown or "name" not in header:
        known = ", ".join(sorted(IMPORTED))
        raise UnreadableTable(f"the first row names columns, name among them; known are {known}")
    if len(set(filter(None, header))) != len([name for name in header if name]):
        raise UnreadableTable("a column is there twice")
    return header


def _inn_kpp(row: list[str], at: Mapping[str, int]) -> tuple[str, str]:
    inn, kpp = (row[at[name]] if name in at and at[name] < len(row) else "" for name in ("inn", "kpp"))
    return inn, kpp


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
        values["connected_at"] = _moment(cells["connectedAt"])
    told_values = cast(partners.PartnerValues, values)
    if not cells.get("id"):
        await partners.create(session, actor, values=told_values)
        report.created += 1
        return
    if not (cells["id"].isascii() and cells["id"].isdecimal() and len(cells["id"]) < 19):
        raise fields.InvalidValue("id is the partner's number", field=fields.path("id"))
    partner = await partners.load(session, actor, int(cells["id"]), lock=True)
    await partners.update_card(session, actor, partner_id=partner.id, version=partner.version, values=told_values)
    report.updated += 1


def _moment(typed: str) -> datetime | None:
    if not typed:
        return None
    try:
        moment = datetime.fromisoformat(typed)
    except ValueError:
        raise fields.InvalidValue(
            "connectedAt is a day or moment such as 2026-12-31", field=fields.path("connectedAt")
        ) from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
