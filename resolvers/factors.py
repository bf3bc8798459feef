"""Doors of the second factor: answering a sign-in's challenge, one's own app, resets, and roles that ask for it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import segno
import strawberry

from core.database import transaction
from planner.binding import function_root
from planner.context import RunContext
from resolvers.access import refused, session_values
from resolvers.inputs import key_of
from resolvers.mutation import MutationContext, ShownOnce, mutation
from schema.factors import (
    RecoveryCodesPayload,
    RecoveryCodesRegenerateInput,
    RoleSetTotpRequiredInput,
    RoleSetTotpRequiredPayload,
    SecondFactor,
    SignInVerifyInput,
    TotpDisableInput,
    TotpDisablePayload,
    TotpEnrollConfirmInput,
    TotpEnrollStartPayload,
    TotpResetInput,
    TotpResetPayload,
)
from schema.signing_in import SignInPayload
from services import access

QR_PIXELS_A_MODULE = 5


async def second_factor(context: RunContext) -> dict[str, Any] | None:
    """How one's own second factor stands; null for callers that are no people."""
    if context.principal.user_id is None:
        return None
    async with transaction() as session:
        own = await access.own_factor(session, context.principal.user_id)
    return _own(own, context.principal.must_enroll)


async def sign_in_verify(context: MutationContext, input: SignInVerifyInput) -> dict[str, Any]:
    """Finish a sign-in that needs a second factor (ACC-1). Failures slow down and lock the account for a while."""
    shown = access.Shown.of(input.code, input.recovery_code)
    found = await access.verify_sign_in(context.session, challenge=input.challenge, shown=shown)
    return refused(found) if isinstance(found, access.Refused) else await session_values(context, found)


async def totp_enroll_start(context: MutationContext) -> dict[str, Any]:
    """Begin to set up an authenticator app, right after signing in (ACC-1)."""
    begun = await access.start_enrolment(context.session, context.actor)
    qr = segno.make(begun.uri, micro=False)
    return {
        "secret": ShownOnce(begun.secret),
        "otpauth_uri": ShownOnce(begun.uri),
        "qr_svg": ShownOnce(qr.svg_data_uri(scale=QR_PIXELS_A_MODULE, light="white")),
        "qr_png": ShownOnce(qr.png_data_uri(scale=QR_PIXELS_A_MODULE)),
    }


async def totp_enroll_confirm(context: MutationContext, input: TotpEnrollConfirmInput) -> dict[str, Any]:
    """Put the app in force with a code of it; from then on each sign-in asks for one (ACC-1)."""
    return _codes(await access.confirm_enrolment(context.session, context.actor, code=input.code))


async def recovery_codes_regenerate(context: MutationContext, input: RecoveryCodesRegenerateInput) -> dict[str, Any]:
    """Make new recovery codes; the old ones end (ACC-1)."""
    shown = access.Shown.of(input.code, input.recovery_code)
    return _codes(await access.regenerate_recovery_codes(context.session, context.actor, shown=shown))


async def totp_disable(context: MutationContext, input: TotpDisableInput) -> dict[str, Any]:
    """Take one's own second factor away; where a role asks for one, another must be set up at once (ACC-1)."""
    shown = access.Shown.of(input.code, input.recovery_code)
    found = await access.disable_totp(context.session, context.actor, password=input.password, shown=shown)
    if isinstance(found, access.Refused):
        return refused(found)
    own = await access.own_factor(context.session, found.id)
    return {"second_factor": _own(own, must_enroll=own.required)}


async def totp_reset(context: MutationContext, input: TotpResetInput) -> dict[str, Any]:
    """Take another user's second factor away and end the user's sessions, as after the loss of a phone (ACC-1)."""
    key = key_of(input.user_id, "User", "userId")
    return {"user": (await access.reset_totp(context.session, context.actor, user_id=key, reason=input.reason)).id}


async def role_set_totp_required(context: MutationContext, input: RoleSetTotpRequiredInput) -> dict[str, Any]:
    """Ask all users of a role for a second factor, or no more; without one they may only set it up (ACC-1)."""
    key = key_of(input.role_id, "Role", "roleId")
    role = await access.set_totp_required(context.session, context.actor, role_id=key, required=input.required)
    return {"role": role.id}


def _own(own: access.OwnFactor, must_enroll: bool) -> dict[str, Any]:
    told = asdict(own)
    return {"enrolled_at": told.pop("confirmed_at"), "must_enroll": must_enroll, **told}


def _codes(found: list[str] | access.Refused) -> dict[str, Any]:
    return refused(found) if isinstance(found, access.Refused) else {"recovery_codes": found}


@strawberry.type(description="Queries of the second factor.")
class FactorQueries:
    """Queries of the second factor."""

    second_factor: Any = function_root(second_factor, SecondFactor | None, requires="second_factor:own")


@strawberry.type(description="Mutations of the second factor.")
class FactorMutations:
    """Mutations of the second factor. Its tables are out of partners' reach, so their own doors run beyond it."""

    sign_in_verify: Any = mutation(sign_in_verify, SignInPayload, requires="", as_application=True)
    totp_enroll_start: Any = mutation(
        totp_enroll_start, TotpEnrollStartPayload, requires="second_factor:own", as_application=True
    )
    totp_enroll_confirm: Any = mutation(
        totp_enroll_confirm, RecoveryCodesPayload, requires="second_factor:own", as_application=True
    )
    recovery_codes_regenerate: Any = mutation(
        recovery_codes_regenerate, RecoveryCodesPayload, requires="second_factor:own", as_application=True
    )
    totp_disable: Any = mutation(totp_disable, TotpDisablePayload, requires="second_factor:own", as_application=True)
    totp_reset: Any = mutation(totp_reset, TotpResetPayload, requires="second_factor:reset")
    role_set_totp_required: Any = mutation(role_set_totp_required, RoleSetTotpRequiredPayload, requires="role:write")
