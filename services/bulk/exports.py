"""What is exported: partners, licences and payments, each column with its own permission (PAR-5)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, cast

from sqlalchemy import ColumnElement, Select, Table, func, literal_column, select, text
from sqlalchemy.ext.asyncio import AsyncSession

import models
from core.errors import Forbidden
from core.principal import ALL_ROWS, Principal
from domain.bulk import BulkOperationKind
from policies.scopes import condition, require, scope_column

CURSOR_ROWS = 1_000


@dataclass(frozen=True)
class _Source:
    """Where rows come from.

    Parameters:
        model: their table, `t`.
        permission: what their reader needs.
        joined: what else their columns are taken from.
        columns: each with its SQL and the permission that it needs besides.
    """

    model: type[models.Base]
    permission: str
    joined: str
    columns: Mapping[str, tuple[str, str]]


_SOURCES: Mapping[BulkOperationKind, _Source] = MappingProxyType(
    {
        BulkOperationKind.PARTNER_EXPORT: _Source(
            models.Partner,
            "partner:read",
            "LEFT JOIN contacts c ON c.partner_id = t.id AND c.is_primary",
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
                "branchCount": ("t.branch_count", ""),
                "amocrmDomain": ("t.amocrm_domain", ""),
                "status": ("t.status", ""),
                "statusReason": ("t.status_reason", ""),
                "contactName": ("c.full_name", "partner:pii"),
                "contactEmail": ("c.email", "partner:pii"),
                "contactPhone": ("c.phone", "partner:pii"),
            },
        ),
        BulkOperationKind.LICENSE_EXPORT: _Source(
            models.Install,
            "install:read",
            "JOIN partners p ON p.id = t.partner_id JOIN products ON products.id = t.product_id "
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
        BulkOperationKind.PAYMENT_EXPORT: _Source(
            models.Payment,
            "payment:read",
            "JOIN partners p ON p.id = t.partner_id JOIN invoices i ON i.id = t.invoice_id",
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


@dataclass(frozen=True)
class Export:
    """What is written into a file, for one caller.

    Parameters:
        columns: names of the columns; those that the caller may not read are left out.
        rows: the statement of the rows, whose first column is the partner.
        counted: the statement of their number.
    """

    columns: list[str]
    rows: Select[Any]
    counted: Select[int]


def export_of(actor: Principal, kind: BulkOperationKind) -> Export:
    """What the actor gets.

    Raises:
        Forbidden: the actor may not read such rows.
    """
    source = _SOURCES[kind]
    require(actor, source.permission, f"BulkOperationKind.{kind}")
    if actor.needs_grant:
        raise Forbidden(ALL_ROWS, f"BulkOperationKind.{kind}")
    table = cast("Table", source.model.__table__)
    shown = {name: sql for name, (sql, needs) in source.columns.items() if not needs or needs in actor.permissions}
    cells: list[ColumnElement[Any]] = [literal_column(sql) for sql in (f"t.{scope_column(table)}", *shown.values())]
    rows, within = text(f"{table.name} t {source.joined}"), condition(table, "t", actor)
    return Export(
        columns=list(shown),
        rows=select(*cells).select_from(rows).where(within).order_by(text("t.id")),
        counted=select(func.count()).select_from(rows).where(within),
    )


async def rows_of(session: AsyncSession, export: Export) -> AsyncIterator[list[tuple[Any, ...]]]:
    """The rows, some at a time, each with its partner before its cells."""
    result = await session.stream(export.rows.execution_options(yield_per=CURSOR_ROWS))
    async for rows in result.partitions():
        yield [tuple(row) for row in rows]
