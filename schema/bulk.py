"""Imports and exports in the background, as the outside sees them (PAR-5, API-4)."""

from __future__ import annotations

from typing import Any

import strawberry

import models
from domain.bulk import BulkOperationKind, TableFormat
from planner.binding import (
    Node,
    any_of,
    bound,
    column,
    equals,
    filter_input,
    graphql_enum,
    object_value,
    order_input,
    plain,
    sql,
    to_many,
    to_one,
    value,
)
from planner.scalars import DateTime
from schema.payload import KeyedInput, Payload

READ = "bulk_operation:read"
graphql_enum(BulkOperationKind)
graphql_enum(TableFormat)

BulkOperationFilter = filter_input(
    "BulkOperation",
    {
        "kind": any_of(models.BulkOperation.kind, "Only of these kinds."),
        "status": any_of(models.BulkOperation.status, "Only in these states."),
        "requested_by_user_id": equals(
            models.BulkOperation.requested_by_user_id, "Only those that this user asked for.", id_of="User"
        ),
    },
)
BulkOperationOrder = order_input("BulkOperation")


@bound(
    models.BulkOperation,
    requires=READ,
    description="An import or an export that runs in the background (PAR-5, API-4).",
)
class BulkOperation(Node):
    """An import or an export that runs in the background."""

    kind: Any = column(models.BulkOperation.kind, "What is done.")
    status: Any = column(models.BulkOperation.status, "How far it is.")
    format: Any = column(models.BulkOperation.format, "How the file of an export is written.")
    dry_run: bool = column(models.BulkOperation.dry_run, "Whether an import only tells what would come of it.")
    row_count: Any = column(models.BulkOperation.row_count, "How many rows there are; null until they are counted.")
    done_count: Any = column(models.BulkOperation.done_count, "How many of them are done.")
    progress_percent: Any = sql(
        "CASE WHEN {row}.status = 'COMPLETED' THEN 100 "
        "ELSE coalesce(100 * {row}.done_count::bigint / nullif({row}.row_count, 0), 0)::int END",
        int,
        "int",
        "How much of it is done, 0 to 100.",
    )
    created_count: Any = column(models.BulkOperation.created_count, "Rows that an import has made, or would make.")
    updated_count: Any = column(models.BulkOperation.updated_count, "Rows that an import has changed, or would change.")
    matched_count: Any = column(
        models.BulkOperation.matched_count,
        "Payments of an import that find their invoice by themselves, as it looked when the file was read (INV-5).",
    )
    problem_count: Any = column(models.BulkOperation.problem_count, "Rows that are wrong; with any, none is taken.")
    error_code: Any = column(models.BulkOperation.error_code, "Why it failed.")
    error_message: Any = column(models.BulkOperation.error_message, "Why it failed, for people.")
    size_bytes: Any = column(models.BulkOperation.size_bytes, "Size of its file, bytes.")
    sha256: Any = column(models.BulkOperation.sha256, "SHA-256 of its file, in hex.")
    created_at: Any = column(models.BulkOperation.created_at, "When it was asked for.")
    started_at: Any = column(models.BulkOperation.started_at, "When a worker began it.")
    finished_at: Any = column(models.BulkOperation.finished_at, "When it came to its end.")
    expires_at: Any = column(models.BulkOperation.expires_at, "When its file is deleted.")
    requested_by: Any = to_one(
        "schema.access.User", models.BulkOperation.requested_by_user_id, "Who asked for it.", requires="user:read"
    )
    problems: Any = to_many(
        "schema.bulk.BulkOperationProblem",
        models.BulkOperationProblem.bulk_operation_id,
        "What is wrong with rows of an import; the first thousand.",
    )


BulkOperationProblemFilter = filter_input(
    "BulkOperationProblem",
    {
        "bulk_operation_id": equals(
            models.BulkOperationProblem.bulk_operation_id, "Only of this operation.", id_of="BulkOperation"
        ),
        "code": any_of(models.BulkOperationProblem.code, "Only with these codes."),
    },
)
BulkOperationProblemOrder = order_input("BulkOperationProblem")


@bound(models.BulkOperationProblem, requires=READ, description="What is wrong with a row of an imported file (PAR-5).")
class BulkOperationProblem(Node):
    """What is wrong with a row of an imported file."""

    row_number: Any = column(models.BulkOperationProblem.row_number, "Its line in the file; the header's is 1.")
    column_name: Any = column(models.BulkOperationProblem.column_name, "The column at fault, where it is one.")
    code: str = column(models.BulkOperationProblem.code, "Stable code, the same in every language.")
    message: str = column(models.BulkOperationProblem.message, "What is wrong, for people.")


@plain(requires=READ, description="Where an export is downloaded.")
class BulkOperationLink:
    """Where an export is downloaded."""

    url: str = value("The file for whoever holds this address, without signing in.")
    expires_at: DateTime = value("Until when it can be opened.")


@strawberry.input(description="An export to make.")
class ExportCreateInput(KeyedInput):
    """An export to make."""

    kind: BulkOperationKind = strawberry.field(description="What to export.")
    format: TableFormat = strawberry.field(description="How to write it.")


@strawberry.input(description="An import to make for good, as a dry run has found it.")
class ImportApplyInput(KeyedInput):
    """An import to make for good."""

    id: strawberry.ID = strawberry.field(description="The dry run, which ended without problems.")


@strawberry.input(description="An operation to stop.")
class BulkOperationCancelInput(KeyedInput):
    """An operation to stop."""

    id: strawberry.ID = strawberry.field(description="The operation.")


@plain(requires="", description="An operation that was begun or stopped.")
class BulkOperationPayload(Payload):
    """An operation that was begun or stopped."""

    bulk_operation: Any = object_value(
        "schema.bulk.BulkOperation", "The operation; null where there are user errors.", requires=READ
    )
