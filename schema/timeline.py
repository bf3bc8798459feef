"""All that happened at a partner as one connection, each kind with its own object (PAR-4).

A new kind is a type here: a table with `partner_id` and the index (partner_id, created_at, id), and its place in
`TimelineKind`.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column
from sqlalchemy import DateTime as Moment

import models
from domain.partners import TimelineKind
from models.base import StrEnumColumn
from planner.binding import Node, any_of, at_least, before, bound, column, filter_input, graphql_enum, sql, to_one
from planner.interfaces import absent, itself, row_interface, shared, shared_one
from planner.scalars import DateTime

graphql_enum(TimelineKind)

USER = "schema.access.User"
KIND, HAPPENED, ACTOR = "What it tells of.", "When it happened.", "Who did it, where it was a person and is known."
_KIND: Column[Any] = Column("kind", StrEnumColumn(TimelineKind), nullable=False)
_HAPPENED: Column[Any] = Column("happened_at", Moment(timezone=True), nullable=False)

TimelineEntryFilter = filter_input(
    "TimelineEntry",
    {
        "kind": any_of(_KIND, "Only of these kinds."),
        "happened_from": at_least(_HAPPENED, "Happened at this moment or later."),
        "happened_before": before(_HAPPENED, "Happened before this moment."),
    },
)


@row_interface(requires="partner:read", description="One thing that happened at a partner (PAR-4).")
class TimelineEntry(Node):
    """One thing that happened at a partner."""

    kind: TimelineKind = shared(KIND)
    happened_at: DateTime = shared(HAPPENED)
    actor: Any = shared_one(USER, ACTOR, requires="user:read")


def _kind(kind: TimelineKind) -> Any:
    return sql(f"'{kind}'", TimelineKind, "enum", KIND)


def _actor(attribute: Any) -> Any:
    return to_one(USER, attribute, ACTOR, requires="user:read", optional=True)


def _nobody() -> Any:
    return absent(USER, ACTOR, requires="user:read")


@bound(models.PartnerNote, requires="partner_note:read", description="One of us wrote a note, called or met them.")
class TimelineNote(TimelineEntry):
    """One of us wrote a note, called or met them."""

    kind: Any = sql("{row}.kind", TimelineKind, "enum", KIND)
    happened_at: Any = column(models.PartnerNote.created_at, HAPPENED)
    actor: Any = _actor(models.PartnerNote.written_by_user_id)
    note: Any = itself("schema.partner_card.PartnerNote", "What was written.")


@bound(models.PartnerStatusChange, requires="partner:read", description="The partner's standing changed.")
class TimelineStatusChange(TimelineEntry):
    """The partner's standing changed."""

    kind: Any = _kind(TimelineKind.STATUS_CHANGE)
    happened_at: Any = column(models.PartnerStatusChange.created_at, HAPPENED)
    actor: Any = _actor(models.PartnerStatusChange.changed_by_user_id)
    status_change: Any = itself("schema.partner_card.PartnerStatusChange", "The change.")


@bound(models.PartnerContract, requires="partner_contract:read", description="A contract was entered.")
class TimelineContract(TimelineEntry):
    """A contract was entered."""

    kind: Any = _kind(TimelineKind.CONTRACT)
    happened_at: Any = column(models.PartnerContract.created_at, HAPPENED)
    actor: Any = _nobody()
    contract: Any = itself("schema.partner_card.PartnerContract", "The contract, as it is now.")


@bound(models.PartnerDocument, requires="partner_document:read", description="A document was entered.")
class TimelineDocument(TimelineEntry):
    """A document was entered."""

    kind: Any = _kind(TimelineKind.DOCUMENT)
    happened_at: Any = column(models.PartnerDocument.created_at, HAPPENED)
    actor: Any = _actor(models.PartnerDocument.uploaded_by_user_id)
    document: Any = itself("schema.partner_documents.PartnerDocument", "The document, as it is now.")


@bound(models.Invoice, requires="invoice:read", description="A bill was made out.")
class TimelineInvoice(TimelineEntry):
    """A bill was made out."""

    kind: Any = _kind(TimelineKind.INVOICE)
    happened_at: Any = column(models.Invoice.created_at, HAPPENED)
    actor: Any = _nobody()
    invoice: Any = itself("schema.billing.Invoice", "The bill, as it is now.")


@bound(models.Payment, requires="payment:read", description="A payment was begun, or told of.")
class TimelinePayment(TimelineEntry):
    """A payment was begun, or told of."""

    kind: Any = _kind(TimelineKind.PAYMENT)
    happened_at: Any = column(models.Payment.created_at, HAPPENED)
    actor: Any = _nobody()
    payment: Any = itself("schema.payments.Payment", "The payment, as it is now.")


@bound(models.Refund, requires="payment:read", description="Money was asked to be given back.")
class TimelineRefund(TimelineEntry):
    """Money was asked to be given back."""

    kind: Any = _kind(TimelineKind.REFUND)
    happened_at: Any = column(models.Refund.created_at, HAPPENED)
    actor: Any = _actor(models.Refund.requested_by_user_id)
    refund: Any = itself("schema.refunds.Refund", "The refund, as it is now.")


@bound(models.SubscriptionChange, requires="subscription:read", description="A subscription changed.")
class TimelineSubscriptionChange(TimelineEntry):
    """A subscription changed."""

    kind: Any = _kind(TimelineKind.SUBSCRIPTION_CHANGE)
    happened_at: Any = column(models.SubscriptionChange.created_at, HAPPENED)
    actor: Any = _actor(models.SubscriptionChange.actor_user_id)
    subscription_change: Any = itself("schema.billing.SubscriptionChange", "The line of the change log.")


@bound(models.ProductEvent, requires="event:read", description="A product was told of something.")
class TimelineEvent(TimelineEntry):
    """A product was told of something."""

    kind: Any = _kind(TimelineKind.EVENT)
    happened_at: Any = column(models.ProductEvent.created_at, HAPPENED)
    actor: Any = _nobody()
    event: Any = itself("schema.effects.ProductEvent", "The event.")


@bound(
    models.OnboardingChange, requires="onboarding:read", description="A step was done, or help was asked for (ONB-1)."
)
class TimelineOnboarding(TimelineEntry):
    """A step was done, or help was asked for."""

    kind: Any = sql(
        "CASE WHEN {row}.action IN ('help_asked', 'help_given') THEN 'HELP' ELSE 'ONBOARDING' END",
        TimelineKind,
        "enum",
        KIND,
    )
    happened_at: Any = column(models.OnboardingChange.created_at, HAPPENED)
    actor: Any = _actor(models.OnboardingChange.actor_user_id)
    onboarding_change: Any = itself("schema.onboarding.OnboardingChange", "What happened.")


@bound(models.Session, requires="session:read", description="A person of the partner signed in.")
class TimelineSignIn(TimelineEntry):
    """A person of the partner signed in."""

    kind: Any = _kind(TimelineKind.SIGN_IN)
    happened_at: Any = column(models.Session.created_at, HAPPENED)
    actor: Any = _actor(models.Session.user_id)
    session: Any = itself("schema.access.Session", "The sign-in.")


# No field leads to these but through the interface, so the schema must be told of them.
TIMELINE_TYPES = tuple(TimelineEntry.__subclasses__())
