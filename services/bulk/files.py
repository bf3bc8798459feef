"""The files of bulk operations: kept in pieces beside them, downloaded by links that expire, deleted after a week."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import IO

from sqlalchemy import delete, insert, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.database import transaction
from core.errors import Conflict
from core.links import DownloadLink, check_link
from core.principal import Principal
from domain import fields
from domain.bulk import BulkOperationStatus
from models import BulkOperation, BulkOperationChunk
from services.bulk.exports import export_of
from services.loading import load

PATH = "/bulk-operations"
CHUNK_BYTES = 1_000_000
EXPIRED_AT_ONCE = 100


class NoFile(Conflict):
    """There is nothing to download: no export, not over, somebody else's, or no longer kept."""

    code = "NO_FILE"


async def keep_file(session: AsyncSession, operation_id: int, content: bytes | IO[bytes]) -> None:
    """Keep the operation's file, in place of one that it had."""
    source = io.BytesIO(content) if isinstance(content, bytes) else content
    await session.execute(delete(BulkOperationChunk).where(BulkOperationChunk.bulk_operation_id == operation_id))
    number = 0
    while piece := source.read(CHUNK_BYTES):
        values = {"bulk_operation_id": operation_id, "number": number, "content": piece}
        await session.execute(insert(BulkOperationChunk).values(values))
        number += 1


async def copy_file(session: AsyncSession, from_id: int, to_id: int) -> None:
    """Give one operation the file of another."""
    chunk = BulkOperationChunk
    found = select(literal(to_id), chunk.number, chunk.content).where(chunk.bulk_operation_id == from_id)
    await session.execute(insert(chunk).from_select(["bulk_operation_id", "number", "content"], found))


async def read_file(operation_id: int) -> AsyncIterator[bytes]:
    """The file, piece by piece; no connection is held while a piece is on its way to a slow reader."""
    number = 0
    while True:
        async with transaction() as session:
            piece = await session.scalar(
                select(BulkOperationChunk.content).where(
                    BulkOperationChunk.bulk_operation_id == operation_id, BulkOperationChunk.number == number
                )
            )
        if piece is None:
            return
        yield piece
        number += 1


async def download_link(session: AsyncSession, actor: Principal, *, operation_id: int) -> DownloadLink:
    """A link to an export's file, for the person who asked for it; whoever holds it can follow it.

    Raises:
        NotFound: there is no such operation in the actor's reach.
        NoFile: there is nothing to download, or it was made for somebody else, or it has columns that the actor may not
            read any more.
        Forbidden: the actor may not read such rows any more.
    """
    operation = await load(session, actor, BulkOperation, operation_id)
    if operation.requested_by_user_id != actor.user_id:
        raise NoFile("the file is for the person who asked for it", field=fields.path("id"))
    if operation.kind.is_import or operation.status is not BulkOperationStatus.COMPLETED or operation.file_expired:
        raise NoFile("there is no file to download", field=fields.path("id"))
    then = replace(actor, permissions=frozenset(operation.permissions))
    if set(export_of(then, operation.kind).columns) - set(export_of(actor, operation.kind).columns):
        raise NoFile("it has columns that you may no longer read; ask for a new one", field=fields.path("id"))
    return DownloadLink.to(f"{PATH}/{operation_id}/file", {})


async def opened_link(session: AsyncSession, *, operation_id: int, query: Mapping[str, str]) -> BulkOperation:
    """The operation behind a link.

    Raises:
        BadLink: the link is not genuine or has expired.
        NoFile: the file was deleted meanwhile.
    """
    check_link(f"{PATH}/{operation_id}/file", query)
    operation = await session.get_one(BulkOperation, operation_id)
    if operation.file_expired:
        raise NoFile("the file is no longer kept")
    return operation


async def expire_files(session: AsyncSession) -> int:
    """Delete files that were kept long enough, some at a time; gives how many."""
    due = (
        select(BulkOperation)
        .where(~BulkOperation.file_expired, BulkOperation.expires_at <= clock.now())
        .order_by(BulkOperation.expires_at)
        .limit(EXPIRED_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    operations = list(await session.scalars(due))
    for operation in operations:
        operation.file_expired = True
    gone = [operation.id for operation in operations]
    await session.execute(delete(BulkOperationChunk).where(BulkOperationChunk.bulk_operation_id.in_(gone)))
    return len(gone)
