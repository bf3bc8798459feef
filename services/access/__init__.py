"""Signing in, sessions, tokens, users and roles (ACC-1, ACC-2, ACC-7)."""

from services.access.api_tokens import create_api_token, revoke_api_token
from services.access.challenges import Challenge, verify_in_browser, verify_sign_in
from services.access.ending import (
    end_own_other_sessions,
    end_own_session,
    end_session_of_user,
    own_sessions,
    revoke_token_of_user,
    sign_out_user,
)
from services.access.failures import Refused
from services.access.granting import LastSuperadmin, permissions_of
from services.access.invitations import invite_user, send_password_link
from services.access.oidc import sign_in_by_identity
from services.access.oidc_logout import log_out
from services.access.passwords import (
    PREPARE_RESET,
    change_password,
    link_email,
    prepare_password_reset,
    request_password_reset,
    reset_password,
)
from services.access.principals import (
    principal_of_access_token,
    principal_of_api_token,
    principal_of_cookie,
    principal_of_user,
)
from services.access.project_tokens import product_principal
from services.access.required_factors import set_totp_required
from services.access.roles import RoleValues, create_role, delete_role, update_access, update_role
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
)
from services.access.totp import disable as disable_totp
from services.access.totp import reset as reset_totp
from services.access.users import (
    UserValues,
    block_user,
    create_superadmin,
    unblock_user,
    update_own_profile,
    update_user,
    user_with_email,
)

__all__ = [
    "PREPARE_RESET",
    "Challenge",
    "Enrolment",
    "LastSuperadmin",
    "OwnFactor",
    "Refused",
    "RoleValues",
    "Shown",
    "SignedIn",
    "UserValues",
    "block_user",
    "change_password",
    "check_password",
    "confirm_enrolment",
    "create_api_token",
    "create_role",
    "create_superadmin",
    "delete_role",
    "disable_totp",
    "end_own_other_sessions",
    "end_own_session",
    "end_session_of_user",
    "invite_user",
    "link_email",
    "log_out",
    "own_factor",
    "own_sessions",
    "permissions_of",
    "prepare_password_reset",
    "principal_of_access_token",
    "principal_of_api_token",
    "principal_of_cookie",
    "principal_of_user",
    "product_principal",
    "refresh_session",
    "regenerate_recovery_codes",
    "request_password_reset",
    "reset_password",
    "reset_totp",
    "revoke_api_token",
    "revoke_token_of_user",
    "send_password_link",
    "set_totp_required",
    "sign_in",
    "sign_in_by_identity",
    "sign_in_to_browser",
    "sign_out",
    "sign_out_user",
    "start_enrolment",
    "unblock_user",
    "update_access",
    "update_own_profile",
    "update_role",
    "update_user",
    "user_with_email",
    "verify_in_browser",
    "verify_sign_in",
]
