"""Single sign-on in the browser: to the provider and back, with what must come back kept in an encrypted cookie."""

from __future__ import annotations

from datetime import timedelta
from html import escape
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from core import clock
from core.crypto import Undecryptable, decrypt, encrypt, same
from core.database import transaction
from core.errors import UserError
from core.logging import get_logger
from core.rates import RateLimited, Rates
from core.settings import get_settings
from gateways.oidc import client as provider
from gateways.oidc.accounts import Client, Person
from gateways.oidc.emulator import OidcEmulator
from gateways.oidc.logout import read_logout
from gateways.oidc.metadata import OidcUnanswered
from services import access
from services.demo import DEMO_USERS
from web.auth import cookie_of, drop_cookie, set_cookie
from web.body import BodyTooLarge, NotAForm, read_form
from web.pages import OIDC_PATH, SIGNED_OUT_PATH, ask_for_code, let_in, local_path, page, see

OIDC_COOKIE = "kontora_oidc"
COOKIE_CONTEXT = "cookie.oidc"
ON_THE_WAY = timedelta(minutes=10)
LONGEST_PARAMETER_CHARS = 4_000
TOLD_TO_NOBODY = 100
# A provider sends one for each person and session; whoever forges them makes us ask for keys.
LOGOUTS_A_MINUTE = 600
NO_STORE = {"Cache-Control": "no-store"}

log = get_logger("oidc")
_rates = Rates()


async def start(request: Request) -> Response:
    """Send a browser to the provider, with a cookie that ties the answer to this browser."""
    ours = provider.registration()
    if ours is None:
        return _problem("Single sign-on is not set up here.", 404)
    try:
        begun = await provider.begin(ours)
    except OidcUnanswered as error:
        log.warning("provider unanswered", reason=error.message)
        return _problem("The provider of single sign-on does not answer. Try again later.", 502)
    response = see(begun.url)
    kept = {
        "state": begun.state,
        "nonce": begun.nonce,
        "verifier": begun.verifier,
        "next": local_path(request.query_params.get("next", "")),
        "until": (clock.now() + ON_THE_WAY).timestamp(),
    }
    sealed = encrypt(orjson.dumps(kept).decode(), COOKIE_CONTEXT)
    set_cookie(response, OIDC_COOKIE, sealed, seconds=int(ON_THE_WAY.total_seconds()))
    return response


async def callback(request: Request) -> Response:
    """A browser comes back from the provider: let it in, ask for the second factor, or say why not."""
    response = await _came_back(request)
    drop_cookie(response, OIDC_COOKIE)
    return response


async def _came_back(request: Request) -> Response:
    ours, query = provider.registration(), request.query_params
    if ours is None:
        return _problem("Single sign-on is not set up here.", 404)
    kept = _kept(request)
    if kept is None or not same(query.get("state", ""), kept["state"]):
        return _problem("This sign-in was not begun in this browser, or it took too long.", 400)
    code = query.get("code", "")
    if "error" in query or not 0 < len(code) <= LONGEST_PARAMETER_CHARS:
        log.warning("provider refused", reason=query.get("error", "")[:TOLD_TO_NOBODY])
        return _problem("The provider did not let you sign in.", 403)
    try:
        identity = await provider.finish(
            ours, code=code, nonce=kept["nonce"], verifier=kept["verifier"], issuer=query.get("iss")
        )
    except OidcUnanswered as error:
        log.warning("provider unanswered", reason=error.message)
        return _problem("The provider of single sign-on does not answer. Try again later.", 502)
    except UserError as error:
        log.warning("provider's answer refused", reason=error.message)
        return _problem("The provider's answer does not hold.", 403)
    async with transaction() as session:
        found = await access.sign_in_by_identity(session, identity)
    if isinstance(found, access.Refused):
        log.warning("identity refused", code=found.code)
        return _problem(f"{found.message[0].upper()}{found.message[1:]}.", 403)
    return ask_for_code(found, kept["next"]) if isinstance(found, access.Challenge) else let_in(found, kept["next"])


async def logged_out(request: Request) -> Response:
    """The provider tells that somebody has signed out there; the sessions that came from there end (2.5 to 2.8)."""
    ours = provider.registration()
    try:
        _rates.take(request.client.host if request.client else "", LOGOUTS_A_MINUTE)
        token = (await read_form(request)).get("logout_token")
        if ours is None or token is None:
            return _not_logged_out("send a logout_token, where single sign-on is set up")
        logout = await read_logout(ours, token)
        async with transaction() as session:
            ended = await access.log_out(session, logout)
    except RateLimited as error:
        return _not_logged_out(error.message, 429)
    except OidcUnanswered as error:
        log.warning("provider unanswered", reason=error.message)
        return _not_logged_out("the provider's keys are out of reach", 503)
    except (BodyTooLarge, NotAForm, UserError) as error:
        log.warning("logout refused", reason=error.message)
        return _not_logged_out(error.message)
    log.info("logged out by the provider", sessions=ended)
    return Response(headers=NO_STORE)


def _not_logged_out(told: str, status: int = 400) -> Response:
    return JSONResponse({"error": "invalid_request", "error_description": told}, status, NO_STORE)


async def signed_out(_request: Request) -> Response:
    """After the end of a session that came from the provider: one is still signed in there."""
    ours = provider.registration()
    there = await provider.end_session_url(ours) if ours is not None else None
    name = escape(get_settings().oidc_name)
    also = f'<p><a href="{escape(there)}" class="button">Sign out at {name} too</a></p>' if there else ""
    body = f'<p>You are signed out here, and still signed in at {name}.</p>{also}<p><a href="/sign-in">Sign in</a></p>'
    return page("Signed out", body)


def _kept(request: Request) -> dict[str, Any] | None:
    """What the browser was sent away with; None where it was not, or long ago."""
    sealed = cookie_of(request, OIDC_COOKIE)
    if sealed is None:
        return None
    try:
        kept: dict[str, Any] = orjson.loads(decrypt(sealed, COOKIE_CONTEXT))
    except Undecryptable:
        return None
    return kept if kept["until"] > clock.now().timestamp() else None


def _problem(told: str, status: int) -> Response:
    body = f'<p class="problem" role="alert">{escape(told)}</p><p><a href="/sign-in">Sign in</a></p>'
    return page("Not signed in", body, status)


def oidc_routes() -> list[BaseRoute]:
    """The doors; in the sandbox, where no provider is set, the emulator's too."""
    routes: list[BaseRoute] = [
        Route(OIDC_PATH, start),
        Route(provider.CALLBACK_PATH, callback),
        Route(SIGNED_OUT_PATH, signed_out),
        Route(provider.BACK_CHANNEL_LOGOUT_PATH, logged_out, methods=["POST"]),
    ]
    ours = provider.registration()
    if ours is not None and get_settings().oidc_issuer is None:
        back = f"{get_settings().base_url}/sign-in"
        client = Client(ours.client_id, ours.client_secret or "", ours.redirect_uri, back)
        routes.append(Mount(provider.EMULATOR_PATH, OidcEmulator(ours.issuer, client, _demo_person).app))
    return routes


async def _demo_person(email: str, password: str) -> Person | None:
    """The people of the demo world have accounts at the sandbox's provider too, with the same password."""
    address = email.strip().lower()
    if address not in DEMO_USERS or not same(password, get_settings().demo_users_password()):
        return None
    return Person(subject=f"demo:{address}", email=address, name=address.partition("@")[0].capitalize())
