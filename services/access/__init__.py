"""Signing in, sessions, tokens and users (ACC-1, ACC-7)."""

from services.access.api_tokens import create_api_token, revoke_api_token
from services.access.challenges import Challenge, verify_in_browser, verify_sign_in
from services.access.failures import Refused
from services.access.oidc import sign_in_by_identity
from services.access.principals import (
    principal_of_access_token,
    principal_of_api_token,
    principal_of_cookie,
    principal_of_user,
)
from services.access.project_tokens import product_principal
from services.access.required_factors import set_totp_required
from services.access.second_factor import Shown
from services.access.sessions import SignedIn, refresh_session, sign_out
from services.access.sign_in import check_password, sign_in, sign_in_to_browser
from services.access.totp import (
    Enrolment,
    OwnFactor,
    confirm_enrolment,
    own_factor,
    regenerate_recovery_codes,
    start_enrolment,
    user_with_email,
)
from services.access.totp import disable as disable_totp
from services.access.totp import reset as reset_totp
from services.access.users import block_user, create_superadmin, permissions_of, unblock_user

__all__ = [
    "Challenge",
    "Enrolment",
    "OwnFactor",
    "Refused",
    "Shown",
    "SignedIn",
    "block_user",
    "check_password",
    "confirm_enrolment",
    "create_api_token",
    "create_superadmin",
    "disable_totp",
    "own_factor",
    "permissions_of",
    "principal_of_access_token",
    "principal_of_api_token",
    "principal_of_cookie",
    "principal_of_user",
    "product_principal",
    "refresh_session",
    "regenerate_recovery_codes",
    "reset_totp",
    "revoke_api_token",
    "set_totp_required",
    "sign_in",
    "sign_in_by_identity",
    "sign_in_to_browser",
    "sign_out",
    "start_enrolment",
    "unblock_user",
    "user_with_email",
    "verify_in_browser",
    "verify_sign_in",
]
