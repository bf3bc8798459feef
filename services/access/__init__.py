"""Signing in, sessions, tokens and users (ACC-1, ACC-7)."""

from services.access.api_tokens import create_api_token, revoke_api_token
from services.access.principals import (
    principal_of_access_token,
    principal_of_api_token,
    principal_of_cookie,
    principal_of_user,
)
from services.access.project_tokens import product_principal
from services.access.sessions import SignedIn, refresh_session, sign_out, start_cookie_session
from services.access.sign_in import Refused, check_password, sign_in
from services.access.users import block_user, create_superadmin, permissions_of, unblock_user

__all__ = [
    "Refused",
    "SignedIn",
    "block_user",
    "check_password",
    "create_api_token",
    "create_superadmin",
    "permissions_of",
    "principal_of_access_token",
    "principal_of_api_token",
    "principal_of_cookie",
    "principal_of_user",
    "product_principal",
    "refresh_session",
    "revoke_api_token",
    "sign_in",
    "sign_out",
    "start_cookie_session",
    "unblock_user",
]
