"""Signing in: the viewer, inputs and payloads (ACC-1, ACC-7)."""

from __future__ import annotations

from typing import Any

import strawberry

from planner import scalars
from planner.binding import object_value, plain, value
from schema.payload import KeyedInput, Payload


@plain(requires="", description="Who asks, and what may be asked (ACC-3).")
class Viewer:
    """Who asks, and what may be asked."""

    kind: str = value("`staff` or `partner`.")
    email: str | None = value("One's own email address.")
    roles: list[str] = value("Names of one's roles.")
    permissions: list[str] = value("What one may do; each field of the schema names the permission it needs.")
    must_enroll_totp: bool = value(
        "Whether a role asks for a second factor that this session lacks: until it is set up, nothing else is allowed."
    )
    user: Any = object_value("schema.access.User", "One's own account.", requires="user:read")
    partner: Any = object_value(
        "schema.partners.Partner", "One's own organisation, for partner users.", requires="partner:read"
    )


@strawberry.input(description="Credentials of a user.")
class SignInInput:
    """Credentials of a user."""

    email: str = strawberry.field(description="Email address; case does not matter.")
    password: str = strawberry.field(description="Password.")


@plain(requires="", description="A new session, or the challenge that comes before it.")
class SignInPayload(Payload):
    """A new session, or the challenge that comes before it."""

    totp_required: bool | None = value(
        "Whether the second factor is asked for: then there are no tokens yet, and `signInVerify` gives them."
    )
    challenge: str | None = value("Stands for this sign-in in `signInVerify`; good for some minutes and one session.")
    challenge_expires_at: Any = value("End of the challenge.", graphql_type=scalars.DateTime | None)

    access_token: str | None = value("Goes into `Authorization: Bearer …`; short-lived.")
    refresh_token: str | None = value("Exchanged by `sessionRefresh` for new tokens, once.")
    expires_at: Any = value("End of the access token.", graphql_type=scalars.DateTime | None)
    viewer: Any = value("Who has signed in.", graphql_type=Viewer | None)


@strawberry.input(description="The refresh token of a session.")
class SessionRefreshInput:
    """The refresh token of a session."""

    refresh_token: str = strawberry.field(description="From `signIn` or the last `sessionRefresh`; works once.")


@plain(requires="", description="What signing out answers.")
class SignOutPayload(Payload):
    """What signing out answers."""


@strawberry.input(description="A new API token.")
class ApiTokenCreateInput(KeyedInput):
    """A new API token."""

    name: str = strawberry.field(description="What the token is for; unique among one's own.")
    permissions: list[str] = strawberry.field(description="What it may do; at most what one may do oneself.")
    expires_at: scalars.DateTime = strawberry.field(description="When it ends; at most 366 days from now.")


@plain(requires="", description="The new API token.")
class ApiTokenCreatePayload(Payload):
    """The new API token."""

    api_token: Any = object_value("schema.access.ApiToken", "The token's record.", requires="api_token:read")
    token: str | None = value("The token itself, told this once and kept nowhere.")


@strawberry.input(description="An API token to end.")
class ApiTokenRevokeInput(KeyedInput):
    """An API token to end."""

    api_token_id: strawberry.ID = strawberry.field(description="Global id of one of one's own tokens.")


@plain(requires="", description="The API token that was ended.")
class ApiTokenRevokePayload(Payload):
    """The API token that was ended."""

    api_token: Any = object_value("schema.access.ApiToken", "The token's record.", requires="api_token:read")
