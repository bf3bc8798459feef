"""Pages for people with a browser: GraphiQL, signing in and out."""

from __future__ import annotations

from html import escape
from pathlib import Path
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import Receive, Scope, Send

from core import clock
from core.errors import KontoraError
from core.settings import get_settings
from domain.access import SignInMethod
from gateways.oidc.client import registration
from services.access import Challenge
from services.demo import DEMO_USERS
from web.assets import Assets
from web.auth import (
    CHALLENGE_COOKIE,
    COOKIE,
    drop_cookie,
    end_cookie_session,
    principal_of,
    set_cookie,
    set_session_cookie,
    start_cookie_session,
)
from web.body import read_form

STATIC = Path(__file__).parent / "static"
GRAPHIQL = STATIC / "graphiql" / "index.html"
CODE_PATH = "/sign-in/code"
FACTOR_PATH = "/second-factor"
OIDC_PATH = "/sign-in/oidc"
SIGNED_OUT_PATH = "/signed-out"
SEE_OTHER = 303
LONGEST_FIELD_CHARS = 500
# It is carried in a cookie on the way through a provider of single sign-on.
LONGEST_PATH_CHARS = 300
# Only our own files; the editor makes style elements, and workers from blobs. No other host is ever asked.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; manifest-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
PAGE_HEADERS = {"Content-Security-Policy": POLICY, "Cache-Control": "no-store"}

_FRAME = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · Kontora</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/static/page.css">
</head>
<body>
<p class="brand"><a href="/">Kontora</a></p>
<main>
<h1>{title}</h1>
{body}
</main>
</body>
</html>
"""
_SIGN_IN = """{problem}
<form method="post" action="/sign-in">
<input type="hidden" name="next" value="{next}">
<label>Email <input type="email" name="email" value="{email}" autocomplete="username" required{email_focus}></label>
<label>Password <input type="password" name="password" autocomplete="current-password" required{password_focus}></label>
<button type="submit" class="primary">Sign in</button>
</form>
<p><a href="/forgotten-password">Forgot the password?</a></p>
{single_sign_on}
{people}"""
_SINGLE_SIGN_ON = '<p class="apart"><a href="{path}" class="button">{name}</a></p>'
_DEMO_PEOPLE = """<h2>People of the demo world</h2>
<table>
{rows}
</table>
<p class="quiet">Their password was printed by <code>make up</code>; KONTORA_DEMO_PASSWORD sets it.</p>
"""
_HOME = """<p>You are <strong>{email}</strong>, {roles}.</p>
<p>GraphiQL lets you ask for whatever you may see, with examples and the whole schema beside it.</p>
<p><a href="/graphql" class="button primary">Open GraphiQL</a></p>
<p class="quiet">Programs send GraphQL to <code>{url}/graphql</code> with <code>Authorization: Bearer …</code>.</p>
<p><a href="/second-factor">Second factor</a></p>
<form method="post" action="/sign-out"><button type="submit">Sign out</button></form>
"""
_NOT_BUILT = """
<p>The API is here and works. GraphiQL, the editor that this page shows, is built from npm packages, and that could
not be done on this machine yet. Build it while the network is there, then reload this page:</p>
<pre>make graphiql</pre>
"""


def page(title: str, body: str, status: int = 200) -> HTMLResponse:
    """One of our small pages.

    Parameters:
        body: HTML; everything variable in it must be escaped.
    """
    return HTMLResponse(_FRAME.format(title=escape(title), body=body), status, headers=PAGE_HEADERS)


async def graphiql_page(scope: Scope, receive: Receive, send: Send) -> None:
    """GraphiQL for who is signed in; the sign-in page for everybody else."""
    response: Response
    principal = await principal_of(Request(scope))
    if principal.kind == "anonymous":
        response = see(f"/sign-in?next={quote('/graphql')}")
    elif principal.must_enroll:
        response = see(FACTOR_PATH)
    elif GRAPHIQL.exists():
        response = HTMLResponse(GRAPHIQL.read_bytes(), headers=PAGE_HEADERS)
    else:
        response = page("GraphiQL is not built yet", _NOT_BUILT)
    await response(scope, receive, send)


async def sign_in_page(request: Request) -> Response:
    """The form to sign in with; a link may bring the address to sign in with."""
    asked = request.query_params
    return _form(next_path=local_path(asked.get("next", "")), email=asked.get("email", "")[:LONGEST_FIELD_CHARS])


async def sign_in(request: Request) -> Response:
    """Sign in by the form: a cookie session, and back to where one wanted to go."""
    if not from_our_page(request):
        return foreign_form()
    form = await read_form(request)
    email, password, wanted = (form.get(name, "") for name in ("email", "password", "next"))
    if max(len(email), len(password)) > LONGEST_FIELD_CHARS:
        return _form(problem="Email or password is too long.", status=422)
    try:
        found = await start_cookie_session(email, password)
    except KontoraError as error:
        return _form(email=email, next_path=local_path(wanted), problem=error.message, status=422)
    return ask_for_code(found, wanted) if isinstance(found, Challenge) else let_in(found, wanted)


def let_in(cookie: str, wanted: str) -> Response:
    """Send a browser where it wanted to go, with its session."""
    response = see(local_path(wanted))
    set_session_cookie(response, cookie)
    return response


def ask_for_code(challenge: Challenge, wanted: str) -> Response:
    """Send a browser to the page of the second factor."""
    response = see(f"{CODE_PATH}?{urlencode({'next': local_path(wanted)})}")
    seconds = int((challenge.expires_at - clock.now()).total_seconds())
    set_cookie(response, CHALLENGE_COOKIE, challenge.token, seconds=seconds)
    return response


def see(path: str) -> Response:
    """Send a browser to another page of ours, or of the provider of single sign-on."""
    return RedirectResponse(path, SEE_OTHER, {"Cache-Control": "no-store"})


async def sign_out(request: Request) -> Response:
    """End the cookie session."""
    if not from_our_page(request):
        return foreign_form()
    ended = await end_cookie_session(request)
    response = see(SIGNED_OUT_PATH if ended is SignInMethod.OIDC else "/sign-in")
    drop_cookie(response, COOKIE)
    return response


async def home(request: Request) -> Response:
    """The front door: who one is and where to go; the sign-in form for strangers."""
    principal = await principal_of(request)
    if principal.kind == "anonymous":
        return see("/sign-in?next=/")
    if principal.must_enroll:
        return see(FACTOR_PATH)
    roles = ", ".join(principal.roles) or "without a role"
    body = _HOME.format(email=escape(principal.email or ""), roles=escape(roles), url=escape(get_settings().base_url))
    return page("Welcome", body)


def _form(*, next_path: str = "/graphql", email: str = "", problem: str = "", status: int = 200) -> HTMLResponse:
    shown = f'<p class="problem" role="alert">{escape(problem)}</p>' if problem else ""
    focus = {"email_focus": "" if email else " autofocus", "password_focus": " autofocus" if email else ""}
    people = _demo_people(next_path) if get_settings().mode == "sandbox" else ""
    other = ""
    if registration() is not None:
        path = f"{OIDC_PATH}?{urlencode({'next': next_path})}"
        other = _SINGLE_SIGN_ON.format(path=escape(path), name=escape(get_settings().oidc_name))
    body = _SIGN_IN.format(
        problem=shown, next=escape(next_path), email=escape(email), people=people, single_sign_on=other, **focus
    )
    return page("Sign in", body, status)


def _demo_people(next_path: str) -> str:
    """Whom one can be in the sandbox; production has no such people and no such list."""
    rows = "\n".join(
        f'<tr><td><a href="/sign-in?{escape(urlencode({"email": email, "next": next_path}))}">{email}</a></td>'
        f"<td>{role}</td></tr>"
        for email, role in DEMO_USERS.items()
    )
    return _DEMO_PEOPLE.format(rows=rows)


def foreign_form() -> Response:
    """What a form gets that was not sent by a page of ours."""
    return page("Not from here", "<p>This form was sent by another site.</p>", 403)


def from_our_page(request: Request) -> bool:
    """Whether a form was sent by a page of ours, by what browsers say about it."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is None or origin.partition("://")[2] == request.headers.get("host")


def local_path(path: str) -> str:
    """The path if it leads to us, else GraphiQL."""
    short = len(path) <= LONGEST_PATH_CHARS and path.isprintable()
    local = path.startswith("/") and not path.startswith(("//", "/\\"))
    return path if short and local else "/graphql"


page_routes: list[BaseRoute] = [
    Route("/", home),
    Route("/sign-in", sign_in_page),
    Route("/sign-in", sign_in, methods=["POST"]),
    Route("/sign-out", sign_out, methods=["POST"]),
    Mount("/static", Assets(directory=STATIC)),
]
