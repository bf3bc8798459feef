"""Partners in from a file, all or none (PAR-5)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, cast

from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import KontoraError
from core.principal import Principal
from domain import fields
from domain.partners import DeploymentType
from policies.scopes import require
from services import partners
from services.bulk.tables import UnreadableTable

MOST_PROBLEMS = 1_000


@dataclass(frozen=True)
class Problem:
    """What is wrong with a row: its line in the file from 1, the header's being 1, and the column at fault."""

    row: int
    column: str | None
    code: str
    message: str


@dataclass
class ImportReport:
    """What came of a file; with problems nothing may be kept."""

    rows: int
    created: int = 0
    updated: int = 0
    problems: list[Problem] = field(default_factory=list)


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
Progress = Callable[[int, int], Awaitable[None]]


async def import_partners(
    session: AsyncSession, actor: Principal, table: list[list[str]], progress: Progress
) -> ImportReport:
    """Make and change partners as a table says. Where one row is wrong, the caller rolls all of them back.

    A row with an id changes that partner, and only in the columns that the table has; others make a partner.

    Parameters:
        progress: is told how many rows are done, and how many there are.

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
    for done, (number, row) in enumerate(rows):
        await progress(done, len(rows))
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
