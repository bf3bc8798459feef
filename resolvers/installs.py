"""Doors to installs (INS-1, INS-3)."""

from __future__ import annotations

from typing import Any

import strawberry

from resolvers.inputs import key_of, optional_key
from resolvers.mutation import MutationContext, mutation
from schema.installs import (
    InstallActivateInput,
    InstallCreateInput,
    InstallDisableInput,
    InstallPayload,
    OAuthTokenRefreshInput,
    OAuthTokenRefreshPayload,
    OAuthTokensRefreshAllInput,
    OAuthTokensRefreshAllPayload,
)
from services import amocrm, installs


async def install_create(context: MutationContext, input: InstallCreateInput) -> dict[str, Any]:
    """Install a product at a partner; a disabled install comes back, waiting for activation (INS-1)."""
    tokens = input.tokens
    install = await installs.create(
        context.session,
        context.actor,
        partner_id=key_of(input.partner_id, "Partner", "partnerId"),
        product_id=key_of(input.product_id, "Product", "productId"),
        contact_id=optional_key(input.contact_id, "Contact", "contactId"),
        tokens=None
        if tokens is None
        else installs.TokenPair(tokens.access_token, tokens.refresh_token, tokens.expires_at),
    )
    return {"install": install.id}


async def install_activate(context: MutationContext, input: InstallActivateInput) -> dict[str, Any]:
    """Activate an install: its trial, its wallet with the welcome bonus, and the event; twice is once (INS-3)."""
    install = await installs.activate(context.session, context.actor, install_id=key_of(input.id, "Install", "id"))
    return {"install": install.id}


async def install_disable(context: MutationContext, input: InstallDisableInput) -> dict[str, Any]:
    """Record that a product was uninstalled; its balance and history stay (INS-1)."""
    install = await installs.disable(context.session, context.actor, install_id=key_of(input.id, "Install", "id"))
    return {"install": install.id}


async def oauth_token_refresh(context: MutationContext, input: OAuthTokenRefreshInput) -> dict[str, Any]:
    """Have the tokens of an install at the CRM replaced now, whatever their life (INS-4)."""
    token = await amocrm.request_refresh(
        context.session, context.actor, install_id=key_of(input.install_id, "Install", "installId")
    )
    return {"oauth_token": token.id}


async def oauth_tokens_refresh_all(context: MutationContext, input: OAuthTokensRefreshAllInput) -> dict[str, Any]:
    """Have the tokens of all installs at the CRM replaced now (INS-4)."""
    return {"asked": await amocrm.request_refresh_of_all(context.session, context.actor)}


@strawberry.type(description="Mutations of installs.")
class InstallMutations:
    """Mutations of installs."""

    install_create: Any = mutation(install_create, InstallPayload, requires="install:write")
    install_activate: Any = mutation(install_activate, InstallPayload, requires="install:activate")
    install_disable: Any = mutation(install_disable, InstallPayload, requires="install:write")
    oauth_token_refresh: Any = mutation(oauth_token_refresh, OAuthTokenRefreshPayload, requires="oauth_token:refresh")
    oauth_tokens_refresh_all: Any = mutation(
        oauth_tokens_refresh_all, OAuthTokensRefreshAllPayload, requires="oauth_token:refresh"
    )
