"""Doors for amoCRM: the redirect of an installation, the uninstall hook, and the sandbox's emulator (INS-2)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from core.database import transaction
from core.errors import NotFound, UserError
from core.logging import get_logger
from core.settings import get_settings
from gateways.amocrm.client import EMULATOR_PATH, AmoCrmUnanswered
from gateways.amocrm.emulator import AmoCrmEmulator
from services import amocrm
from services.amocrm.consent import VENDORS
from services.amocrm.integrations import REDIRECT_PATH
from services.amocrm.uninstall import ForgedHook
from web.pages import page

LONGEST_PARAMETER = 2_000
DISABLED_PATH = "/amocrm/disabled"
SEE_OTHER = 303

log = get_logger("amocrm")
_AGAIN = "<p>Install the widget again from amoCRM. If that fails too, tell us.</p>"


async def redirected(request: Request) -> Response:
    """An account has installed a widget: the browser, or amoCRM itself, brings the code."""
    query = request.query_params
    if "error" in query:
        return page("Not installed", "<p>The installation was not allowed in amoCRM.</p>", 400)
    code, referer, client_id = (query.get(name, "") for name in ("code", "referer", "client_id"))
    if not all(0 < len(value) <= LONGEST_PARAMETER and "\0" not in value for value in (code, referer, client_id)):
        return page("Not installed", f"<p>amoCRM did not send all that is needed.</p>{_AGAIN}", 400)
    try:
        # What amoCRM sends by itself, from its marketplace, has no state of ours.
        if query.get("from_widget") != "1":
            amocrm.check_state(query.get("state", ""), client_id)
        install = await amocrm.install_from_redirect(code=code, referer=referer, client_uuid=client_id)
    except AmoCrmUnanswered as error:
        log.warning("installation got no answer", error=error.message)
        return page("Not installed", f"<p>amoCRM did not answer.</p>{_AGAIN}", 502)
    except NotFound:
        return page("Not installed", "<p>There is no such widget here.</p>", 404)
    except UserError as error:
        log.warning("installation refused", code=error.code)
        return page("Not installed", f"<p>amoCRM or we refused it.</p>{_AGAIN}", 400)
    log.info("widget installed", install_id=install.id)
    return page("Installed", "<p>The widget is installed. You can close this window and go back to amoCRM.</p>")


async def connect(request: Request) -> Response:
    """Send a person to the page of amoCRM where an integration is allowed."""
    client_id, vendor = request.query_params.get("client_id", ""), request.query_params.get("at", "amocrm")
    async with transaction() as session:
        known = await amocrm.client_secret(session, client_id) is not None
    if not known or vendor not in VENDORS:
        return page("Not installed", "<p>There is no such widget here.</p>", 404)
    return RedirectResponse(amocrm.consent_address(client_id, vendor), SEE_OTHER, {"Cache-Control": "no-store"})


async def disabled(request: Request) -> Response:
    """An account has uninstalled a widget."""
    query = request.query_params
    client_id, account_id, signature = (query.get(name, "") for name in ("client_uuid", "account_id", "signature"))
    try:
        async with transaction() as session:
            await amocrm.uninstall(session, client_uuid=client_id, account_id=account_id, signature=signature)
    except NotFound as error:
        return PlainTextResponse(error.message, 404)
    except ForgedHook as error:
        log.warning("forged uninstall hook", ip=request.client.host if request.client else None)
        return PlainTextResponse(error.message, 403)
    return PlainTextResponse("OK")


async def _secret_of(client_uuid: str) -> str | None:
    async with transaction() as session:
        return await amocrm.client_secret(session, client_uuid)


def amocrm_routes() -> list[BaseRoute]:
    """The doors; the emulator is one only where it stands in for amoCRM."""
    routes: list[BaseRoute] = [
        Route("/amocrm/connect", connect, methods=["GET"]),
        Route(REDIRECT_PATH, redirected, methods=["GET"]),
        Route(DISABLED_PATH, disabled, methods=["GET", "POST"]),
    ]
    settings = get_settings()
    if settings.mode == "sandbox" and settings.amocrm == "emulator" and settings.amocrm_emulator_url is None:
        emulator = AmoCrmEmulator(_secret_of, amocrm.redirect_uri(), settings.base_url + DISABLED_PATH)
        routes.append(Mount(EMULATOR_PATH, emulator.app))
    return routes
