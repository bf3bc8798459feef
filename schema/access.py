"""Users, roles, sessions, tokens and the trails they leave, as the outside sees them (ACC-1, ACC-2, ACC-5…7)."""

from __future__ import annotations

from typing import Any

import models
from planner import scalars
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
    order_input,
    sql,
    to_many,
    to_one,
)
from schema.allowed_actions import USER_PERMISSIONS, user_allowed_actions

UserFilter = filter_input(
    "User",
    {
        "kind": any_of(models.User.kind, "Only users of these kinds."),
        "status": any_of(models.User.status, "Only users in these states."),
        "partner_id": equals(models.User.partner_id, "Only users of this partner.", id_of="Partner"),
        "email": equals(models.User.email, "Only the user with this email address.", requires="user:pii"),
        "role_id": meets(
            "EXISTS (SELECT FROM user_roles ur WHERE ur.user_id = {row}.id AND ur.role_id = {value})",
            models.UserRole.role_id,
            "Only users who have this role.",
            id_of="Role",
            requires="role:read",
        ),
    },
)
UserOrder = order_input("User")


@bound(models.User, requires="user:read", description="A person who signs in: one of ours, or a partner's (ACC-1).")
class User(Node):
    """A person who signs in."""

    kind: Any = column(models.User.kind, "Whose person it is.")
    status: Any = column(models.User.status, "Whether signing in is allowed.")
    email: Any = column(models.User.email, "Email address, lower case.", requires="user:pii")
    full_name: Any = column(models.User.full_name, "Full name.", requires="user:pii")
    locale: Any = column(models.User.locale, "Language of messages, `ru` or `en`.")
    second_factor_since: Any = sql(
        "(SELECT totp_factors.confirmed_at FROM totp_factors WHERE totp_factors.user_id = {row}.id)",
        scalars.DateTime | None,
        "datetime",
        "Since when a second factor is asked for at sign-in; null without one.",
    )
    password_set_at: Any = column(
        models.User.password_set_at, "When the password was last set; null for who was invited and has not come yet."
    )
    locked_until: Any = column(models.User.locked_until, "End of the lock after failed sign-ins.")
    last_sign_in_at: Any = column(models.User.last_sign_in_at, "Last successful sign-in.")
    created_at: Any = column(models.User.created_at, "When the account was made.")
    updated_at: Any = column(models.User.updated_at, "When the account was last changed.")
    partner: Any = to_one("schema.partners.Partner", models.User.partner_id, "Whose user it is, for partner users.")
    role_names: Any = sql(
        "ARRAY(SELECT roles.name FROM user_roles JOIN roles ON roles.id = user_roles.role_id "
        "WHERE user_roles.user_id = {row}.id ORDER BY roles.name)",
        list[str],
        "list",
        "Names of the user's roles.",
        requires="role:read",
    )
    direct_permissions: Any = sql(
        "ARRAY(SELECT permission FROM user_permissions WHERE user_permissions.user_id = {row}.id "
        "AND user_permissions.partner_id IS NOT DISTINCT FROM {row}.partner_id ORDER BY permission)",
        list[str],
        "list",
        "Permissions given to the user beside the roles.",
        requires="role:read",
    )
    permissions: Any = sql(
        USER_PERMISSIONS,
        list[str],
        "list",
        "All that the user may do, by roles and directly.",
        requires="role:read",
    )
    version: Any = column(models.User.version, "Counts changes of the account; goes into inputs that change it.")
    sessions: Any = to_many("schema.access.Session", models.Session.user_id, "Sign-ins.", requires="session:read")
    allowed_actions: Any = user_allowed_actions()


RoleFilter = filter_input(
    "Role",
    {
        "name": equals(models.Role.name, "Only the role with this name."),
        "kind": any_of(models.Role.kind, "Only roles for these people."),
    },
)
RoleOrder = order_input("Role", {"NAME": models.Role.name})


@bound(models.Role, requires="role:read", description="A named set of permissions (ACC-2).")
class Role(Node):
    """A named set of permissions."""

    name: Any = column(models.Role.name, "Unique name.")
    description: Any = column(models.Role.description, "What the role is for.")
    kind: Any = column(models.Role.kind, "Whom it is for: our own people, or partners' users.")
    built_in: Any = column(models.Role.built_in, "Whether it comes with the product, and cannot be changed.")
    totp_required: Any = column(models.Role.totp_required, "Whether its users must have a second factor.")
    permissions: Any = sql(
        "ARRAY(SELECT permission FROM role_permissions WHERE role_permissions.role_id = {row}.id ORDER BY permission)",
        list[str],
        "list",
        "Permissions that the role gives.",
    )
    user_count: Any = sql(
        "(SELECT count(*) FROM user_roles WHERE user_roles.role_id = {row}.id AND {held})::integer",
        int,
        "int",
        "How many users have it, as far as one may see them.",
        over=models.UserRole,
    )
    version: Any = column(models.Role.version, "Counts changes; goes into `roleUpdate`.")
    updated_at: Any = column(models.Role.updated_at, "When it was last changed.")


PermissionFilter = filter_input("Permission", {"name": equals(models.Permission.name, "Only this permission.")})
PermissionOrder = order_input("Permission", {"NAME": models.Permission.name})


@bound(models.Permission, requires="role:read", description="A permission of the vocabulary (ACC-3).")
class Permission(Node):
    """A permission of the vocabulary."""

    name: Any = column(models.Permission.name, "`noun:verb`.")
    description: Any = column(models.Permission.description, "What it allows.")


SessionFilter = filter_input(
    "Session", {"user_id": equals(models.Session.user_id, "Only sessions of this user.", id_of="User")}
)
SessionOrder = order_input("Session", {"LAST_USED_AT": models.Session.last_used_at})


@bound(models.Session, requires="session:read", description="One sign-in (ACC-1).")
class Session(Node):
    """One sign-in."""

    kind: Any = column(models.Session.kind, "Token or browser cookie.")
    method: Any = column(models.Session.method, "How the user proved who it is.")
    second_factor: Any = column(models.Session.second_factor, "Whether a second factor was shown too.")
    expires_at: Any = column(models.Session.expires_at, "When it ends by itself.")
    last_used_at: Any = column(models.Session.last_used_at, "When it was last renewed.")
    revoked_at: Any = column(models.Session.revoked_at, "When it was ended.")
    revoked_reason: Any = column(models.Session.revoked_reason, "Why it was ended.")
    ip: Any = column(models.Session.ip, "Address it was begun from.", requires="user:pii")
    user_agent: Any = column(models.Session.user_agent, "Program it was begun with.")
    created_at: Any = column(models.Session.created_at, "When it was begun.")
    user: Any = to_one("schema.access.User", models.Session.user_id, "Whose sign-in it is.", requires="user:read")


ApiTokenFilter = filter_input(
    "ApiToken", {"user_id": equals(models.ApiToken.user_id, "Only tokens of this user.", id_of="User")}
)
ApiTokenOrder = order_input("ApiToken", {"EXPIRES_AT": models.ApiToken.expires_at})


@bound(models.ApiToken, requires="api_token:read", description="A token for scripts; kept hashed (ACC-7).")
class ApiToken(Node):
    """A token for scripts."""

    name: Any = column(models.ApiToken.name, "Name given by its owner.")
    hint: Any = column(models.ApiToken.hint, "Its last characters.")
    permissions: Any = column(models.ApiToken.permissions, "What it may do, at most what its owner may.")
    expires_at: Any = column(models.ApiToken.expires_at, "When it ends.")
    last_used_at: Any = column(models.ApiToken.last_used_at, "When it was last used, to the minute.")
    revoked_at: Any = column(models.ApiToken.revoked_at, "When it was revoked.")
    created_at: Any = column(models.ApiToken.created_at, "When it was made.")
    user: Any = to_one("schema.access.User", models.ApiToken.user_id, "Its owner.", requires="user:read")


AuditEventFilter = filter_input(
    "AuditEvent",
    {
        "partner_id": equals(models.AuditEvent.partner_id, "Only changes that concern this partner.", id_of="Partner"),
        "actor_user_id": equals(models.AuditEvent.actor_user_id, "Only changes by this user.", id_of="User"),
        "action": any_of(models.AuditEvent.action, "Only these actions."),
        "entity_type": equals(models.AuditEvent.entity_type, "Only changes of this kind of object."),
        "entity_id": equals(models.AuditEvent.entity_id, "Only changes of the object with this number."),
        "created_from": at_least(models.AuditEvent.created_at, "Only changes at this moment or later."),
        "created_before": before(models.AuditEvent.created_at, "Only changes before this moment."),
    },
)
AuditEventOrder = order_input("AuditEvent", {"CREATED_AT": models.AuditEvent.created_at})


@bound(models.AuditEvent, requires="audit:read", description="One change, never altered (ACC-6).")
class AuditEvent(Node):
    """One change."""

    actor: Any = column(models.AuditEvent.actor, "Who did it, without personal data.")
    actor_roles: Any = column(models.AuditEvent.actor_roles, "Roles of the actor at that time.")
    action: Any = column(models.AuditEvent.action, "What was done.")
    entity_type: Any = column(models.AuditEvent.entity_type, "Kind of the object.")
    entity_id: Any = column(models.AuditEvent.entity_id, "Number of the object.")
    request_id: Any = column(models.AuditEvent.request_id, "Request in which it happened.")
    ip: Any = column(models.AuditEvent.ip, "Address it came from.", requires="user:pii")
    before: Any = column(models.AuditEvent.before, "What it was; secrets and personal data masked.")
    after: Any = column(models.AuditEvent.after, "What it became; secrets and personal data masked.")
    created_at: Any = column(models.AuditEvent.created_at, "When.")
    actor_user: Any = to_one(
        "schema.access.User", models.AuditEvent.actor_user_id, "The user who did it.", requires="user:read"
    )
    partner: Any = to_one("schema.partners.Partner", models.AuditEvent.partner_id, "The partner it concerns.")
