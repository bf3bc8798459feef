"""Payments that came outside of gateways in from a file, all or none (PAR-5, INV-5)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.errors import KontoraError
from core.principal import Principal
from domain import fields
from domain.bulk import BulkOperationKind
from domain.inn import check_inn
from domain.moments import moment
from domain.outside_payments import Candidate, Money, OutsidePaymentSource
from models import BulkOperation, OutsidePayment
from services.billing import outside
from services.billing.outside import OutsidePaymentReused, Told
from services.bulk.imports import ImportReport, ImportTable, Progress, Repeated, require_import
from services.outbox import enqueue

MATCH = "payment_import.match"
CHUNK_ROWS = 1_000
NEEDED = frozenset({"externalId", "amount", "paidAt"})
IMPORTED = NEEDED | {"currency", "invoiceNumber", "payerInn", "payerName", "purpose"}


async def import_payments(
    session: AsyncSession, actor: Principal, operation: BulkOperation, table: list[list[str]], progress: Progress
) -> ImportReport:
    """Keep the sums of a table; a worker matches them after commit. Where one row is wrong, the caller keeps none.

    A sum whose ``externalId`` came by an earlier table with the same amount is left as it is.

    Parameters:
        progress: is told how many rows are done, and how many there are.

    Raises:
        Forbidden: the actor lacks ``outside_payment:write``.
        UnreadableTable: the header lacks a column, or has an unknown one.
    """
    require_import(actor, BulkOperationKind.PAYMENT_IMPORT)
    rows = ImportTable.of(table, needed=NEEDED, taken=IMPORTED).rows
    report = ImportReport(rows=len(rows))
    counted = Counter(cells.get("externalId") for _, cells in rows)
    ids = [cells["externalId"] for _, cells in rows if cells.get("externalId")]
    before = await outside.known(session, OutsidePaymentSource.TABLE, ids)
    zone = clock.zone()
    new: list[Told] = []
    for done, (number, cells) in enumerate(rows):
        await progress(done, len(rows))
        try:
            told = _told(cells, zone)
            if counted[told.external_id] > 1:
                raise Repeated("another row has this id", field=fields.path("externalId"))
            if before.get(told.external_id, (told.amount, told.currency)) != (told.amount, told.currency):
                raise OutsidePaymentReused("this id came with another amount", field=fields.path("externalId"))
        except KontoraError as error:
            report.refuse(number, error)
        else:
            new += [told] if told.external_id not in before else []
        if report.full:
            break
    report.created = len(new)
    report.matched = await _matching(session, new)
    if not report.problems:
        kept = {"source": OutsidePaymentSource.TABLE, "bulk_operation_id": operation.id}
        await outside.keep_all(session, [{**asdict(told), **kept} for told in new])
        await enqueue(session, MATCH, {"bulkOperationId": operation.id}, ordering_key=f"{MATCH}:{operation.id}")
    return report


async def match_chunk(session: AsyncSession, operation_id: int) -> int:
    """Match the next sums of an import, a chunk a transaction; gives how many, 0 when all are done."""
    return await outside.match_next(session, OutsidePayment.bulk_operation_id == operation_id)


async def _matching(session: AsyncSession, new: list[Told]) -> int:
    found = 0
    for start in range(0, len(new), CHUNK_ROWS):
        sums = [_money(told) for told in new[start : start + CHUNK_ROWS]]
        found += sum(isinstance(verdict, Candidate) for verdict in await outside.decide_all(session, sums))
    return found


def _money(told: Told) -> Money:
    return Money(told.amount, told.currency, told.payer_inn, told.purpose, told.invoice_number)


def _told(cells: Mapping[str, str], zone: ZoneInfo) -> Told:
    inn = cells.get("payerInn")
    return Told(
        external_id=fields.line(cells.get("externalId", ""), "externalId", most_chars=outside.LONGEST_ID),
        amount=_amount(cells.get("amount", "")),
        currency=fields.currency(cells.get("currency") or "RUB", "currency"),
        paid_at=moment(cells.get("paidAt", ""), "paidAt", zone),
        invoice_number=_optional(cells, "invoiceNumber", outside.LONGEST_NUMBER),
        payer_inn=check_inn(inn, fields.path("payerInn")) if inn else None,
        payer_name=_optional(cells, "payerName", outside.LONGEST_NAME),
        purpose=_optional(cells, "purpose", outside.LONGEST_PURPOSE) or "",
    )


def _optional(cells: Mapping[str, str], name: str, most_chars: int) -> str | None:
    return fields.optional_line(cells.get(name) or None, name, most_chars=most_chars)


def _amount(typed: str) -> Decimal:
    """A sum as people type it: spaces between thousands, a point or a comma before the kopecks."""
    plain = "".join(typed.split())
    if plain.count(",") == 1 and "." not in plain:
        plain = plain.replace(",", ".")
    try:
        amount = fields.amount(Decimal(plain), "amount")
    except InvalidOperation:
        raise fields.InvalidAmount("amount is a number such as 1500.00", field=fields.path("amount")) from None
    if not amount:
        raise fields.InvalidAmount("amount must be more than nothing", field=fields.path("amount"))
    return amount
