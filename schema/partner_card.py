"""What belongs to a partner's card: contracts, notes, history of the standing, search (PAR-1 to PAR-4)."""

from __future__ import annotations

from typing import Any

import strawberry

import models
from domain.partners import ContractStatus, NoteKind, PartnerStatus
from planner.binding import (
    Money,
    Node,
    any_of,
    at_least,
    before,
    bound,
    column,
    equals,
    filter_input,
    graphql_enum,
    money,
    object_list,
    object_value,
    order_input,
    plain,
    to_many,
    to_one,
    value,
)
from planner.scalars import DateTime, Decimal
from schema.colleagues import name_of
from schema.payload import KeyedInput, Payload

for _enum in (ContractStatus, NoteKind, PartnerStatus):
    graphql_enum(_enum)

PartnerContractFilter = filter_input(
    "PartnerContract",
    {
        "partner_id": equals(models.PartnerContract.partner_id, "Only of this partner.", id_of="Partner"),
        "status": any_of(models.PartnerContract.status, "Only in these states."),
        "ends_from": at_least(models.PartnerContract.ends_at, "Ends at this moment or later."),
        "ends_before": before(models.PartnerContract.ends_at, "Ends before this moment."),
    },
)
PartnerContractOrder = order_input("PartnerContract")


@bound(models.PartnerContract, requires="partner_contract:read", description="A contract with a partner (PAR-3).")
class PartnerContract(Node):
    """A contract with a partner."""

    number: str = column(models.PartnerContract.number, "Its number, one of a partner.")
    status: Any = column(models.PartnerContract.status, "How far it is.")
    signed_at: Any = column(models.PartnerContract.signed_at, "When it was signed.")
    starts_at: Any = column(models.PartnerContract.starts_at, "From when it holds.")
    ends_at: Any = column(models.PartnerContract.ends_at, "Until when it holds; null for no end.")
    amount: Money | None = money(
        models.PartnerContract.amount, models.PartnerContract.currency, "What it is worth, where it says so."
    )
    sla: Any = column(models.PartnerContract.sla, "What we promise: hours, answers, availability.")
    url: Any = column(models.PartnerContract.url, "Where its text is kept.")
    version: int = column(models.PartnerContract.version, "Version to send back with a change.")
    created_at: Any = column(models.PartnerContract.created_at, "When it was entered.")
    updated_at: Any = column(models.PartnerContract.updated_at, "When it was last changed.")
    partner: Any = to_one(
        "schema.partners.Partner", models.PartnerContract.partner_id, "The partner.", requires="partner:read"
    )
    documents: Any = to_many(
        "schema.partner_documents.PartnerDocument",
        models.PartnerDocument.contract_id,
        "Its texts and what belongs to it.",
        requires="partner_document:read",
    )


PartnerNoteFilter = filter_input(
    "PartnerNote",
    {
        "partner_id": equals(models.PartnerNote.partner_id, "Only about this partner.", id_of="Partner"),
        "kind": any_of(models.PartnerNote.kind, "Only of these kinds."),
    },
)
PartnerNoteOrder = order_input("PartnerNote")


@bound(models.PartnerNote, requires="partner_note:read", description="What one of us wrote of a partner (PAR-4).")
class PartnerNote(Node):
    """What one of us wrote of a partner."""

    kind: Any = column(models.PartnerNote.kind, "What it tells of.")
    body: str = column(models.PartnerNote.body, "What was written.")
    created_at: Any = column(models.PartnerNote.created_at, "When it was written.")
    partner: Any = to_one(
        "schema.partners.Partner", models.PartnerNote.partner_id, "The partner.", requires="partner:read"
    )
    written_by: Any = to_one(
        "schema.access.User", models.PartnerNote.written_by_user_id, "Who wrote it.", requires="user:read"
    )
    written_by_name: Any = name_of("written_by_user_id", "Name of who wrote it.")


PartnerStatusChangeFilter = filter_input(
    "PartnerStatusChange",
    {
        "partner_id": equals(models.PartnerStatusChange.partner_id, "Only of this partner.", id_of="Partner"),
    },
)
PartnerStatusChangeOrder = order_input("PartnerStatusChange")


@bound(models.PartnerStatusChange, requires="partner:read", description="A change of a partner's standing (PAR-1).")
class PartnerStatusChange(Node):
    """A change of a partner's standing."""

    from_status: Any = column(models.PartnerStatusChange.from_status, "The standing before.")
    to_status: Any = column(models.PartnerStatusChange.to_status, "The standing after.")
    reason: Any = column(models.PartnerStatusChange.reason, "Why.")
    created_at: Any = column(models.PartnerStatusChange.created_at, "When.")
    partner: Any = to_one("schema.partners.Partner", models.PartnerStatusChange.partner_id, "The partner.")
    changed_by: Any = to_one(
        "schema.access.User", models.PartnerStatusChange.changed_by_user_id, "Who changed it.", requires="user:read"
    )
    changed_by_name: Any = name_of("changed_by_user_id", "Name of who of us changed it.")


@plain(requires="partner:read", description="Why a partner was found (PAR-2).")
class PartnerMatch:
    """Why a partner was found."""

    partner_id: strawberry.ID = value("The partner.")
    by_person: bool = value("Whether only a person at the partner matched.")
    score: float = value("How well, the higher the better: 3 and more for a beginning, less than 1 for a likeness.")


@plain(requires="partner:read", description="Partners that were found, best first (PAR-2).")
class PartnerSearchResult:
    """Partners that were found."""

    partners: Any = object_list("schema.partners.Partner", "The partners, best first.")
    matches: list[PartnerMatch] = value("Why each was found, in the same order.")


@strawberry.input(description="Another standing of a partner.")
class PartnerChangeStatusInput(KeyedInput):
    """Another standing of a partner."""

    id: strawberry.ID = strawberry.field(description="The partner.")
    version: int = strawberry.field(description="The version that was read; another one is a conflict.")
    status: PartnerStatus = strawberry.field(description="The standing from now on.")
    reason: str | None = strawberry.field(
        default=None, description="Why; required for a standing other than ACTIVE. Kept in the history."
    )


@strawberry.input(description="A new contract.")
class PartnerContractCreateInput(KeyedInput):
    """A new contract."""

    partner_id: strawberry.ID = strawberry.field(description="The partner.")
    number: str = strawberry.field(description="Its number, one of a partner.")
    status: ContractStatus | None = strawberry.field(default=strawberry.UNSET, description="DRAFT unless told.")
    signed_at: DateTime | None = strawberry.field(default=strawberry.UNSET, description="When it was signed.")
    starts_at: DateTime | None = strawberry.field(default=strawberry.UNSET, description="From when it holds.")
    ends_at: DateTime | None = strawberry.field(default=strawberry.UNSET, description="Until when it holds.")
    amount: Decimal | None = strawberry.field(default=strawberry.UNSET, description="What it is worth, 2 decimals.")
    currency: str | None = strawberry.field(default=strawberry.UNSET, description="Currency of the amount, ISO 4217.")
    sla: str | None = strawberry.field(default=strawberry.UNSET, description="What we promise.")
    url: str | None = strawberry.field(default=strawberry.UNSET, description="Where its text is kept, http or https.")


@strawberry.input(description="Changes of a contract; what is left out stays as it is.")
class PartnerContractUpdateInput(KeyedInput):
    """Changes of a contract."""

    id: strawberry.ID = strawberry.field(description="The contract.")
    version: int = strawberry.field(description="The version that was read; another one is a conflict.")
    number: str | None = strawberry.field(default=strawberry.UNSET, description="Its number, one of a partner.")
    status: ContractStatus | None = strawberry.field(default=strawberry.UNSET, description="How far it is.")
    signed_at: DateTime | None = strawberry.field(default=strawberry.UNSET, description="When it was signed.")
    starts_at: DateTime | None = strawberry.field(default=strawberry.UNSET, description="From when it holds.")
    ends_at: DateTime | None = strawberry.field(default=strawberry.UNSET, description="Until when it holds.")
    amount: Decimal | None = strawberry.field(default=strawberry.UNSET, description="What it is worth, 2 decimals.")
    currency: str | None = strawberry.field(default=strawberry.UNSET, description="Currency of the amount, ISO 4217.")
    sla: str | None = strawberry.field(default=strawberry.UNSET, description="What we promise.")
    url: str | None = strawberry.field(default=strawberry.UNSET, description="Where its text is kept, http or https.")


@strawberry.input(description="A note about a partner.")
class PartnerNoteCreateInput(KeyedInput):
    """A note about a partner."""

    partner_id: strawberry.ID = strawberry.field(description="The partner.")
    kind: NoteKind = strawberry.field(default=NoteKind.NOTE, description="What it tells of.")
    body: str = strawberry.field(description="What there is to say; partners never see it.")


@plain(requires="", description="A contract after the change.")
class PartnerContractPayload(Payload):
    """A contract after the change."""

    contract: Any = object_value(
        "schema.partner_card.PartnerContract", "The contract; null where there are user errors."
    )


@plain(requires="", description="A note that was written.")
class PartnerNotePayload(Payload):
    """A note that was written."""

    note: Any = object_value("schema.partner_card.PartnerNote", "The note; null where there are user errors.")
