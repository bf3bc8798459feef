"""Doors to imports and exports in the background (PAR-5, API-4)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

import strawberry

from core.changes import changes_of
from core.database import transaction
from planner.binding import function_root
from planner.context import RunContext
from resolvers.inputs import key_of
from resolvers.mutation import MutationContext, mutation
from resolvers.values import link_of
from schema.bulk import (
    BulkOperation,
    BulkOperationCancelInput,
    BulkOperationLink,
    BulkOperationPayload,
    ExportCreateInput,
    ImportApplyInput,
)
from services import bulk


async def export_create(context: MutationContext, input: ExportCreateInput) -> dict[str, Any]:
    """Have partners, licences or payments written into a file, in the background (PAR-5)."""
    operation = await bulk.request_export(context.session, context.actor, kind=input.kind, format=input.format)
    return {"bulk_operation": operation.id}


async def import_apply(context: MutationContext, input: ImportApplyInput) -> dict[str, Any]:
    """Import for good the file of a dry run that found nothing wrong, without sending it again (PAR-5)."""
    key = key_of(input.id, "BulkOperation", "id")
    return {"bulk_operation": (await bulk.apply_import(context.session, context.actor, operation_id=key)).id}


async def bulk_operation_cancel(context: MutationContext, input: BulkOperationCancelInput) -> dict[str, Any]:
    """Stop an import or an export before its end; an import then changes nothing (PAR-5)."""
    key = key_of(input.id, "BulkOperation", "id")
    return {"bulk_operation": (await bulk.cancel(context.session, context.actor, operation_id=key)).id}


async def bulk_operation_link(
    context: RunContext, id: Annotated[strawberry.ID, strawberry.argument(description="The export.")]
) -> dict[str, Any]:
    """A link to download an export; good for 15 minutes, for whoever holds it (PAR-5)."""
    async with transaction(context.principal) as session:
        key = key_of(id, "BulkOperation", "id")
        link = await bulk.download_link(session, context.principal, operation_id=key)
    return link_of(link)


async def bulk_operation_progress(
    context: RunContext, id: Annotated[strawberry.ID, strawberry.argument(description="The import or export.")]
) -> AsyncIterator[int]:
    """The operation now, and again whenever it has come further, until its end (PAR-5)."""
    key = key_of(id, "BulkOperation", "id")
    async for _ in changes_of("bulk_operations", key):
        # Asked before the answer is read, so that the end is never missed and is always the last answer.
        async with transaction(context.principal) as session:
            over = await bulk.is_over(session, context.principal, operation_id=key)
        yield key
        if over:
            return


@strawberry.type(description="Queries of bulk operations beyond the tables.")
class BulkQueries:
    """Queries of bulk operations beyond the tables."""

    bulk_operation_link: Any = function_root(bulk_operation_link, BulkOperationLink, requires="bulk_operation:read")


@strawberry.type(description="Mutations of bulk operations.")
class BulkMutations:
    """Mutations of bulk operations."""

    export_create: Any = mutation(export_create, BulkOperationPayload, requires="bulk_operation:write")
    import_apply: Any = mutation(import_apply, BulkOperationPayload, requires="bulk_operation:write")
    bulk_operation_cancel: Any = mutation(bulk_operation_cancel, BulkOperationPayload, requires="bulk_operation:write")


@strawberry.type(description="Subscriptions to bulk operations.")
class BulkSubscriptions:
    """Subscriptions to bulk operations."""

    bulk_operation_progress: Any = function_root(
        bulk_operation_progress, BulkOperation | None, requires="bulk_operation:read"
    )
