"""Pages of the second factor, for browsers without scripts: the code at sign-in, and one's own app (ACC-1)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from html import escape
from urllib.parse import urlencode

import segno
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from core.database import transaction
from core.errors import KontoraError
from core.principal import Principal
from services import access
from web.auth import CHALLENGE_COOKIE, cookie_of, drop_cookie, finish_cookie_session, principal_of
from web.body import read_form
from web.pages import (
    CODE_PATH,
    FACTOR_PATH,
    LONGEST_FIELD_CHARS,
    foreign_form,
    from_our_page,
    let_in,
    local_path,
    page,
    see,
)

UNPROCESSABLE = 422
Change = Callable[[Principal, dict[str, str]], Awaitable[Response]]

_CODE_FIELD = """<label>Code <input name="code" inputmode="{mode}" autocomplete="one-time-code" maxlength="50"
 required{focus}></label>"""
_RECOVERY_FIELD = """<label>Recovery code <input name="recovery_code" autocomplete="off" maxlength="50"
 required{focus}></label>"""
_ASK = """{problem}<p>{told}</p>
<form method="post" action="{action}">
<input type="hidden" name="next" value="{next}">
{field}
<button type="submit" class="primary">Sign in</button>
</form>
<p><a href="{other}">{other_text}</a></p>
<p><a href="/sign-in">Begin again</a></p>"""
_SET_UP = """{problem}<p>{told}</p>
<form method="post" action="/second-factor/start"><button type="submit" class="primary">Set up an app</button></form>
<form method="post" action="/sign-out" class="apart"><button type="submit">Sign out</button></form>"""
_SCAN = """<p>Scan this with your authenticator app. It is shown this once.</p>
<p class="qr"><img src="{qr}" alt="QR code for authenticator apps" width="240" height="240"></p>
<details><summary>Or type the secret in</summary><p><code class="secret">{secret}</code></p></details>"""
_CONFIRM = """{above}{problem}<p>Then enter the six digits that the app shows.</p>
<form method="post" action="/second-factor/confirm">
{field}
<button type="submit" class="primary">Put it in force</button>
</form>
<form method="post" action="/second-factor/start" class="apart"><button type="submit">Begin again</button></form>"""
_CODES = """<p>Keep these where you would find them without your phone: each signs you in once in place of a code.
They are shown this once.</p>
<ul class="codes">{codes}</ul>
<p><a href="/" class="button primary">I have kept them</a></p>"""
_IN_FORCE = """{problem}<p>Your authenticator app is in force since {since}.
Recovery codes left: <strong>{left}</strong>.</p>
<h2>New recovery codes</h2>
<form method="post" action="/second-factor/recovery-codes">{code}<button type="submit">Make new ones</button></form>
<h2>Take it away</h2>
<form method="post" action="/second-factor/disable">
<label>Password <input type="password" name="password" autocomplete="current-password"></label>
{code}<button type="submit">Take it away</button></form>
<p class="quiet">Without the app, give a recovery code as code.</p>
<p><a href="/">Back</a></p>"""
_OPTIONAL = "An authenticator app protects your account even from those who know your password."
_REQUIRED = "Your role asks for a second factor. Set up an authenticator app; until then nothing else is open to you."


async def code_page(request: Request) -> Response:
    """The form for the code of a sign-in that waits for it."""
    if cookie_of(request, CHALLENGE_COOKIE) is None:
        return see("/sign-in")
    query = request.query_params
    return _ask(local_path(query.get("next", "")), recovery=query.get("with") == "recovery")


async def check_code(request: Request) -> Response:
    """Let a browser in whose code is right."""
    if not from_our_page(request):
        return foreign_form()
    challenge = cookie_of(request, CHALLENGE_COOKIE)
    form = await _form_of(request)
    if challenge is None or form is None:
        return see("/sign-in")
    wanted, recovery = local_path(form.get("next", "")), "recovery_code" in form
    shown = access.Shown(form.get("recovery_code", "") if recovery else form.get("code", ""), recovery)
    try:
        cookie = await finish_cookie_session(challenge, shown)
    except KontoraError as error:
        return _ask(wanted, recovery=recovery, problem=error.message)
    response = let_in(cookie, wanted)
    drop_cookie(response, CHALLENGE_COOKIE)
    return response


async def factor_page(request: Request) -> Response:
    """How one's second factor stands, and what can be done about it."""
    principal = await principal_of(request)
    return await _standing(principal) if principal.session_id else see(f"/sign-in?{urlencode({'next': FACTOR_PATH})}")


async def start(principal: Principal, _form: dict[str, str]) -> Response:
    """Show the QR code of a new enrolment, once."""
    async with transaction() as session:
        begun = await access.start_enrolment(session, principal)
    qr = segno.make(begun.uri, micro=False).svg_data_uri(scale=5, light="white")
    return _confirm(above=_SCAN.format(qr=escape(qr), secret=escape(begun.secret)))


async def confirm(principal: Principal, form: dict[str, str]) -> Response:
    """Put the app in force and show the recovery codes, once."""
    async with transaction() as session:
        found = await access.confirm_enrolment(session, principal, code=form.get("code", ""))
    return _confirm(problem=found.message) if isinstance(found, access.Refused) else _codes(found)


async def recovery_codes(principal: Principal, form: dict[str, str]) -> Response:
    """Make new recovery codes and show them, once."""
    async with transaction() as session:
        found = await access.regenerate_recovery_codes(session, principal, shown=_shown(form))
    return await _standing(principal, problem=found.message) if isinstance(found, access.Refused) else _codes(found)


async def disable(principal: Principal, form: dict[str, str]) -> Response:
    """Take one's own second factor away."""
    async with transaction() as session:
        found = await access.disable_totp(session, principal, password=form.get("password"), shown=_shown(form))
    return await _standing(principal, problem=found.message) if isinstance(found, access.Refused) else see(FACTOR_PATH)


def _of_oneself(change: Change) -> Callable[[Request], Awaitable[Response]]:
    """A door to a change of one's own factor by a form of ours; what is refused is told above how it stands."""

    async def door(request: Request) -> Response:
        if not from_our_page(request):
            return foreign_form()
        principal = await principal_of(request)
        if not principal.session_id:
            return see("/sign-in")
        form = await _form_of(request) or {}
        try:
            return await change(principal, form)
        except KontoraError as error:
            return await _standing(principal, problem=error.message)

    return door


def _ask(wanted: str, *, recovery: bool, problem: str = "") -> Response:
    other = urlencode({"next": wanted} if recovery else {"next": wanted, "with": "recovery"})
    body = _ASK.format(
        problem=_problem(problem),
        told="Enter one of your recovery codes." if recovery else "Enter the six digits that your app shows.",
        action=CODE_PATH,
        next=escape(wanted),
        field=(_RECOVERY_FIELD if recovery else _CODE_FIELD).format(mode="numeric", focus=" autofocus"),
        other=escape(f"{CODE_PATH}?{other}"),
        other_text="Use a code of the app" if recovery else "Use a recovery code",
    )
    return page("Second factor", body, UNPROCESSABLE if problem else 200)


def _confirm(*, above: str = "", problem: str = "") -> Response:
    field = _CODE_FIELD.format(mode="numeric", focus=" autofocus" if problem else "")
    body = _CONFIRM.format(above=above, problem=_problem(problem), field=field)
    return page("Set up an app", body, UNPROCESSABLE if problem else 200)


def _codes(codes: list[str]) -> Response:
    items = "".join(f"<li><code>{escape(code)}</code></li>" for code in codes)
    return page("Recovery codes", _CODES.format(codes=items))


async def _standing(principal: Principal, *, problem: str = "") -> Response:
    assert principal.user_id is not None, "only people come here"
    async with transaction() as session:
        own = await access.own_factor(session, principal.user_id)
    status = UNPROCESSABLE if problem else 200
    if own.confirmed_at is None:
        told = _REQUIRED if own.required else _OPTIONAL
        return page("Second factor", _SET_UP.format(problem=_problem(problem), told=told), status)
    since = f"{own.confirmed_at:%Y-%m-%d}"
    code = _CODE_FIELD.format(mode="text", focus="")
    body = _IN_FORCE.format(problem=_problem(problem), since=since, left=own.recovery_codes_left, code=code)
    return page("Second factor", body, status)


def _problem(problem: str) -> str:
    return f'<p class="problem" role="alert">{escape(problem)}</p>' if problem else ""


def _shown(form: dict[str, str]) -> access.Shown:
    """The one field takes both kinds: a code of the app is digits only."""
    text = form.get("code", "")
    return access.Shown(text, recovery=not text.replace(" ", "").isdecimal())


async def _form_of(request: Request) -> dict[str, str] | None:
    form = await read_form(request)
    return form if all(len(value) <= LONGEST_FIELD_CHARS for value in form.values()) else None


factor_routes: list[BaseRoute] = [
    Route(CODE_PATH, code_page),
    Route(CODE_PATH, check_code, methods=["POST"]),
    Route(FACTOR_PATH, factor_page),
    Route(f"{FACTOR_PATH}/start", _of_oneself(start), methods=["POST"]),
    Route(f"{FACTOR_PATH}/confirm", _of_oneself(confirm), methods=["POST"]),
    Route(f"{FACTOR_PATH}/recovery-codes", _of_oneself(recovery_codes), methods=["POST"]),
    Route(f"{FACTOR_PATH}/disable", _of_oneself(disable), methods=["POST"]),
]
