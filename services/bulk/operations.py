"""Asking for a bulk operation, applying an import that was tried, and cancelling (PAR-5)."""

from __future__ import annotations

import hashlib

from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.errors import Conflict, Forbidden
from core.principal import ALL_ROWS, Principal
from domain import fields
from domain.bulk import KEPT_FOR, BulkOperationKind, BulkOperationStatus, TableFormat, is_final
from models import BulkOperation
from services import access_log, audit
from services.bulk.exports import export_of
from services.bulk.files import copy_file, keep_file
from services.bulk.imports import require_import
from services.loading import load
from services.outbox import enqueue

RUN = "bulk_operation.run"


class BulkOperationOver(Conflict):
    """The operation has come to its end and cannot be cancelled."""

    code = "BULK_OPERATION_OVER"


class NotADryRun(Conflict):
    """Only an import that was tried to its end without a problem can be applied."""

    code = "NOT_A_DRY_RUN"


async def request_export(
    session: AsyncSession, actor: Principal, *, kind: BulkOperationKind, format: TableFormat
) -> BulkOperation:
    """Have all rows that the actor may read written into a file, without columns that the actor may not read.

    Raises:
        Forbidden: the actor may not read such rows.
        InvalidValue: the kind is an import.
    """
    if kind.is_import:
        raise fields.InvalidValue(f"{kind} is no export", field=fields.path("kind"))
    export_of(actor, kind)
    return await _request(session, actor, BulkOperation(kind=kind, format=format))


async def request_import(
    session: AsyncSession, actor: Principal, *, kind: BulkOperationKind, content: bytes, dry_run: bool
) -> BulkOperation:
    """Have rows made and changed as a file says: all, or none.

    Parameters:
        dry_run: only say what would come of it.

    Raises:
        Forbidden: the actor may not write such rows.
    """
    require_import(actor, kind)
    operation = BulkOperation(kind=kind, dry_run=dry_run)
    operation.size_bytes, operation.sha256 = len(content), hashlib.sha256(content).hexdigest()
    await _request(session, actor, operation)
    await keep_file(session, operation.id, content)
    return operation


async def apply_import(session: AsyncSession, actor: Principal, *, operation_id: int) -> BulkOperation:
    """Import for good the file of a dry run that found nothing wrong.

    Raises:
        NotFound: there is no such operation in the actor's reach.
        Forbidden: the actor may not write such rows.
        NotADryRun: it was no dry run, is not over, or found problems; or its file is no longer kept.
    """
    tried = await load(session, actor, BulkOperation, operation_id, lock=True, references=True)
    right = tried.dry_run and tried.status is BulkOperationStatus.COMPLETED and not tried.problem_count
    if not right or tried.file_expired:
        raise NotADryRun("only a dry run that ended without problems can be applied", field=fields.path("id"))
    require_import(actor, tried.kind)
    operation = BulkOperation(kind=tried.kind, size_bytes=tried.size_bytes, sha256=tried.sha256)
    await _request(session, actor, operation)
    await copy_file(session, tried.id, operation.id)
    return operation


async def cancel(session: AsyncSession, actor: Principal, *, operation_id: int) -> BulkOperation:
    """Stop an operation before its end; an import then changes nothing.

    Raises:
        NotFound: there is no such operation in the actor's reach.
        BulkOperationOver: it has come to its end.
    """
    operation = await load(session, actor, BulkOperation, operation_id, lock=True, references=True)
    before = operation.status
    if is_final(before):
        raise BulkOperationOver(f"the operation is {before}", field=fields.path("id"))
    operation.status, operation.finished_at = BulkOperationStatus.CANCELED, clock.now()
    await audit.record(
        session, actor, "bulk_operation.cancel", operation, before={"status": before}, after={"status": "CANCELED"}
    )
    return operation


async def is_over(session: AsyncSession, actor: Principal, *, operation_id: int) -> bool:
    """Whether nothing more will happen to an operation.

    Raises:
        NotFound: there is no such operation in the actor's reach.
    """
    return is_final((await load(session, actor, BulkOperation, operation_id)).status)


async def _request(session: AsyncSession, actor: Principal, operation: BulkOperation) -> BulkOperation:
    if actor.user_id is None:
        raise Forbidden("bulk_operation:write", f"BulkOperationKind.{operation.kind}")
    if actor.needs_grant:
        raise Forbidden(ALL_ROWS, f"BulkOperationKind.{operation.kind}")
    if actor.kind == "staff":
        _, operation.access_reason = await access_log.why(session, actor)
    operation.partner_id = actor.partner_id
    operation.requested_by_user_id = actor.user_id
    operation.permissions = sorted(actor.permissions)
    operation.expires_at = clock.now() + KEPT_FOR
    session.add(operation)
    await session.flush()
    told = {"kind": operation.kind, "format": operation.format, "dry_run": operation.dry_run}
    await audit.record(session, actor, "bulk_operation.request", operation, before=None, after=told)
    payload = {"bulk_operation_id": operation.id}
    await enqueue(session, RUN, payload, partner_id=actor.partner_id)
    return operation
