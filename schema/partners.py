"""Partners and their people as the API shows them (PAR-1)."""

from __future__ import annotations

from typing import Any

import strawberry

import models
from domain.partners import DeploymentType, PartnerStatus
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
    to_many,
    to_one,
    value,
)
from planner.interfaces import merged
from planner.scalars import BigInt, DateTime
from schema.allowed_actions import partner_allowed_actions
from schema.colleagues import name_of
from schema.payload import KeyedInput, Payload

PARTNER_PII = "partner:pii"

PartnerFilter = filter_input(
    "Partner",
    {
        "status": any_of(models.Partner.status, "Only these states."),
        "inn": equals(models.Partner.inn, "Exactly this taxpayer number."),
        "segment": equals(models.Partner.segment, "Only of this segment."),
        "account_manager_id": equals(
            models.Partner.account_manager_id, "Only partners of this account manager.", id_of="User"
        ),
        "amocrm_account_id": equals(models.Partner.amocrm_account_id, "Exactly this amoCRM account."),
    },
)
PartnerOrder = order_input("Partner", {"NAME": models.Partner.name})


@bound(models.Partner, requires="partner:read", description="An organisation that buys from us (PAR-1).")
class Partner(Node):
    """An organisation that buys from us."""

    name: str = column(models.Partner.name, "Name in daily use.")
    legal_name: Any = column(models.Partner.legal_name, "Name in contracts and invoices.")
    inn: Any = column(models.Partner.inn, "Russian taxpayer number, 10 or 12 digits.")
    kpp: Any = column(models.Partner.kpp, "Russian tax registration code of a legal entity.")
    ogrn: Any = column(models.Partner.ogrn, "Number in the Russian state register: 13 digits, an entrepreneur's 15.")
    segment: Any = column(models.Partner.segment, "Our own grouping of partners.")
    deployment: Any = column(models.Partner.deployment, "Where the partner runs our software.")
    status: Any = column(models.Partner.status, "Standing with us.")
    status_reason: Any = column(models.Partner.status_reason, "Why the standing was last changed.")
    connected_at: Any = column(models.Partner.connected_at, "When the partner began to work with us.")
    branch_count: Any = column(models.Partner.branch_count, "How many branches the partner has, as it told us.")
    amocrm_account_id: Any = column(models.Partner.amocrm_account_id, "Account at amoCRM.")
    amocrm_domain: Any = column(models.Partner.amocrm_domain, "Domain at amoCRM.")
    version: int = column(models.Partner.version, "Version to send back with a change.")
    allowed_actions: Any = partner_allowed_actions()
    created_at: Any = column(models.Partner.created_at, "When the card was made.")
    updated_at: Any = column(models.Partner.updated_at, "When the card was last changed.")
    account_manager: Any = to_one(
        "schema.access.User", models.Partner.account_manager_id, "Who of us looks after them.", requires="user:read"
    )
    account_manager_name: Any = name_of("account_manager_id", "Name of the account manager.")
    contacts: Any = to_many("schema.partners.Contact", models.Contact.partner_id, "People at the partner.")
    installs: Any = to_many(
        "schema.installs.Install", models.Install.partner_id, "Our products at the partner.", requires="install:read"
    )
    subscriptions: Any = to_many(
        "schema.billing.Subscription",
        models.Subscription.partner_id,
        "Subscriptions, past ones too.",
        requires="subscription:read",
    )
    invoices: Any = to_many(
        "schema.billing.Invoice", models.Invoice.partner_id, "Bills to the partner.", requires="invoice:read"
    )
    payments: Any = to_many(
        "schema.payments.Payment", models.Payment.partner_id, "Payments of the partner.", requires="payment:read"
    )
    contracts: Any = to_many(
        "schema.partner_card.PartnerContract",
        models.PartnerContract.partner_id,
        "Contracts with the partner.",
        requires="partner_contract:read",
    )
    documents: Any = to_many(
        "schema.partner_documents.PartnerDocument",
        models.PartnerDocument.partner_id,
        "Files and links that belong to the partner.",
        requires="partner_document:read",
    )
    notes: Any = to_many(
        "schema.partner_card.PartnerNote",
        models.PartnerNote.partner_id,
        "What we wrote about the partner.",
        requires="partner_note:read",
    )
    status_changes: Any = to_many(
        "schema.partner_card.PartnerStatusChange", models.PartnerStatusChange.partner_id, "History of the standing."
    )
    activity: Any = to_one(
        "schema.activity.PartnerActivity",
        models.PartnerActivity.partner_id,
        "How the partner uses our products; null before the first install.",
        requires="activity:read",
        optional=True,
    )
    onboardings: Any = to_many(
        "schema.onboarding.Onboarding",
        models.Onboarding.partner_id,
        "How far the installs are with their setting up.",
        requires="onboarding:read",
    )
    timeline: Any = merged(
        "schema.timeline.TimelineEntry",
        "All that happened at the partner, newest first; kinds that the caller may not read are left out (PAR-4).",
        link="partner_id",
        moment="happened_at",
    )
    next_payment_at: Any = sql(
        "SELECT min(s.ends_at) FROM subscriptions s WHERE s.partner_id = {row}.id AND s.status = 'ACTIVE' "
        "AND s.paused_at IS NULL AND NOT s.cancel_at_period_end",
        DateTime | None,
        "datetime",
        "When the next renewal of the partner is due.",
        requires="subscription:read",
    )
    install_count: Any = sql(
        "SELECT count(*)::int FROM installs i WHERE i.partner_id = {row}.id AND i.status <> 'DISABLED'",
        int,
        "int",
        "Products installed at the partner.",
        requires="install:read",
    )
    user_count: Any = sql(
        "SELECT count(*)::int FROM users u WHERE u.partner_id = {row}.id AND u.status = 'ACTIVE'",
        int,
        "int",
        "Users of the partner who may sign in.",
        requires="user:read",
    )
    wallets: Any = to_many(
        "schema.wallets.Wallet", models.Wallet.partner_id, "Prepaid coins of the installs.", requires="wallet:read"
    )


ContactFilter = filter_input(
    "Contact",
    {
        "partner_id": equals(models.Contact.partner_id, "Only of this partner.", id_of="Partner"),
        "is_primary": equals(models.Contact.is_primary, "Only primary contacts, or only the others."),
        "created_from": at_least(models.Contact.created_at, "Added at this moment or later."),
        "created_before": before(models.Contact.created_at, "Added before this moment."),
    },
)
ContactOrder = order_input("Contact", {"CREATED_AT": models.Contact.created_at})


@bound(models.Contact, requires="partner:read", description="A person at a partner (PAR-1).")
class Contact(Node):
    """A person at a partner."""

    full_name: str = column(models.Contact.full_name, "Full name.", requires=PARTNER_PII)
    email: Any = column(models.Contact.email, "Email address.", requires=PARTNER_PII)
    phone: Any = column(models.Contact.phone, "Phone number.", requires=PARTNER_PII)
    position: Any = column(models.Contact.position, "What the person does there.")
    amocrm_user_id: Any = column(
        models.Contact.amocrm_user_id, "Number as a user of amoCRM; null for who did not come from there."
    )
    is_primary: bool = column(models.Contact.is_primary, "Whether to turn to this person first.")
    version: int = column(models.Contact.version, "Version to send back with a change.")
    created_at: Any = column(models.Contact.created_at, "When the contact was added.")
    updated_at: Any = column(models.Contact.updated_at, "When the contact was last changed.")
    partner: Any = to_one("schema.partners.Partner", models.Contact.partner_id, "The partner.")


@strawberry.input(description="A new partner.")
class PartnerCreateInput(KeyedInput):
    """A new partner."""

    name: str = strawberry.field(description="Name in daily use.")
    legal_name: str | None = strawberry.field(default=strawberry.UNSET, description="Name in contracts and invoices.")
    inn: str | None = strawberry.field(
        default=strawberry.UNSET, description="Russian taxpayer number; its check digits are checked."
    )
    kpp: str | None = strawberry.field(default=strawberry.UNSET, description="Russian tax registration code.")
    ogrn: str | None = strawberry.field(
        default=strawberry.UNSET, description="Number in the Russian state register; its check digit is checked."
    )
    segment: str | None = strawberry.field(default=strawberry.UNSET, description="Our own grouping of partners.")
    deployment: DeploymentType | None = strawberry.field(
        default=strawberry.UNSET, description="Where the partner runs our software; SAAS unless told."
    )
    connected_at: DateTime | None = strawberry.field(
        default=strawberry.UNSET, description="When the partner began to work with us."
    )
    branch_count: int | None = strawberry.field(
        default=strawberry.UNSET, description="How many branches the partner has."
    )
    account_manager_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="Who of us looks after them, id of a User."
    )
    amocrm_account_id: BigInt | None = strawberry.field(
        default=strawberry.UNSET, description="Account at amoCRM; one card an account."
    )
    amocrm_domain: str | None = strawberry.field(default=strawberry.UNSET, description="Domain at amoCRM.")


@strawberry.input(description="Changes of a partner; what is left out stays as it is.")
class PartnerUpdateInput(KeyedInput):
    """Changes of a partner."""

    id: strawberry.ID = strawberry.field(description="The partner.")
    version: int = strawberry.field(description="The version that was read; another one is a conflict.")
    name: str | None = strawberry.field(default=strawberry.UNSET, description="Name in daily use.")
    status: PartnerStatus | None = strawberry.field(default=strawberry.UNSET, description="Standing with us.")
    status_reason: str | None = strawberry.field(
        default=strawberry.UNSET, description="Why; required for a standing other than ACTIVE."
    )
    legal_name: str | None = strawberry.field(default=strawberry.UNSET, description="Name in contracts and invoices.")
    inn: str | None = strawberry.field(
        default=strawberry.UNSET, description="Russian taxpayer number; its check digits are checked."
    )
    kpp: str | None = strawberry.field(default=strawberry.UNSET, description="Russian tax registration code.")
    ogrn: str | None = strawberry.field(
        default=strawberry.UNSET, description="Number in the Russian state register; its check digit is checked."
    )
    segment: str | None = strawberry.field(default=strawberry.UNSET, description="Our own grouping of partners.")
    deployment: DeploymentType | None = strawberry.field(
        default=strawberry.UNSET, description="Where the partner runs our software."
    )
    connected_at: DateTime | None = strawberry.field(
        default=strawberry.UNSET, description="When the partner began to work with us."
    )
    branch_count: int | None = strawberry.field(
        default=strawberry.UNSET, description="How many branches the partner has."
    )
    account_manager_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="Who of us looks after them, id of a User."
    )
    amocrm_account_id: BigInt | None = strawberry.field(
        default=strawberry.UNSET, description="Account at amoCRM; one card an account."
    )
    amocrm_domain: str | None = strawberry.field(default=strawberry.UNSET, description="Domain at amoCRM.")


@strawberry.input(description="A new person at a partner.")
class ContactCreateInput(KeyedInput):
    """A new person at a partner."""

    partner_id: strawberry.ID = strawberry.field(description="The partner.")
    full_name: str = strawberry.field(description="Full name.")
    email: str | None = strawberry.field(default=strawberry.UNSET, description="Email address.")
    phone: str | None = strawberry.field(default=strawberry.UNSET, description="Phone number.")
    position: str | None = strawberry.field(default=strawberry.UNSET, description="What the person does there.")
    is_primary: bool | None = strawberry.field(
        default=strawberry.UNSET, description="Whether to turn to this person first; takes it from the one before."
    )


@strawberry.input(description="Changes of a contact; what is left out stays as it is.")
class ContactUpdateInput(KeyedInput):
    """Changes of a contact."""

    id: strawberry.ID = strawberry.field(description="The contact.")
    version: int = strawberry.field(description="The version that was read; another one is a conflict.")
    full_name: str | None = strawberry.field(default=strawberry.UNSET, description="Full name.")
    email: str | None = strawberry.field(default=strawberry.UNSET, description="Email address.")
    phone: str | None = strawberry.field(default=strawberry.UNSET, description="Phone number.")
    position: str | None = strawberry.field(default=strawberry.UNSET, description="What the person does there.")
    is_primary: bool | None = strawberry.field(
        default=strawberry.UNSET, description="Whether to turn to this person first; takes it from the one before."
    )


@strawberry.input(description="A contact to delete.")
class ContactDeleteInput(KeyedInput):
    """A contact to delete."""

    id: strawberry.ID = strawberry.field(description="The contact.")
    version: int = strawberry.field(description="The version that was read; another one is a conflict.")


@plain(requires="", description="A partner after the change.")
class PartnerPayload(Payload):
    """A partner after the change."""

    partner: Any = object_value("schema.partners.Partner", "The partner; null where there are user errors.")


@strawberry.input(description="Partners that get another account manager.")
class PartnerAssignManagerInput(KeyedInput):
    """Partners that get another account manager."""

    ids: list[strawberry.ID] = strawberry.field(description="The partners, 1 to 1000.")
    account_manager_id: strawberry.ID | None = strawberry.field(
        description="Who of us looks after them from now on, id of a User; null for nobody."
    )


@plain(requires="partner:write", description="What became of one partner.")
class PartnerAssignManagerResult:
    """What became of one partner."""

    partner_id: strawberry.ID = value("The partner that was named.")
    changed: bool = value("Whether its account manager is another now.")
    code: str | None = value("Why nothing was done, such as `NOT_FOUND`; null where all is well.")


@plain(requires="", description="What became of each partner.")
class PartnerAssignManagerPayload(Payload):
    """What became of each partner."""

    results: list[PartnerAssignManagerResult] | None = value(
        "One a partner, in the order in which they were named; null where there are user errors."
    )


@plain(requires="", description="A contact after the change.")
class ContactPayload(Payload):
    """A contact after the change."""

    contact: Any = object_value("schema.partners.Contact", "The contact; null where there are user errors.")


@plain(requires="", description="What deleting a contact answers.")
class ContactDeletePayload(Payload):
    """What deleting a contact answers."""
