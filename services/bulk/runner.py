"""Running a bulk operation in a worker: again from the beginning after a crash, its effect once (PAR-5, OPS-5)."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import IO, Any

from sqlalchemy import delete, insert, update
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.database import transaction
from core.errors import Forbidden, KontoraError, Unauthenticated, UserError
from core.principal import SYSTEM, Principal
from domain.bulk import BulkOperationKind, BulkOperationStatus, is_final
from models import BulkOperation, BulkOperationProblem
from services import access, access_log, audit
from services.bulk.exports import export_of, rows_of
from services.bulk.files import keep_file, read_file
from services.bulk.imports import ImportReport, Progress
from services.bulk.partner_import import import_partners
from services.bulk.payment_import import import_payments
from services.bulk.tables import TableWriter, read_table

PROGRESS_SECONDS = 0.3
_NOTHING_DONE = MappingProxyType({"created_count": 0, "updated_count": 0, "matched_count": 0})
Import = Callable[[AsyncSession, Principal, BulkOperation, list[list[str]], Progress], Awaitable[ImportReport]]
_IMPORTS: Mapping[BulkOperationKind, Import] = MappingProxyType(
    {BulkOperationKind.PARTNER_IMPORT: import_partners, BulkOperationKind.PAYMENT_IMPORT: import_payments}
)


class Overtaken(KontoraError):
    """The operation was cancelled, or another worker has begun it anew; what this one did is rolled back."""

    code = "OVERTAKEN"


class RowsRefused(UserError):
    """Rows of the file are wrong, so none was taken."""

    code = "ROWS_REFUSED"


class _Refused(Exception):
    """Ends the transaction of a dry run, or of a file with problems, and carries what came of it."""

    def __init__(self, report: ImportReport) -> None:
        super().__init__()
        self.report = report


@dataclass(slots=True)
class _Try:
    """One try to run an operation; nothing is written for it once another one has begun."""

    operation: BulkOperation
    actor: Principal
    told_at: float = 0.0

    async def progress(self, done: int, of: int) -> None:
        """Say how far it is, every now and then, in a transaction of its own.

        Raises:
            Overtaken: it is to stop.
        """
        if time.monotonic() - self.told_at < PROGRESS_SECONDS:
            return
        self.told_at = time.monotonic()
        async with transaction() as session:
            await self.change(session, done_count=done, row_count=of)

    async def change(self, session: AsyncSession, **values: Any) -> None:
        """Change the operation's row.

        Raises:
            Overtaken: it is no longer this try's.
        """
        mine = (
            update(BulkOperation)
            .where(
                BulkOperation.id == self.operation.id,
                BulkOperation.status == BulkOperationStatus.RUNNING,
                BulkOperation.attempts == self.operation.attempts,
            )
            .values(values)
        )
        if await session.scalar(mine.returning(BulkOperation.id)) is None:
            raise Overtaken(f"bulk operation {self.operation.id} was cancelled or is run by another worker")

    async def end(self, session: AsyncSession, status: BulkOperationStatus, **values: Any) -> None:
        """Come to the end, in the transaction of the effect.

        Raises:
            Overtaken: it is no longer this try's.
        """
        await self.change(session, status=status, finished_at=clock.now(), **values)
        after = {"status": status, **values}
        await audit.record(
            session, self.actor, "bulk_operation.finish", self.operation, before={"status": "RUNNING"}, after=after
        )


async def run(operation_id: int) -> None:
    """Run an operation to its end; a failure that the caller can mend is its end too."""
    begun = await _begin(operation_id)
    if begun is None:
        return
    try:
        if begun.operation.kind.is_import:
            await _import(begun)
        else:
            await _export(begun)
    except Overtaken:
        return
    except (UserError, Forbidden) as error:
        async with transaction() as session:
            await begun.end(session, BulkOperationStatus.FAILED, error_code=error.code, error_message=error.message)


async def give_up(session: AsyncSession, operation_id: int) -> None:
    """End an operation that failed again and again for a reason of ours."""
    operation = await session.get_one(BulkOperation, operation_id, with_for_update=True)
    if not is_final(operation.status):
        operation.error_code, operation.error_message = "INTERNAL", "something went wrong on our side"
        await _stop(session, operation, BulkOperationStatus.FAILED)


async def _begin(operation_id: int) -> _Try | None:
    async with transaction() as session:
        operation = await session.get_one(BulkOperation, operation_id, with_for_update=True)
        if is_final(operation.status):
            return None
        operation.status = BulkOperationStatus.RUNNING
        operation.attempts += 1
        operation.started_at = operation.started_at or clock.now()
        operation.done_count = 0
        await session.flush()
        try:
            actor = await access.principal_of_user(operation.requested_by_user_id, frozenset(operation.permissions))
        except Unauthenticated:
            await _stop(session, operation, BulkOperationStatus.CANCELED)
            return None
    return _Try(operation, actor)


async def _stop(session: AsyncSession, operation: BulkOperation, status: BulkOperationStatus) -> None:
    """Bring a locked operation to an end that it has not come to by itself."""
    before = {"status": operation.status}
    operation.status, operation.finished_at = status, clock.now()
    after = {"status": status, "error_code": operation.error_code}
    await audit.record(session, SYSTEM, "bulk_operation.finish", operation, before=before, after=after)


async def _import(begun: _Try) -> None:
    content = await _file(begun.operation.id)
    table = await asyncio.to_thread(read_table, content)
    try:
        async with transaction(begun.actor) as session:
            take = _IMPORTS[begun.operation.kind]
            report = await take(session, begun.actor, begun.operation, table, begun.progress)
            if begun.operation.dry_run or report.problems:
                raise _Refused(report)
            await begun.end(session, BulkOperationStatus.COMPLETED, **_counts(report))
    except _Refused as refused:
        async with transaction() as session:
            await _report(session, begun, refused.report)


async def _report(session: AsyncSession, begun: _Try, report: ImportReport) -> None:
    operation = begun.operation
    counts = _counts(report)
    if operation.dry_run:
        await begun.end(session, BulkOperationStatus.COMPLETED, **counts)
    else:
        told = f"{len(report.problems)} rows are wrong: none was taken"
        refused = {**counts, **_NOTHING_DONE, "error_code": RowsRefused.code, "error_message": told}
        await begun.end(session, BulkOperationStatus.FAILED, **refused)
    await session.execute(delete(BulkOperationProblem).where(BulkOperationProblem.bulk_operation_id == operation.id))
    problems = [
        {
            "bulk_operation_id": operation.id,
            "partner_id": operation.partner_id,
            "row_number": problem.row,
            "column_name": problem.column,
            "code": problem.code,
            "message": problem.message,
        }
        for problem in report.problems
    ]
    if problems:
        await session.execute(insert(BulkOperationProblem), problems)


def _counts(report: ImportReport) -> dict[str, int]:
    return {
        "row_count": report.rows,
        "done_count": report.rows,
        "created_count": report.created,
        "updated_count": report.updated,
        "matched_count": report.matched,
        "problem_count": len(report.problems),
    }


async def _export(begun: _Try) -> None:
    with tempfile.TemporaryFile() as file:
        seen = await _write(begun, file)
        size = file.tell()
        file.seek(0)
        digest = (await asyncio.to_thread(hashlib.file_digest, file, "sha256")).hexdigest()
        file.seek(0)
        async with transaction() as session:
            await keep_file(session, begun.operation.id, file)
            counts = {"row_count": seen.rows, "done_count": seen.rows}
            # What the file was made with; whoever has less by now does not get it.
            await begun.change(session, permissions=sorted(begun.actor.permissions))
            await begun.end(session, BulkOperationStatus.COMPLETED, **counts, size_bytes=size, sha256=digest)
            if begun.actor.kind == "staff":
                await _look(session, begun, digest, seen)


@dataclass(slots=True)
class _Seen:
    """What an export has read."""

    columns: list[str]
    partners: set[int]
    rows: int = 0


async def _write(begun: _Try, file: IO[bytes]) -> _Seen:
    """Write all rows as they are at one moment."""
    operation = begun.operation
    assert operation.format is not None
    export = export_of(begun.actor, operation.kind)
    seen = _Seen(export.columns, set())
    with TableWriter(file, operation.format, export.columns) as writer:
        async with transaction(begun.actor, snapshot=True) as session:
            count = await session.scalar(export.counted) or 0
            await begun.progress(0, count)
            async for rows in rows_of(session, export):
                await asyncio.to_thread(writer.add, [row[1:] for row in rows])
                seen.partners.update(row[0] for row in rows)
                seen.rows += len(rows)
                await begun.progress(seen.rows, count)
        await asyncio.to_thread(writer.finish)
    return seen


async def _look(session: AsyncSession, begun: _Try, digest: str, seen: _Seen) -> None:
    operation = begun.operation
    await access_log.write(
        session,
        user_id=begun.actor.user_id,
        roles=begun.actor.roles,
        operation=operation.kind.value,
        document_hash=digest,
        fields=[f"{operation.kind}.{name}" for name in seen.columns],
        partner_ids=seen.partners,
        reason=operation.access_reason,
        grant_id=None,
    )


async def _file(operation_id: int) -> bytes:
    return b"".join([piece async for piece in read_file(operation_id)])
