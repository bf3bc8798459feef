"""What is exported: partners, licences and payments, each column with its own permission (PAR-5)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import Forbidden
from core.principal import ALL_ROWS, Principal
from domain.bulk import BulkOperationKind
from policies.scopes import require

CURSOR_ROWS = 1_000

# Of each table: its permission, where its rows come from, and each column with its SQL and its own permission.
_EXPORTS: Mapping[BulkOperationKind, tuple[str, str, Mapping[str, tuple[str, str]]]] = MappingProxyType(
    {
        BulkOperationKind.PARTNER_EXPORT: (
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
        BulkOperationKind.LICENSE_EXPORT: (
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
        BulkOperationKind.PAYMENT_EXPORT: (
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


@dataclass(frozen=True)
class Export:
    """What is written into a file, for one caller.

    Parameters:
        columns: names of the columns; those that the caller may not read are left out.
        rows: the statement of the rows, whose first column is the partner.
        counted: the statement of their number.
        parameters: of both statements.
    """

    columns: list[str]
    rows: str
    counted: str
    parameters: Mapping[str, Any]


def export_of(actor: Principal, kind: BulkOperationKind) -> Export:
    """What the actor gets.

    Raises:
        Forbidden: the actor may not read such rows.
    """
    permission, source, columns = _EXPORTS[kind]
    require(actor, permission, f"BulkOperationKind.{kind}")
    if actor.needs_grant:
        raise Forbidden(ALL_ROWS, f"BulkOperationKind.{kind}")
    shown = {name: sql for name, (sql, needs) in columns.items() if not needs or needs in actor.permissions}
    of_partner = "t.id" if kind is BulkOperationKind.PARTNER_EXPORT else "t.partner_id"
    held = f"WHERE {of_partner} = :partner_id" if actor.is_tenant else ""
    return Export(
        columns=list(shown),
        rows=f"SELECT {of_partner}, {', '.join(shown.values())} FROM {source} {held} ORDER BY t.id",
        counted=f"SELECT count(*) FROM {source} {held}",
        parameters={"partner_id": actor.partner_id} if actor.is_tenant else {},
    )


async def rows_of(session: AsyncSession, export: Export) -> AsyncIterator[list[tuple[Any, ...]]]:
    """The rows, some at a time, each with its partner before its cells."""
    statement = text(export.rows).execution_options(yield_per=CURSOR_ROWS)
    result = await session.stream(statement, export.parameters)
    async for rows in result.partitions():
        yield [tuple(row) for row in rows]
