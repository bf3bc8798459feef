"""Second factors: how one's own stands, setting it up and taking it away, and roles that ask for one (ACC-1)."""

from __future__ import annotations

from typing import Any

import strawberry

from planner import scalars
from planner.binding import object_value, plain, value
from schema.payload import KeyedInput, Payload


@plain(requires="second_factor:own", description="How one's own second factor stands.")
class SecondFactor:
    """How one's own second factor stands."""

    enrolled_at: Any = value("Since when an app is in force; null without one.", graphql_type=scalars.DateTime | None)
    required: bool = value("Whether one of one's roles asks for it.")
    must_enroll: bool = value("Whether this session lacks it and may only set it up.")
    recovery_codes_left: int = value("How many recovery codes are unspent.")


@strawberry.input(description="The answer to a sign-in's challenge: one of the two codes.")
class SignInVerifyInput:
    """The answer to a sign-in's challenge."""

    challenge: str = strawberry.field(description="From `signIn`; good for some minutes and one session.")
    code: str | None = strawberry.field(default=None, description="The six digits that the authenticator app shows.")
    recovery_code: str | None = strawberry.field(default=None, description="An unspent recovery code, instead.")


@plain(requires="", description="What an authenticator app needs; told this once.")
class TotpEnrollStartPayload(Payload):
    """What an authenticator app needs."""

    secret: str | None = value("The secret in Base32, for typing it in.")
    otpauth_uri: str | None = value("The address that the QR code holds.")
    qr_svg: str | None = value("The QR code as SVG, a `data:` address fit for `<img src>`.")
    qr_png: str | None = value("The QR code as PNG, a `data:` address fit for `<img src>`.")


@strawberry.input(description="A code of the app that is being set up.")
class TotpEnrollConfirmInput:
    """A code of the app that is being set up."""

    code: str = strawberry.field(description="The six digits that the authenticator app shows.")


@plain(requires="", description="Fresh recovery codes.")
class RecoveryCodesPayload(Payload):
    """Fresh recovery codes."""

    recovery_codes: list[str] | None = value("Ten codes, each good once in place of the app; told this once.")


@strawberry.input(description="Proof that one still has the second factor: one of the two codes.")
class RecoveryCodesRegenerateInput:
    """Proof that one still has the second factor."""

    code: str | None = strawberry.field(default=None, description="The six digits that the authenticator app shows.")
    recovery_code: str | None = strawberry.field(default=None, description="An unspent recovery code, instead.")


@strawberry.input(description="Proof that it is oneself who takes the second factor away.")
class TotpDisableInput:
    """Proof that it is oneself who takes the second factor away."""

    password: str | None = strawberry.field(
        default=None, description="One's password. Users of single sign-on without one sign in again before this."
    )
    code: str | None = strawberry.field(default=None, description="The six digits that the authenticator app shows.")
    recovery_code: str | None = strawberry.field(default=None, description="An unspent recovery code, instead.")


@plain(requires="", description="How one's second factor stands after the change.")
class TotpDisablePayload(Payload):
    """How one's second factor stands after the change."""

    second_factor: Any = value("One's own second factor.", graphql_type=SecondFactor | None)


@strawberry.input(description="Whose second factor is taken away, and why.")
class TotpResetInput(KeyedInput):
    """Whose second factor is taken away, and why."""

    user_id: strawberry.ID = strawberry.field(description="Global id of the user.")
    reason: str = strawberry.field(description="Why, for the audit trail.")


@plain(requires="", description="The user whose second factor was taken away.")
class TotpResetPayload(Payload):
    """The user whose second factor was taken away."""

    user: Any = object_value("schema.access.User", "The user; all sessions have ended.", requires="user:read")


@strawberry.input(description="Whether a role asks for a second factor.")
class RoleSetTotpRequiredInput(KeyedInput):
    """Whether a role asks for a second factor."""

    role_id: strawberry.ID = strawberry.field(description="Global id of the role.")
    required: bool = strawberry.field(description="Whether its users must have one.")


@plain(requires="", description="The role after the change.")
class RoleSetTotpRequiredPayload(Payload):
    """The role after the change."""

    role: Any = object_value("schema.access.Role", "The role.", requires="role:read")
