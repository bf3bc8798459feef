"""The emulated amoCRM's pages: consent, and a desk to install, uninstall and make trouble by hand."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

if TYPE_CHECKING:
    from gateways.amocrm.emulator import AmoCrmEmulator

SEE_OTHER = 303
MOST_FIELDS = 10
SLOW_SECONDS = 5.0
TROUBLES = {
    "lost_answer": "the next answer with tokens is lost on the way back",
    "500": "the next call fails with 500",
    "429": "the next three calls come too soon (429)",
    "403": "the next call is blocked (403)",
    "slow": f"each call takes {SLOW_SECONDS:.0f} seconds",
    "strict": "refresh tokens before the last one do not work",
    "none": "no trouble any more",
}


class Desk:
    """Pages of an emulator.

    Parameters:
        disabled_uri: where integrations hear that access was withdrawn.
    """

    def __init__(self, emulator: AmoCrmEmulator, disabled_uri: str) -> None:
        self._emulator = emulator
        self._disabled_uri = disabled_uri

    def routes(self) -> list[BaseRoute]:
        """The pages."""
        return [
            Route("/", self._page, methods=["GET"]),
            Route("/oauth", self._consent, methods=["GET"]),
            Route("/allow", self._allow, methods=["POST"]),
            Route("/install", self._install, methods=["POST"]),
            Route("/uninstall", self._uninstall, methods=["POST"]),
            Route("/token", self._token, methods=["POST"]),
            Route("/trouble", self._trouble, methods=["POST"]),
        ]

    async def _page(self, request: Request) -> Response:
        return self._desk(request.query_params.get("client_id", ""))

    def _desk(self, client: str, told: str = "") -> Response:
        grants = "".join(
            f"<li>{escape(grant.domain)} · {escape(grant.client_uuid)}{' · withdrawn' if grant.revoked else ''}</li>"
            for grant in self._emulator.grants
        )
        fields = (
            f'<label>Integration (client UUID) <input name="client_id" value="{escape(client)}" size="40"></label> '
            '<label>Account <input name="domain" value="demo.amocrm.ru"></label> '
        )
        forms = "".join(
            f'<form method="post" action="{action}"><p>{fields}<button>{label}</button></p></form>'
            for action, label in (
                ("install", "Install"),
                ("uninstall", "Uninstall"),
                ("token", "One-time token of its widget"),
            )
        )
        troubles = "".join(f'<option value="{name}">{escape(words)}</option>' for name, words in TROUBLES.items())
        return _html(
            f"<h1>amoCRM emulator</h1>{told}{forms}"
            f'<form method="post" action="trouble"><p><select name="trouble">{troubles}</select> '
            f"<button>Make trouble</button></p></form><h2>Installed</h2><ul>{grants}</ul>"
        )

    async def _consent(self, request: Request) -> Response:
        query = request.query_params
        hidden = "".join(
            f'<input type="hidden" name="{name}" value="{escape(query.get(name, ""))}">'
            for name in ("client_id", "state")
        )
        return _html(
            "<h1>Allow access?</h1>"
            f'<form method="post" action="allow">{hidden}'
            '<p><label>Account <input name="domain" value="demo.amocrm.ru"></label></p>'
            '<p><button name="answer" value="yes">Allow</button> '
            '<button name="answer" value="no">Deny</button></p></form>'
        )

    async def _allow(self, request: Request) -> Response:
        form = await _form(request)
        client, state = form.get("client_id", ""), form.get("state", "")
        if form.get("answer") != "yes":
            return self._back({"error": "access_denied", "client_id": client, "state": state})
        domain = form.get("domain", "")
        query = self._emulator.redirect(domain, client, self._emulator.install(domain, client), state)
        # A consent is not an installation from the marketplace.
        query.pop("from_widget")
        return self._back(query)

    async def _install(self, request: Request) -> Response:
        form = await _form(request)
        client, domain = form.get("client_id", ""), form.get("domain", "")
        return self._back(self._emulator.redirect(domain, client, self._emulator.install(domain, client)))

    async def _uninstall(self, request: Request) -> Response:
        form = await _form(request)
        query = await self._emulator.uninstall(form.get("domain", ""), form.get("client_id", ""))
        return RedirectResponse(f"{self._disabled_uri}?{urlencode(query)}", SEE_OTHER)

    async def _token(self, request: Request) -> Response:
        form = await _form(request)
        client = form.get("client_id", "")
        if await self._emulator.secret_of(client) is None:
            return self._desk(client, "<p>There is no such integration, or it has no secret.</p>")
        redirect = urlsplit(self._emulator.redirect_uri)
        audience = f"{redirect.scheme}://{redirect.netloc}"
        token = await self._emulator.widget_token(form.get("domain", ""), client, audience)
        return self._desk(client, f"<p>Good once, for 30 minutes:</p><pre>X-Auth-Token: {escape(token)}</pre>")

    async def _trouble(self, request: Request) -> Response:
        emulator, wanted = self._emulator, (await _form(request)).get("trouble", "")
        match wanted:
            case "lost_answer":
                emulator.lost_answers += 1
            case "slow":
                emulator.slow_seconds = SLOW_SECONDS
            case "strict":
                emulator.spares_work = False
            case "500" | "403":
                emulator.next_statuses.append(int(wanted))
            case "429":
                emulator.next_statuses += [429] * 3
            case _:
                emulator.lost_answers, emulator.slow_seconds, emulator.spares_work = 0, 0.0, True
                emulator.next_statuses.clear()
        return self._desk("", f"<p>So be it: {escape(TROUBLES.get(wanted, TROUBLES['none']))}.</p>")

    def _back(self, query: dict[str, str]) -> Response:
        return RedirectResponse(f"{self._emulator.redirect_uri}?{urlencode(query)}", SEE_OTHER)


async def _form(request: Request) -> dict[str, str]:
    form = await request.form(max_files=0, max_fields=MOST_FIELDS)
    return {name: str(value) for name, value in form.items()}


def _html(body: str) -> Response:
    return HTMLResponse(f'<!doctype html><meta charset="utf-8"><title>amoCRM emulator</title>{body}')
