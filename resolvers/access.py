"""Doors of access: the viewer, signing in and out, API tokens (ACC-1, ACC-7)."""

from __future__ import annotations

from typing import Any

import strawberry

from core.principal import Principal
from domain.access import UserKind
from planner.binding import function_root
from planner.context import RunContext
from policies.permissions import ENROLMENT_ONLY
from policies.roles import PARTNER_PERMISSIONS
from resolvers.inputs import key_of
from resolvers.mutation import MutationContext, ShownOnce, mutation
from schema.signing_in import (
    ApiTokenCreateInput,
    ApiTokenCreatePayload,
    ApiTokenRevokeInput,
    ApiTokenRevokePayload,
    SessionRefreshInput,
    SignInInput,
    SignInPayload,
    SignOutPayload,
    Viewer,
)
from services import access


async def viewer(context: RunContext) -> dict[str, Any] | None:
    """Who asks, and what may be asked; null for callers who have not signed in."""
    return _viewer(context.principal)


def _viewer(principal: Principal) -> dict[str, Any] | None:
    if principal.user_id is None:
        return None
    return {
        "kind": principal.kind,
        "email": principal.email,
        "roles": list(principal.roles),
        "permissions": sorted(principal.permissions),
        "must_enroll_totp": principal.must_enroll,
        "user": principal.user_id,
        "partner": principal.partner_id,
    }


async def sign_in(context: MutationContext, input: SignInInput) -> dict[str, Any]:
    """Start a session with email and password, or begin one that `signInVerify` finishes with a second factor (ACC-1).
    Failures slow down and lock the account for a while."""
    found = await access.sign_in(context.session, email=input.email, password=input.password)
    if isinstance(found, access.Refused):
        return refused(found)
    if isinstance(found, access.Challenge):
        told = {"challenge": ShownOnce(found.token), "challenge_expires_at": found.expires_at}
        return {"totp_required": True, **told}
    return await session_values(context, found)


async def session_refresh(context: MutationContext, input: SessionRefreshInput) -> dict[str, Any]:
    """Exchange a refresh token for new tokens; using one twice ends the session (ACC-1)."""
    found = await access.refresh_session(context.session, refresh_token=input.refresh_token)
    if found is None:
        message = "the refresh token is not valid; sign in again"
        return {
            "user_errors": [{"code": "INVALID_REFRESH_TOKEN", "message": message, "field": ["input", "refreshToken"]}]
        }
    return await session_values(context, found)


def refused(found: access.Refused) -> dict[str, Any]:
    """A refusal told as a value, for the count of failures has to be committed."""
    return {"user_errors": [{"code": found.code, "message": found.message, "field": ["input"]}]}


async def session_values(context: MutationContext, found: access.SignedIn) -> dict[str, Any]:
    """The payload of a session that has begun or was renewed."""
    roles, permissions = await access.permissions_of(context.session, found.user.id)
    own = await access.own_factor(context.session, found.user.id)
    if found.user.kind is UserKind.PARTNER:
        permissions &= PARTNER_PERMISSIONS
    must_enroll = own.required and not found.session.second_factor
    principal = Principal(
        kind="partner" if found.user.kind is UserKind.PARTNER else "staff",
        permissions=ENROLMENT_ONLY if must_enroll else permissions,
        roles=roles,
        user_id=found.user.id,
        email=found.user.email,
        partner_id=found.user.partner_id,
        session_id=found.session.id,
        must_enroll=must_enroll,
    )
    return {
        "totp_required": False,
        "access_token": ShownOnce(found.access_token),
        "refresh_token": ShownOnce(found.refresh_token),
        "expires_at": found.expires_at,
        "viewer": _viewer(principal),
    }


async def sign_out(context: MutationContext) -> dict[str, Any]:
    """End one's own session; its tokens stop within seconds (ACC-1)."""
    await access.sign_out(context.session, context.actor)
    return {}


async def api_token_create(context: MutationContext, input: ApiTokenCreateInput) -> dict[str, Any]:
    """Make an API token for scripts (ACC-7)."""
    token, text = await access.create_api_token(
        context.session,
        context.actor,
        name=input.name,
        permissions=list(input.permissions),
        expires_at=input.expires_at,
    )
    return {"api_token": token.id, "token": ShownOnce(text)}


async def api_token_revoke(context: MutationContext, input: ApiTokenRevokeInput) -> dict[str, Any]:
    """End one of one's own API tokens (ACC-7)."""
    key = key_of(input.api_token_id, "ApiToken", "apiTokenId")
    token = await access.revoke_api_token(context.session, context.actor, api_token_id=key)
    return {"api_token": token.id}


@strawberry.type(description="Queries of access.")
class AccessQueries:
    """Queries of access."""

    viewer: Any = function_root(viewer, Viewer | None, requires="")


@strawberry.type(description="Mutations of access.")
class AccessMutations:
    """Mutations of access."""

    sign_in: Any = mutation(sign_in, SignInPayload, requires="", as_application=True)
    session_refresh: Any = mutation(session_refresh, SignInPayload, requires="", as_application=True)
    sign_out: Any = mutation(sign_out, SignOutPayload, requires="viewer:self")
    api_token_create: Any = mutation(api_token_create, ApiTokenCreatePayload, requires="api_token:write")
    api_token_revoke: Any = mutation(api_token_revoke, ApiTokenRevokePayload, requires="api_token:write")
