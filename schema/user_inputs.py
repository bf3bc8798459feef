"""What users and roles are made and changed with, and what that answers (ACC-1, ACC-2, ACC-7)."""

from __future__ import annotations

from typing import Any

import strawberry

from domain.access import SessionKind, UserKind
from planner import scalars
from planner.binding import graphql_enum, object_value, plain, value
from schema.payload import KeyedInput, Payload

for _enum in (SessionKind, UserKind):
    graphql_enum(_enum)

_VERSION = "The version that was read; another one means that somebody changed it since."


@plain(requires="viewer:self", description="One of one's own sign-ins that has not ended (ACC-1).")
class OwnSession:
    """One of one's own sign-ins."""

    id: strawberry.ID = value("Global id, for `sessionRevoke`.")
    kind: SessionKind = value("Token or browser cookie.")
    current: bool = value("Whether it is the one that this call came with.")
    ip: str | None = value("Address it was begun from.")
    user_agent: str | None = value("Program it was begun with.")
    created_at: Any = value("When it was begun.", graphql_type=scalars.DateTime)
    last_used_at: Any = value("When it was last renewed.", graphql_type=scalars.DateTime)
    expires_at: Any = value("When it ends by itself.", graphql_type=scalars.DateTime)


@strawberry.input(description="Somebody to invite.")
class UserInviteInput(KeyedInput):
    """Somebody to invite."""

    email: str = strawberry.field(description="Address that the link goes to, and to sign in with.")
    full_name: str = strawberry.field(description="Name of the person.")
    locale: str | None = strawberry.field(
        default=strawberry.UNSET, description="Language of letters and messages, `ru` or `en`; `en` unless told."
    )
    partner_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="Global id of the partner whose user it will be. Left out, it is one of us; a partner's user "
        "always invites to its own partner.",
    )
    role_ids: list[strawberry.ID] = strawberry.field(
        description="Global ids of roles, at least one, for such users, giving nothing that one lacks oneself."
    )
    permissions: list[str] = strawberry.field(
        default_factory=list, description="Permissions beside the roles, none that one lacks oneself."
    )


@strawberry.input(description="Changes of a user's profile; what is left out stays as it is.")
class UserUpdateInput(KeyedInput):
    """Changes of a user's profile."""

    user_id: strawberry.ID = strawberry.field(description="Global id of the user.")
    version: int = strawberry.field(description=_VERSION)
    email: str | None = strawberry.field(
        default=strawberry.UNSET, description="Address to sign in with; the old one is told of the change."
    )
    full_name: str | None = strawberry.field(default=strawberry.UNSET, description="Name of the person.")
    locale: str | None = strawberry.field(default=strawberry.UNSET, description="Language, `ru` or `en`.")


@strawberry.input(description="Changes of one's own profile; what is left out stays as it is.")
class ViewerUpdateInput(KeyedInput):
    """Changes of one's own profile."""

    full_name: str | None = strawberry.field(default=strawberry.UNSET, description="One's name.")
    locale: str | None = strawberry.field(default=strawberry.UNSET, description="Language, `ru` or `en`.")


@strawberry.input(description="What a user may do from now on; what is left out stays as it is.")
class UserAccessUpdateInput(KeyedInput):
    """What a user may do from now on."""

    user_id: strawberry.ID = strawberry.field(description="Global id of the user.")
    version: int = strawberry.field(description=_VERSION)
    role_ids: list[strawberry.ID] | None = strawberry.field(
        default=None, description="Global ids of all roles that the user has from now on."
    )
    permissions: list[str] | None = strawberry.field(
        default=None, description="All permissions that the user has beside the roles from now on."
    )


@strawberry.input(description="A user.")
class UserInput(KeyedInput):
    """A user."""

    user_id: strawberry.ID = strawberry.field(description="Global id of the user.")


@plain(requires="", description="The user after the change.")
class UserPayload(Payload):
    """The user after the change."""

    user: Any = object_value("schema.access.User", "The user.", requires="user:read")


@strawberry.input(description="Whose password was forgotten.")
class PasswordResetRequestInput:
    """Whose password was forgotten."""

    email: str = strawberry.field(description="Address to sign in with; the answer is the same for unknown ones.")


@strawberry.input(description="A new password, by the link of a letter.")
class PasswordResetInput:
    """A new password, by the link of a letter."""

    token: str = strawberry.field(description="From the link: the parameter `token`; works once.")
    password: str = strawberry.field(description="At least 12 characters, hard to guess, not the email.")


@strawberry.input(description="A new password for oneself.")
class PasswordChangeInput:
    """A new password for oneself."""

    current_password: str = strawberry.field(description="The password until now.")
    new_password: str = strawberry.field(description="At least 12 characters, hard to guess, not the email.")


@plain(requires="", description="What setting a password answers.")
class PasswordPayload(Payload):
    """What setting a password answers."""


@strawberry.input(description="A sign-in to end.")
class SessionRevokeInput(KeyedInput):
    """A sign-in to end."""

    session_id: strawberry.ID = strawberry.field(description="Global id of the session.")


@plain(requires="", description="What ending one's own sessions answers.")
class OwnSessionsPayload(Payload):
    """What ending one's own sessions answers."""

    ended: int | None = value("How many sessions ended.")


@plain(requires="", description="The session that was ended.")
class SessionPayload(Payload):
    """The session that was ended."""

    session: Any = object_value("schema.access.Session", "The session.", requires="session:read")


@strawberry.input(description="A custom role.")
class RoleCreateInput(KeyedInput):
    """A custom role."""

    name: str = strawberry.field(description="Unique name, not in capitals: these are kept for built-in roles.")
    description: str = strawberry.field(description="What the role is for.")
    kind: UserKind | None = strawberry.field(
        default=None, description="Whom it is for; may be left out where a role is copied."
    )
    copy_of_id: strawberry.ID | None = strawberry.field(
        default=None, description="Global id of a role whose permissions it begins with, a built-in one too."
    )
    permissions: list[str] = strawberry.field(
        default_factory=list, description="Permissions, beside those of the copied role; none that one lacks oneself."
    )


@strawberry.input(description="Changes of a custom role; what is left out stays as it is.")
class RoleUpdateInput(KeyedInput):
    """Changes of a custom role."""

    role_id: strawberry.ID = strawberry.field(description="Global id of the role.")
    version: int = strawberry.field(description=_VERSION)
    name: str | None = strawberry.field(default=strawberry.UNSET, description="Unique name, not in capitals.")
    description: str | None = strawberry.field(default=strawberry.UNSET, description="What the role is for.")
    permissions: list[str] | None = strawberry.field(
        default=strawberry.UNSET, description="All permissions that it gives from now on."
    )


@strawberry.input(description="A custom role to delete.")
class RoleDeleteInput(KeyedInput):
    """A custom role to delete."""

    role_id: strawberry.ID = strawberry.field(description="Global id of a custom role that nobody has.")


@plain(requires="", description="The role after the change.")
class RolePayload(Payload):
    """The role after the change."""

    role: Any = object_value("schema.access.Role", "The role.", requires="role:read")


@plain(requires="", description="What deleting a role answers.")
class RoleDeletePayload(Payload):
    """What deleting a role answers."""
