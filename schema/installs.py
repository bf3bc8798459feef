"""Installs and the state of their OAuth tokens as the API shows them (INS-1)."""

from __future__ import annotations

from typing import Any

import strawberry

import models
from planner.binding import (
    Node,
    any_of,
    at_least,
    before,
    bound,
    column,
    equals,
    filter_input,
    meets,
    object_value,
    order_input,
    plain,
    to_many,
    to_one,
    value,
)
from planner.scalars import DateTime
from schema.allowed_actions import install_allowed_actions
from schema.payload import KeyedInput, Payload

LIVE = "{row}.status IN ('TRIAL', 'ACTIVE', 'PAST_DUE')"

InstallFilter = filter_input(
    "Install",
    {
        "partner_id": equals(models.Install.partner_id, "Only of this partner.", id_of="Partner"),
        "product_id": equals(models.Install.product_id, "Only of this product.", id_of="Product"),
        "status": any_of(models.Install.status, "Only these states."),
        "subscription_kind": any_of(models.Install.subscription_kind, "Only those living on this."),
        "created_from": at_least(models.Install.created_at, "Installed at this moment or later."),
        "created_before": before(models.Install.created_at, "Installed before this moment."),
        "subscribed_from": meets(
            "{row}.subscribed_until_or_epoch >= {value} AND {row}.subscribed_until IS NOT NULL",
            models.Install.subscribed_until,
            "Subscribed until this moment or later.",
        ),
        "subscribed_before": meets(
            "{row}.subscribed_until_or_epoch < {value} AND {row}.subscribed_until IS NOT NULL",
            models.Install.subscribed_until,
            "Subscribed until before this moment.",
        ),
    },
)
InstallOrder = order_input(
    "Install", {"CREATED_AT": models.Install.created_at, "SUBSCRIBED_UNTIL": models.Install.subscribed_until_or_epoch}
)


@bound(models.Install, requires="install:read", description="One product at one partner (INS-1).")
class Install(Node):
    """One product at one partner."""

    status: Any = column(models.Install.status, "State of the install.")
    subscription_kind: Any = column(models.Install.subscription_kind, "What the install lives on now.")
    subscribed_until: Any = column(models.Install.subscribed_until, "End of the trial or of the paid period.")
    activated_at: Any = column(models.Install.activated_at, "When it was activated.")
    disabled_at: Any = column(models.Install.disabled_at, "When it was uninstalled.")
    allowed_actions: Any = install_allowed_actions()
    created_at: Any = column(models.Install.created_at, "When it was installed.")
    updated_at: Any = column(models.Install.updated_at, "When it last changed.")
    partner: Any = to_one("schema.partners.Partner", models.Install.partner_id, "Whose it is.", requires="partner:read")
    product: Any = to_one(
        "schema.catalog.Product", models.Install.product_id, "What is installed.", requires="product:read"
    )
    installed_by: Any = to_one(
        "schema.partners.Contact",
        models.Install.installed_by_contact_id,
        "Who installed it.",
        requires="partner:read",
    )
    wallet: Any = to_one(
        "schema.wallets.Wallet",
        models.Wallet.install_id,
        "Prepaid coins; null before activation and for products without a wallet.",
        requires="wallet:read",
        optional=True,
    )
    subscription: Any = to_one(
        "schema.billing.Subscription",
        models.Subscription.install_id,
        "The live subscription, trial included; null where there is none.",
        requires="subscription:read",
        optional=True,
        only=LIVE,
    )
    subscriptions: Any = to_many(
        "schema.billing.Subscription",
        models.Subscription.install_id,
        "Subscriptions, past ones too.",
        requires="subscription:read",
    )
    invoices: Any = to_many(
        "schema.billing.Invoice", models.Invoice.install_id, "Bills for this install.", requires="invoice:read"
    )
    onboarding: Any = to_one(
        "schema.onboarding.Onboarding",
        models.Onboarding.install_id,
        "How far it is with its setting up; null where the product has no steps.",
        requires="onboarding:read",
        optional=True,
    )
    oauth_tokens: Any = to_many(
        "schema.installs.OAuthToken",
        models.OAuthToken.install_id,
        "State of its tokens at the CRM.",
        requires="oauth_token:read",
    )
    events: Any = to_many(
        "schema.effects.ProductEvent",
        models.ProductEvent.install_id,
        "What the product was told.",
        requires="event:read",
    )


OAuthTokenFilter = filter_input(
    "OAuthToken",
    {
        "partner_id": equals(models.OAuthToken.partner_id, "Only of this partner.", id_of="Partner"),
        "install_id": equals(models.OAuthToken.install_id, "Only of this install.", id_of="Install"),
        "active": equals(models.OAuthToken.active, "Only tokens in use, or only retired ones."),
        "authorization_lost": equals(
            models.OAuthToken.authorization_lost, "Only installs that must be installed again, or only others."
        ),
        "expires_before": before(models.OAuthToken.expires_at, "Expiring before this moment."),
    },
)
OAuthTokenOrder = order_input("OAuthToken")


@bound(
    models.OAuthToken,
    requires="oauth_token:read",
    description="State of a pair of OAuth tokens of an install; the tokens themselves are never read (INS-4).",
)
class OAuthToken(Node):
    """State of a pair of OAuth tokens."""

    active: bool = column(models.OAuthToken.active, "Whether the pair is in use.")
    expires_at: Any = column(models.OAuthToken.expires_at, "When the access token ends.")
    refreshed_at: Any = column(models.OAuthToken.refreshed_at, "When it was last refreshed; null if never.")
    invalid_because: Any = column(
        models.OAuthToken.invalid_because,
        "Why the CRM takes it no more, so that the widget must be installed again; null while it is good.",
    )
    authorization_lost: bool = column(
        models.OAuthToken.authorization_lost, "Whether the pair in use was refused: the widget must be installed again."
    )
    created_at: Any = column(models.OAuthToken.created_at, "When the pair was stored.")
    updated_at: Any = column(models.OAuthToken.updated_at, "When the pair was last changed.")
    install: Any = to_one(
        "schema.installs.Install", models.OAuthToken.install_id, "The install.", requires="install:read"
    )
    partner: Any = to_one(
        "schema.partners.Partner", models.OAuthToken.partner_id, "Whose it is.", requires="partner:read"
    )
    manager: Any = to_one(
        "schema.partners.Contact",
        models.OAuthToken.manager_contact_id,
        "The CRM's user who gave the leave.",
        requires="partner:read",
    )


@strawberry.input(description="OAuth tokens that an installation at the CRM gave.")
class OAuthTokenInput:
    """OAuth tokens that an installation at the CRM gave."""

    access_token: str = strawberry.field(description="The access token; kept encrypted, never read back.")
    refresh_token: str = strawberry.field(description="The refresh token; kept encrypted, never read back.")
    expires_at: DateTime = strawberry.field(description="When the access token ends.")


@strawberry.input(description="A product to install at a partner.")
class InstallCreateInput(KeyedInput):
    """A product to install at a partner."""

    partner_id: strawberry.ID = strawberry.field(description="The partner.")
    product_id: strawberry.ID = strawberry.field(description="The product.")
    contact_id: strawberry.ID | None = strawberry.field(
        default=None, description="Who installs it, a contact of the partner."
    )
    tokens: OAuthTokenInput | None = strawberry.field(
        default=None, description="Tokens at the CRM; a widget needs them to be activated."
    )


@strawberry.input(description="An install to activate.")
class InstallActivateInput(KeyedInput):
    """An install to activate."""

    id: strawberry.ID = strawberry.field(description="The install.")


@strawberry.input(description="An install to disable.")
class InstallDisableInput(KeyedInput):
    """An install to disable."""

    id: strawberry.ID = strawberry.field(description="The install.")


@strawberry.input(description="An install whose tokens are to be replaced.")
class OAuthTokenRefreshInput(KeyedInput):
    """An install whose tokens are to be replaced."""

    install_id: strawberry.ID = strawberry.field(description="The install.")


@strawberry.input(description="All installs' tokens are to be replaced.")
class OAuthTokensRefreshAllInput(KeyedInput):
    """All installs' tokens are to be replaced."""


@plain(requires="", description="A pair of tokens that a worker replaces now.")
class OAuthTokenRefreshPayload(Payload):
    """A pair of tokens that a worker replaces now."""

    oauth_token: Any = object_value("schema.installs.OAuthToken", "The pair as it is; null on user errors.")


@plain(requires="", description="How many pairs of tokens workers replace now.")
class OAuthTokensRefreshAllPayload(Payload):
    """How many pairs of tokens workers replace now."""

    asked: int | None = value("Refreshes on the way; null on user errors.")


@plain(requires="", description="An install after the change.")
class InstallPayload(Payload):
    """An install after the change."""

    install: Any = object_value("schema.installs.Install", "The install; null where there are user errors.")
