"""Doors of users and roles: inviting, changing, granting, blocking, passwords and sessions (ACC-1, ACC-2, ACC-7)."""

from __future__ import annotations

from typing import Any, cast

import strawberry

from core.database import transaction
from core.ids import encode_id
from planner.binding import function_root
from planner.context import RunContext
from planner.scalars import write_datetime
from resolvers.inputs import given, key_of, optional_key
from resolvers.mutation import MutationContext, mutation
from schema.signing_in import ApiTokenRevokeInput, ApiTokenRevokePayload
from schema.user_inputs import (
    OwnSession,
    OwnSessionsPayload,
    PasswordChangeInput,
    PasswordPayload,
    PasswordResetInput,
    PasswordResetRequestInput,
    RoleCreateInput,
    RoleDeleteInput,
    RoleDeletePayload,
    RolePayload,
    RoleUpdateInput,
    SessionPayload,
    SessionRevokeInput,
    UserAccessUpdateInput,
    UserInput,
    UserInviteInput,
    UserPayload,
    UserUpdateInput,
    ViewerUpdateInput,
)
from services import access


async def own_sessions(context: RunContext) -> list[dict[str, Any]]:
    """One's own sign-ins that have not ended, the last used first (ACC-1)."""
    async with transaction(context.principal) as session:
        found = await access.own_sessions(session, context.principal)
    return [
        {
            "id": encode_id("Session", own.id),
            "kind": own.kind,
            "current": own.id == context.principal.session_id,
            "ip": own.ip,
            "user_agent": own.user_agent,
            "created_at": write_datetime(own.created_at),
            "last_used_at": write_datetime(own.last_used_at),
            "expires_at": write_datetime(own.expires_at),
        }
        for own in found
    ]


async def user_invite(context: MutationContext, input: UserInviteInput) -> dict[str, Any]:
    """Make a user, ours or a partner's, and mail a link to set a password, good once within 7 days (ACC-1, ACC-2)."""
    values = given(input, nullable=frozenset({"partner_id"}))
    user = await access.invite_user(
        context.session,
        context.actor,
        values=cast(access.UserValues, {name: values[name] for name in _PROFILE if name in values}),
        partner_id=optional_key(input.partner_id, "Partner", "partnerId"),
        role_ids=[key_of(role, "Role", "roleIds") for role in input.role_ids],
        permissions=input.permissions,
    )
    return {"user": user.id}


async def user_update(context: MutationContext, input: UserUpdateInput) -> dict[str, Any]:
    """Change a user's name, email or language (ACC-1)."""
    values = given(input)
    user = await access.update_user(
        context.session,
        context.actor,
        user_id=key_of(values.pop("user_id"), "User", "userId"),
        version=input.version,
        values=cast(access.UserValues, values),
    )
    return {"user": user.id}


async def viewer_update(context: MutationContext, input: ViewerUpdateInput) -> dict[str, Any]:
    """Change one's own name or language (ACC-1)."""
    values = cast(access.UserValues, given(input))
    user = await access.update_own_profile(context.session, context.actor, values=values)
    return {"user": user.id}


async def user_access_update(context: MutationContext, input: UserAccessUpdateInput) -> dict[str, Any]:
    """Replace a user's roles and direct permissions; in force within seconds. Nobody grants what they lack (ACC-2)."""
    roles = input.role_ids
    user = await access.update_access(
        context.session,
        context.actor,
        user_id=key_of(input.user_id, "User", "userId"),
        version=input.version,
        role_ids=None if roles is None else [key_of(role, "Role", "roleIds") for role in roles],
        permissions=input.permissions,
    )
    return {"user": user.id}


async def user_block(context: MutationContext, input: UserInput) -> dict[str, Any]:
    """Block a user and end all of the user's sessions at once; API tokens stop too (ACC-1)."""
    key = key_of(input.user_id, "User", "userId")
    return {"user": (await access.block_user(context.session, context.actor, user_id=key)).id}


async def user_unblock(context: MutationContext, input: UserInput) -> dict[str, Any]:
    """Let a blocked user sign in again (ACC-1)."""
    key = key_of(input.user_id, "User", "userId")
    return {"user": (await access.unblock_user(context.session, context.actor, user_id=key)).id}


async def user_password_link_send(context: MutationContext, input: UserInput) -> dict[str, Any]:
    """Mail a user a link to set a new password, or the invitation again; links before it stop working (ACC-1)."""
    key = key_of(input.user_id, "User", "userId")
    return {"user": (await access.send_password_link(context.session, context.actor, user_id=key)).id}


async def user_sign_out(context: MutationContext, input: UserInput) -> dict[str, Any]:
    """End all sessions of a user at once; the user may sign in again, and API tokens stay (ACC-1)."""
    key = key_of(input.user_id, "User", "userId")
    return {"user": (await access.sign_out_user(context.session, context.actor, user_id=key)).id}


async def user_session_revoke(context: MutationContext, input: SessionRevokeInput) -> dict[str, Any]:
    """End one session of any user (ACC-1)."""
    key = key_of(input.session_id, "Session", "sessionId")
    return {"session": (await access.end_session_of_user(context.session, context.actor, session_id=key)).id}


async def user_api_token_revoke(context: MutationContext, input: ApiTokenRevokeInput) -> dict[str, Any]:
    """End an API token of any user (ACC-7)."""
    key = key_of(input.api_token_id, "ApiToken", "apiTokenId")
    return {"api_token": (await access.revoke_token_of_user(context.session, context.actor, api_token_id=key)).id}


async def session_revoke(context: MutationContext, input: SessionRevokeInput) -> dict[str, Any]:
    """End one of one's own sessions (ACC-1)."""
    key = key_of(input.session_id, "Session", "sessionId")
    await access.end_own_session(context.session, context.actor, session_id=key)
    return {"ended": 1}


async def sign_out_others(context: MutationContext) -> dict[str, Any]:
    """End all of one's own sessions but this one (ACC-1)."""
    return {"ended": await access.end_own_other_sessions(context.session, context.actor)}


async def password_reset_request(context: MutationContext, input: PasswordResetRequestInput) -> dict[str, Any]:
    """Have a link to set a new password mailed; the answer tells nothing of whether there is such a user (ACC-1)."""
    await access.request_password_reset(context.session, email=input.email)
    return {}


async def password_reset(context: MutationContext, input: PasswordResetInput) -> dict[str, Any]:
    """Set a password by the link of a letter, an invitation too; all sessions end (ACC-1)."""
    await access.reset_password(context.session, token=input.token, password=input.password)
    return {}


async def password_change(context: MutationContext, input: PasswordChangeInput) -> dict[str, Any]:
    """Change one's own password; one's other sessions end (ACC-1)."""
    found = await access.change_password(
        context.session, context.actor, current=input.current_password, new=input.new_password
    )
    if isinstance(found, access.Refused):
        # Told as a value, for the count of failures has to be committed.
        path = ["input", "currentPassword"]
        return {"user_errors": [{"code": found.code, "message": found.message, "field": path}]}
    return {}


async def role_create(context: MutationContext, input: RoleCreateInput) -> dict[str, Any]:
    """Make a custom role, from nothing or as a copy; with nothing that one lacks oneself (ACC-2)."""
    role = await access.create_role(
        context.session,
        context.actor,
        kind=input.kind,
        copy_of=optional_key(input.copy_of_id, "Role", "copyOfId"),
        values={"name": input.name, "description": input.description, "permissions": input.permissions},
    )
    return {"role": role.id}


async def role_update(context: MutationContext, input: RoleUpdateInput) -> dict[str, Any]:
    """Change a custom role, and within seconds what all who have it may do (ACC-2)."""
    values = given(input)
    role = await access.update_role(
        context.session,
        context.actor,
        role_id=key_of(values.pop("role_id"), "Role", "roleId"),
        version=input.version,
        values=cast(access.RoleValues, values),
    )
    return {"role": role.id}


async def role_delete(context: MutationContext, input: RoleDeleteInput) -> dict[str, Any]:
    """Delete a custom role that nobody has (ACC-2)."""
    await access.delete_role(context.session, context.actor, role_id=key_of(input.role_id, "Role", "roleId"))
    return {}


_PROFILE = ("email", "full_name", "locale")


@strawberry.type(description="Queries of users.")
class UserQueries:
    """Queries of users."""

    own_sessions: Any = function_root(own_sessions, list[OwnSession], requires="viewer:self")


@strawberry.type(description="Mutations of users and roles.")
class UserMutations:
    """Mutations of users and roles."""

    user_invite: Any = mutation(user_invite, UserPayload, requires="user:invite")
    user_update: Any = mutation(user_update, UserPayload, requires="user:write")
    user_access_update: Any = mutation(user_access_update, UserPayload, requires="user:grant")
    user_block: Any = mutation(user_block, UserPayload, requires="user:block")
    user_unblock: Any = mutation(user_unblock, UserPayload, requires="user:block")
    user_password_link_send: Any = mutation(user_password_link_send, UserPayload, requires="user:password")
    user_sign_out: Any = mutation(user_sign_out, UserPayload, requires="session:revoke")
    user_session_revoke: Any = mutation(user_session_revoke, SessionPayload, requires="session:revoke")
    user_api_token_revoke: Any = mutation(user_api_token_revoke, ApiTokenRevokePayload, requires="api_token:revoke")
    viewer_update: Any = mutation(viewer_update, UserPayload, requires="viewer:self")
    session_revoke: Any = mutation(session_revoke, OwnSessionsPayload, requires="viewer:self")
    sign_out_others: Any = mutation(sign_out_others, OwnSessionsPayload, requires="viewer:self")
    password_change: Any = mutation(password_change, PasswordPayload, requires="viewer:self", as_application=True)
    password_reset: Any = mutation(password_reset, PasswordPayload, requires="", as_application=True)
    password_reset_request: Any = mutation(password_reset_request, PasswordPayload, requires="", as_application=True)
    role_create: Any = mutation(role_create, RolePayload, requires="role:write")
    role_update: Any = mutation(role_update, RolePayload, requires="role:write")
    role_delete: Any = mutation(role_delete, RoleDeletePayload, requires="role:write")
