"""The sandbox's mailbox: letters that no mail server took, so that invitations can be tried on a fresh machine."""

from __future__ import annotations

import re
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from core.settings import get_settings
from gateways.mail.emulator import letter, letters
from models import SandboxMail
from web.auth import principal_of
from web.here import from_this_machine
from web.pages import page

PATH = "/sandbox/mail"
# A letter as mail programs show it: its own styles, no scripts, no forms, nothing from elsewhere.
LETTER_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox allow-top-navigation-by-user-activation"

_LINK = re.compile(r"https?://[^\s<>\"]+")
_LIST = """<p class="quiet">Letters are kept here while no mail server is set (KONTORA_SMTP_HOST).</p>
<table>
{rows}
</table>
"""
_ROW = (
    '<tr><td><a href="{path}/{id}">{subject}</a><br><span class="quiet">{recipient}</span></td><td>{moment}</td></tr>'
)
_LETTER = """<p class="quiet">To {recipient}, {moment}</p>
<pre class="letter">{text}</pre>
<p><a href="{path}/{id}/html">As HTML</a> · <a href="{path}">All letters</a></p>
"""


async def mailbox(request: Request) -> Response:
    """The kept letters, newest first."""
    if not await _may_look(request):
        return _not_here()
    rows = "\n".join(_ROW.format(path=PATH, **_told(found)) for found in await letters())
    return page("Mailbox", _LIST.format(rows=rows) if rows else "<p>No letters yet.</p>")


async def show(request: Request) -> Response:
    """One letter's text, with its links."""
    found = await _asked(request)
    if found is None:
        return _not_here()
    text = _LINK.sub(lambda link: f'<a href="{link[0]}">{link[0]}</a>', escape(_part(found, "plain"), quote=False))
    return page(found.subject, _LETTER.format(path=PATH, text=text, **_told(found)))


async def show_html(request: Request) -> Response:
    """One letter as mail programs show it."""
    found = await _asked(request)
    if found is None:
        return _not_here()
    headers = {"Content-Security-Policy": LETTER_POLICY, "Cache-Control": "no-store"}
    return HTMLResponse(_part(found, "html"), headers=headers)


async def _asked(request: Request) -> SandboxMail | None:
    return await letter(request.path_params["letter_id"]) if await _may_look(request) else None


async def _may_look(request: Request) -> bool:
    """Letters hold links that let one in: a sandbox shows them on its own machine, elsewhere to its superadmins."""
    if get_settings().mode != "sandbox":
        return False
    return from_this_machine(request) or "SUPERADMIN" in (await principal_of(request)).roles


def _not_here() -> Response:
    return page("No such letter", "<p>There is nothing here for you.</p>", 404)


def _told(found: SandboxMail) -> dict[str, str]:
    return {
        "id": str(found.id),
        "subject": escape(found.subject),
        "recipient": escape(found.recipient),
        "moment": f"{found.created_at:%d.%m.%Y %H:%M}",
    }


def _part(found: SandboxMail, form: str) -> str:
    message = message_from_bytes(found.source, EmailMessage, policy=SMTP)
    part = message.get_body((form,))
    return "" if part is None else str(part.get_content())


mailbox_routes: list[BaseRoute] = [
    Route(PATH, mailbox, methods=["GET"]),
    Route(f"{PATH}/{{letter_id:int}}", show, methods=["GET"]),
    Route(f"{PATH}/{{letter_id:int}}/html", show_html, methods=["GET"]),
]
