"""The access log: who of our staff looked at which partners' data, and why (ACC-5).

A partner sees the looks at its own data: when, in which role, which operation and why. Whoever looked is a number to
it, and other partners that the same look concerned are left out.
"""

from __future__ import annotations

from typing import Any

import models
from planner import scalars
from planner.binding import (
    Node,
    at_least,
    before,
    bound,
    column,
    equals,
    filter_input,
    listed,
    order_input,
    sql,
)

AccessLogEntryFilter = filter_input(
    "AccessLogEntry",
    {
        "user_id": equals(models.AccessLogEntry.user_id, "Only looks by this user.", id_of="User"),
        "partner_id": listed(models.AccessLogEntry.partner_ids, "Only looks at this partner's data."),
        "operation_name": equals(models.AccessLogEntry.operation_name, "Only looks by operations of this name."),
        "access_grant_id": equals(
            models.AccessLogEntry.access_grant_id, "Only looks under this access grant.", id_of="AccessGrant"
        ),
        "created_from": at_least(models.AccessLogEntry.created_at, "Only looks at this moment or later."),
        "created_before": before(models.AccessLogEntry.created_at, "Only looks before this moment."),
    },
)
# By the moment and not by key, so that a page between two moments begins where it is.
AccessLogEntryOrder = order_input("AccessLogEntry", {"CREATED_AT": models.AccessLogEntry.created_at})


@bound(
    models.AccessLogEntry, requires="access_log:read", description="One look at partners' data by our staff (ACC-5)."
)
class AccessLogEntry(Node):
    """One look at partners' data by our staff."""

    user_id: Any = column(models.AccessLogEntry.user_id, "Number of the user who looked.")
    roles: Any = column(models.AccessLogEntry.roles, "Roles of the user at that time.")
    operation_name: Any = column(models.AccessLogEntry.operation_name, "Name of the operation.")
    document_hash: Any = column(models.AccessLogEntry.document_hash, "SHA-256 of the document.")
    fields: Any = column(models.AccessLogEntry.fields, "Fields that were read.")
    partner_ids: Any = sql(
        "CASE WHEN current_partner_id() IS NULL THEN {row}.partner_ids ELSE ARRAY[current_partner_id()] END",
        list[scalars.BigInt],
        "list",
        "Numbers of the partners whose rows were read; to a partner, its own.",
    )
    reason: Any = column(models.AccessLogEntry.reason, "Why: the grant's reason, or the one that was stated.")
    access_grant_id: Any = column(models.AccessLogEntry.access_grant_id, "Number of the access grant in use.")
    request_id: Any = column(models.AccessLogEntry.request_id, "Request in which it happened.")
    ip: Any = sql(
        "CASE WHEN current_partner_id() IS NULL THEN {row}.ip END",
        str | None,
        "text",
        "Address it came from; never told to partners.",
        requires="user:pii",
    )
    created_at: Any = column(models.AccessLogEntry.created_at, "When.")
