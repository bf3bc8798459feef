"""Who is behind an HTTP request: bearer tokens for programs, a cookie for browsers (ACC-1, ACC-7)."""

from __future__ import annotations

import time
from collections import OrderedDict

from starlette.requests import Request, cookie_parser
from starlette.responses import Response
from starlette.types import Scope

from core.database import transaction
from core.errors import Unauthenticated, UserError
from core.principal import ANONYMOUS, Principal
from core.settings import get_settings
from domain.access import SignInMethod
from services import access

TRUSTED_SECONDS = 2.0
KEPT_PRINCIPALS = 10_000
MAX_CREDENTIAL_CHARS = 2_000
COOKIE = "kontora_session"
CHALLENGE_COOKIE = "kontora_challenge"


class _Recent:
    """Principals seen in the last seconds, so that a busy credential is looked up once in a while.

    A change of roles, a block or a sign-out is in force everywhere once `TRUSTED_SECONDS` have passed.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[float, Principal]] = OrderedDict()

    def get(self, credential: str) -> Principal | None:
        found = self._known.get(credential)
        return found[1] if found is not None and found[0] > time.monotonic() else None

    def put(self, credential: str, principal: Principal, seconds: float) -> None:
        self._known[credential] = (time.monotonic() + min(seconds, TRUSTED_SECONDS), principal)
        self._known.move_to_end(credential)
        while len(self._known) > KEPT_PRINCIPALS:
            self._known.popitem(last=False)

    def forget(self, credential: str) -> None:
        self._known.pop(credential, None)


_recent = _Recent()
_recent_cookies = _Recent()


async def principal_of_scope(scope: Scope) -> Principal:
    """The principal of a connection; anonymous where no credential is given.

    Raises:
        Unauthenticated: a credential is given and is not valid.
    """
    authorization = cookies = b""
    for name, value in scope["headers"]:
        if name == b"authorization":
            authorization = value
        elif name == b"cookie":
            cookies = value
    if authorization:
        scheme, _, credential = authorization.decode("latin-1").partition(" ")
        if scheme.lower() != "bearer" or not credential or len(credential) > MAX_CREDENTIAL_CHARS:
            raise Unauthenticated("send the credential as `Authorization: Bearer …`")
        return _recent.get(credential) or await _look_up(credential)
    cookie = _cookie_of(cookies) if cookies else None
    if cookie:
        return _recent_cookies.get(cookie) or await _look_up_cookie(cookie)
    return ANONYMOUS


async def principal_of(request: Request) -> Principal:
    """The principal of a browser's request; a cookie that is no longer valid counts as none."""
    try:
        return await principal_of_scope(request.scope)
    except Unauthenticated:
        return ANONYMOUS


async def start_cookie_session(email: str, password: str) -> str | access.Challenge:
    """Sign a browser in: the cookie's value, or the challenge that comes before it.

    Raises:
        UserError: wrong email or password, or the account is locked.
    """
    async with transaction() as session:
        found = await access.sign_in_to_browser(session, email=email, password=password)
    if isinstance(found, access.Refused):
        raise UserError(found.message, code=found.code)
    return found


async def finish_cookie_session(challenge: str, shown: access.Shown) -> str:
    """Sign a browser in that has answered its challenge: the cookie's value.

    Raises:
        UserError: a wrong code, a challenge that has ended, or the account is locked.
    """
    async with transaction() as session:
        found = await access.verify_in_browser(session, challenge=challenge, shown=shown)
    if isinstance(found, access.Refused):
        raise UserError(found.message, code=found.code)
    return found


async def end_cookie_session(request: Request) -> SignInMethod | None:
    """Sign a browser out; gives how it had signed in, None where it had not."""
    credential = cookie_of(request, COOKIE)
    principal = await principal_of(request)
    method = None
    if principal.session_id is not None:
        async with transaction(principal) as session:
            method = (await access.sign_out(session, principal)).method
    if credential:
        _recent_cookies.forget(credential)
    return method


async def _look_up(credential: str) -> Principal:
    if credential.startswith("kat_"):
        principal, seconds = await access.principal_of_api_token(credential), TRUSTED_SECONDS
    else:
        principal, expires = await access.principal_of_access_token(credential)
        seconds = expires - time.time()
    # A factor that is set up opens the rest at once.
    if not principal.must_enroll:
        _recent.put(credential, principal, seconds)
    return principal


async def _look_up_cookie(credential: str) -> Principal:
    principal = await access.principal_of_cookie(credential)
    if not principal.must_enroll:
        _recent_cookies.put(credential, principal, TRUSTED_SECONDS)
    return principal


def cookie_of(request: Request, name: str) -> str | None:
    """The value of one of our cookies."""
    return _cookie_of(request.headers.get("cookie", "").encode("latin-1"), name)


def set_cookie(response: Response, name: str, value: str, *, seconds: int) -> None:
    """Have a browser keep one of our cookies, out of reach of scripts and of other sites' forms."""
    response.set_cookie(
        _cookie_name(name), value, max_age=seconds, path="/", secure=_secure(), httponly=True, samesite="lax"
    )


def drop_cookie(response: Response, name: str) -> None:
    """Have a browser forget one of our cookies."""
    response.delete_cookie(_cookie_name(name), path="/", secure=_secure(), httponly=True, samesite="lax")


def set_session_cookie(response: Response, cookie: str) -> None:
    """Let a browser carry its session."""
    set_cookie(response, COOKIE, cookie, seconds=get_settings().refresh_token_days * 86_400)


def _secure() -> bool:
    return get_settings().base_url.startswith("https://")


def _cookie_name(name: str) -> str:
    # The prefix makes browsers insist on HTTPS, this host and this path; plain HTTP may not use it.
    return f"__Host-{name}" if _secure() else name


def _cookie_of(header: bytes, name: str = COOKIE) -> str | None:
    # Lenient, as browsers are: a strange cookie of another program on this host must not hide ours.
    found = cookie_parser(header.decode("latin-1")).get(_cookie_name(name))
    return found[:MAX_CREDENTIAL_CHARS] if found else None
