"""Pages to ask for a link and to set a password by it; they work without scripts (ACC-1)."""

from __future__ import annotations

from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from core.database import transaction
from core.errors import UserError
from core.settings import get_settings
from domain.passwords import MAX_PASSWORD_CHARS, MIN_PASSWORD_CHARS
from services import access
from web.body import read_form
from web.mailbox import PATH as MAILBOX
from web.pages import LONGEST_FIELD_CHARS, foreign_form, from_our_page, page

ASK_PATH = "/forgotten-password"
SET_PATH = "/set-password"
LONGEST_TOKEN_CHARS = 200

_ASK = """{problem}
<p>Give the address that you sign in with. We send a link to set a new password.</p>
<form method="post">
<label>Email <input type="email" name="email" autocomplete="username" required autofocus></label>
<button type="submit" class="primary">Send the link</button>
</form>
"""
_ASKED = """<p>If somebody signs in with this address, a letter is on its way. The link in it is good for an hour.</p>
<p class="quiet">No letter? Look among unwanted ones, or ask again after a while: there are at most three an hour.</p>
{mailbox}<p><a href="/sign-in">Sign in</a></p>
"""
_MAILBOX = f'<p class="quiet">This is a sandbox: its letters are in <a href="{MAILBOX}">the mailbox</a>.</p>\n'
_SET = """{problem}
<form method="post">
<input type="hidden" name="token" value="{token}">
<label>Email <input type="email" value="{email}" autocomplete="username" readonly></label>
<label>New password <input type="password" name="password" autocomplete="new-password" minlength="{least}"
maxlength="{most}" required autofocus></label>
<label>Once more <input type="password" name="again" autocomplete="new-password" required></label>
<p class="quiet">At least {least} characters. Several words that do not go together are good.</p>
<button type="submit" class="primary">Set the password</button>
</form>
"""
_DONE = '<p>Sign in with it. Sessions that were open have ended.</p>\n<p><a href="/sign-in">Sign in</a></p>'
_BAD_LINK = f'<p>Sorry: {{problem}}.</p>\n<p><a href="{ASK_PATH}">Ask for a new link</a></p>'


async def ask_page(_request: Request) -> Response:
    """The form of who has forgotten a password."""
    return _ask()


async def ask(request: Request) -> Response:
    """Have a letter sent, if there is somebody to send it to; the page tells nothing of that."""
    if not from_our_page(request):
        return foreign_form()
    email = (await read_form(request)).get("email", "")
    if not email.strip() or len(email) > LONGEST_FIELD_CHARS:
        return _ask(problem="Give your email address.", status=422)
    try:
        async with transaction() as session:
            await access.request_password_reset(session, email=email)
    except UserError as error:
        return _ask(problem=error.message, status=429 if error.code == "RATE_LIMITED" else 422)
    settings = get_settings()
    in_sandbox = settings.mode == "sandbox" and not settings.smtp_host
    return page("Look into your mail", _ASKED.format(mailbox=_MAILBOX if in_sandbox else ""))


async def set_page(request: Request) -> Response:
    """The form behind a link, if the link is good; looking at it does not use the link up."""
    return await _form(request.query_params.get("token", ""))


async def set_password(request: Request) -> Response:
    """Set the password, and the link is used up."""
    if not from_our_page(request):
        return foreign_form()
    form = await read_form(request)
    token, password, again = (form.get(name, "") for name in ("token", "password", "again"))
    if password != again:
        return await _form(token, problem="The two are not the same.", status=422)
    try:
        async with transaction() as session:
            await access.reset_password(session, token=token[:LONGEST_TOKEN_CHARS], password=password)
    except UserError as error:
        return await _form(token, problem=error.message, status=422)
    return page("The password is set", _DONE)


async def _form(token: str, *, problem: str = "", status: int = 200) -> HTMLResponse:
    try:
        async with transaction() as session:
            email = await access.link_email(session, token=token[:LONGEST_TOKEN_CHARS])
    except UserError as error:
        return page("This link is over", _BAD_LINK.format(problem=escape(error.message)), 403)
    body = _SET.format(
        problem=_told(problem),
        token=escape(token),
        email=escape(email),
        least=MIN_PASSWORD_CHARS,
        most=MAX_PASSWORD_CHARS,
    )
    return page("Set a password", body, status)


def _ask(*, problem: str = "", status: int = 200) -> HTMLResponse:
    return page("A forgotten password", _ASK.format(problem=_told(problem)), status)


def _told(problem: str) -> str:
    return f'<p class="problem" role="alert">{escape(problem)}</p>' if problem else ""


password_routes: list[BaseRoute] = [
    Route(ASK_PATH, ask_page, methods=["GET"]),
    Route(ASK_PATH, ask, methods=["POST"]),
    Route(SET_PATH, set_page, methods=["GET"]),
    Route(SET_PATH, set_password, methods=["POST"]),
]
