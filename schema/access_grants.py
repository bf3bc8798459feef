"""Access grants and the reasons for looking at partners' data, as the outside sees them (ACC-5)."""

from __future__ import annotations

from typing import Any

import strawberry

import models
from domain.access_grants import DEFAULT_LENGTH
from planner.binding import (
    Node,
    any_of,
    at_least,
    before,
    bound,
    column,
    equals,
    filter_input,
    object_value,
    order_input,
    plain,
    sql,
    to_one,
    value,
)
from schema.colleagues import name_of
from schema.payload import KeyedInput, Payload

AccessGrantFilter = filter_input(
    "AccessGrant",
    {
        "status": any_of(models.AccessGrant.status, "Only in these states."),
        "partner_id": equals(models.AccessGrant.partner_id, "Only for this partner.", id_of="Partner"),
        "requested_by_id": equals(
            models.AccessGrant.requested_by_user_id, "Only asked for by this user.", id_of="User"
        ),
        "created_from": at_least(models.AccessGrant.created_at, "Only asked for at this moment or later."),
        "created_before": before(models.AccessGrant.created_at, "Only asked for before this moment."),
    },
)
AccessGrantOrder = order_input("AccessGrant", {"CREATED_AT": models.AccessGrant.created_at})


@bound(
    models.AccessGrant,
    requires="access_grant:read",
    description="Leave to look at one partner's data for a while, given by a second person (ACC-5).",
)
class AccessGrant(Node):
    """Leave to look at one partner's data for a while."""

    partner_name: Any = column(models.AccessGrant.partner_name, "Name of the partner when access was asked for.")
    partner_number: Any = column(models.AccessGrant.partner_id, "Number of the partner.")
    partner: Any = to_one(
        "schema.partners.Partner",
        models.AccessGrant.partner_id,
        "The partner; null where it is out of reach.",
        requires="partner:read",
        optional=True,
    )
    status: Any = column(models.AccessGrant.status, "How far it is.")
    ticket: Any = column(models.AccessGrant.ticket, "The ticket it was asked for.")
    reason: Any = column(models.AccessGrant.reason, "Why it was asked for; stands in the access log.")
    minutes: Any = column(models.AccessGrant.minutes, "For how long it was asked for, minutes.")
    in_force: Any = sql(
        "{row}.status = 'APPROVED' AND {row}.expires_at > now()",
        bool,
        "bool",
        "Whether the partner's data can be looked at under it now.",
    )
    expires_at: Any = column(models.AccessGrant.expires_at, "When it ends by itself.")
    by_policy: Any = column(models.AccessGrant.by_policy, "Whether a rule of the settings gave it, and nobody else.")
    decided_at: Any = column(models.AccessGrant.decided_at, "When it was approved or denied.")
    decision_note: Any = column(models.AccessGrant.decision_note, "What was said to the decision.")
    ended_at: Any = column(models.AccessGrant.ended_at, "When it expired, was revoked or taken back.")
    created_at: Any = column(models.AccessGrant.created_at, "When it was asked for.")
    updated_at: Any = column(models.AccessGrant.updated_at, "When it last changed.")
    requested_by_number: Any = column(models.AccessGrant.requested_by_user_id, "Number of the user who asked.")
    requested_by: Any = to_one(
        "schema.access.User",
        models.AccessGrant.requested_by_user_id,
        "Who asked; null where out of reach.",
        requires="user:read",
        optional=True,
    )
    requested_by_name: Any = name_of("requested_by_user_id", "Name of who asked.")
    decided_by_name: Any = name_of("decided_by_user_id", "Name of who decided; null where a rule did.")
    decided_by: Any = to_one(
        "schema.access.User",
        models.AccessGrant.decided_by_user_id,
        "Who decided; null where a rule did.",
        requires="user:read",
    )
    ended_by: Any = to_one(
        "schema.access.User", models.AccessGrant.ended_by_user_id, "Who ended it.", requires="user:read"
    )


@plain(requires="access_grant:request", description="What is known of a partner before there is an access grant.")
class AccessGrantPartner:
    """What is known of a partner before there is an access grant."""

    partner_id: strawberry.ID = value("Id of the partner, for `accessGrantRequest`.")
    name: str = value("Its name.")


@strawberry.input(description="Access to one partner's data that is asked for.")
class AccessGrantRequestInput(KeyedInput):
    """Access to one partner's data that is asked for."""

    partner_id: strawberry.ID = strawberry.field(description="The partner, as `accessGrantPartners` finds it.")
    reason: str = strawberry.field(description="Why; one line, which the partner can read in its access log.")
    ticket: str | None = strawberry.field(default=None, description="The ticket it is for.")
    minutes: int = strawberry.field(
        default=int(DEFAULT_LENGTH.total_seconds() // 60), description="For how long, minutes."
    )


@strawberry.input(description="An access grant to approve.")
class AccessGrantApproveInput(KeyedInput):
    """An access grant to approve."""

    id: strawberry.ID = strawberry.field(description="The access grant.")
    minutes: int | None = strawberry.field(default=None, description="A shorter time than was asked for, minutes.")
    note: str | None = strawberry.field(default=None, description="What is to be said to it.")


@strawberry.input(description="An access grant to deny.")
class AccessGrantDenyInput(KeyedInput):
    """An access grant to deny."""

    id: strawberry.ID = strawberry.field(description="The access grant.")
    note: str | None = strawberry.field(default=None, description="What is to be said to it.")


@strawberry.input(description="An access grant.")
class AccessGrantInput(KeyedInput):
    """An access grant."""

    id: strawberry.ID = strawberry.field(description="The access grant.")


@strawberry.input(description="Why one looks at partners' data.")
class AccessReasonSetInput(KeyedInput):
    """Why one looks at partners' data."""

    reason: str = strawberry.field(
        description="One line, which the partners concerned can read in their access log; a ticket, for example."
    )


@plain(requires="", description="An access grant after the step.")
class AccessGrantPayload(Payload):
    """An access grant after the step."""

    access_grant: Any = object_value(
        "schema.access_grants.AccessGrant", "The access grant; null where there are user errors."
    )


@plain(requires="", description="The reason as it stands in the access log from now on.")
class AccessReasonPayload(Payload):
    """The reason as it stands in the access log from now on."""

    reason: str | None = value("The reason; null where there are user errors.")
