"""Doors for widgets in the pages of amoCRM: state, activation, orders and payments, by one-time tokens (INS-5)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy import or_, select
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from core.database import transaction
from core.errors import NotFound, Unauthenticated
from core.rates import Rates
from core.settings import get_settings
from domain.catalog import Term
from gateways.amocrm.hosts import is_account_origin
from gateways.amocrm.signatures import LONGEST_TOKEN_CHARS
from models import CoinPackage, Invoice, Payment, Plan, PlanPrice, Wallet
from policies.scopes import require
from services import amocrm, billing, installs, wallets
from services.amocrm import WidgetCaller
from services.install_state import install_state
from web.install_state import told_state
from web.rest import Fields, Malformed, answer, json_object, rest

PATH = "/api/v1/widget"
ALLOWED_HEADERS = "X-Auth-Token, Content-Type"
TOLD_HEADERS = "Retry-After, X-Request-Id"
PREFLIGHT_SECONDS = "600"
LONGEST_NUMBER = 50
_ORDER = frozenset({"planId", "term", "seats"})
_rates = Rates()
Door = Callable[[Request, WidgetCaller], Awaitable[Response]]


async def show(_: Request, caller: WidgetCaller) -> Response:
    """How the install stands."""
    return answer(await _state(caller))


async def activate(_: Request, caller: WidgetCaller) -> Response:
    """Activate the install: trial, wallet, bonus; twice is once."""
    require(caller.principal, "install:activate", "POST /api/v1/widget/activate")
    async with transaction() as session:
        await installs.activate(session, caller.principal, install_id=caller.install_id)
    return answer(await _state(caller))


async def plans(_: Request, caller: WidgetCaller) -> Response:
    """The plans on sale for the widget, with their prices."""
    require(caller.principal, "plan:read", "GET /api/v1/widget/plans")
    wanted = (
        select(Plan, PlanPrice)
        .join(PlanPrice, PlanPrice.plan_id == Plan.id)
        .where(Plan.product_id == caller.product_id, Plan.active)
        .order_by(Plan.id, PlanPrice.id)
    )
    offered: dict[int, dict[str, Any]] = {}
    async with transaction() as session:
        for plan, price in await session.execute(wanted):
            told = offered.setdefault(
                plan.id,
                {"planId": str(plan.id), "name": plan.name, "minSeats": plan.min_seats, "currency": plan.currency}
                | {"pricingModel": plan.pricing_model, "prices": []},
            )
            told["prices"].append({"term": price.term, "unitPrice": price.unit_price})
    return answer({"plans": list(offered.values())})


async def order(request: Request, caller: WidgetCaller) -> Response:
    """Order a subscription; the link leads to the gateway's page. An order that waits is replaced."""
    body = Fields(await json_object(request), _ORDER)
    term = body.text("term", most_chars=20, default=Term.MONTH.value)
    if term not in Term.__members__:
        raise Malformed(f"term is one of {', '.join(Term.__members__)}", field=("term",))
    async with transaction() as session:
        invoice, payment = await billing.create_subscription(
            session,
            caller.principal,
            install_id=caller.install_id,
            plan_id=body.key("planId"),
            term=Term(term),
            seats=body.whole("seats", default=0) or None,
            replace=True,
        )
        ordered = (invoice.id, None if payment is None else payment.id)
    return await _payable(*ordered, status=201)


async def packages(_: Request, caller: WidgetCaller) -> Response:
    """The packages of coins on sale for the widget."""
    require(caller.principal, "coin_package:read", "GET /api/v1/widget/packages")
    wanted = (
        select(CoinPackage)
        .where(CoinPackage.active, or_(CoinPackage.product_id.is_(None), CoinPackage.product_id == caller.product_id))
        .order_by(CoinPackage.price, CoinPackage.id)
    )
    async with transaction() as session:
        offered = [
            {
                "packageId": str(package.id),
                "name": package.name,
                "coins": package.coins,
                "price": package.price,
                "currency": package.currency,
            }
            for package in await session.scalars(wanted)
        ]
    return answer({"packages": offered})


async def buy_coins(request: Request, caller: WidgetCaller) -> Response:
    """Order a package of coins; they come once it is paid."""
    body = Fields(await json_object(request), frozenset({"packageId"}))
    async with transaction() as session:
        wallet_id = await session.scalar(select(Wallet.id).where(Wallet.install_id == caller.install_id))
        if wallet_id is None:
            raise NotFound("there is no wallet; activate the widget first")
        _, payment = await wallets.buy(session, caller.principal, wallet_id=wallet_id, package_id=body.key("packageId"))
        ordered = (payment.invoice_id, payment.id)
    return await _payable(*ordered, status=201)


async def pay(request: Request, caller: WidgetCaller) -> Response:
    """A link that pays a bill of the install which waits, such as one of a renewal; a link that ended is made anew."""
    body = Fields(await json_object(request), frozenset({"invoiceNumber"}))
    number = body.text("invoiceNumber", most_chars=LONGEST_NUMBER)
    wanted = select(Invoice.id).where(Invoice.install_id == caller.install_id, Invoice.number == number)
    async with transaction() as session:
        invoice_id = await session.scalar(wanted)
        if invoice_id is None:
            raise NotFound.of("Invoice", field=("invoiceNumber",))
        payment = await billing.refresh_payment_link(session, caller.principal, invoice_id=invoice_id)
        payment_id = payment.id
    return await _payable(invoice_id, payment_id, status=200)


async def preflight(request: Request) -> Response:
    """What a browser asks before it sends a token from an account's page."""
    origin = request.headers.get("origin", "")
    if not is_account_origin(origin):
        return Response(status_code=403)
    return Response(
        status_code=204,
        headers={
            **_cors(origin),
            "Access-Control-Allow-Methods": "GET, POST",
            "Access-Control-Allow-Headers": ALLOWED_HEADERS,
            "Access-Control-Max-Age": PREFLIGHT_SECONDS,
        },
    )


async def _payable(invoice_id: int, payment_id: int | None, *, status: int) -> Response:
    """A bill with the link that pays it, which the gateway gives now; no link where nothing is to be paid."""
    if payment_id is not None:
        await billing.open_payment(payment_id)
    async with transaction() as session:
        billed = await session.get_one(Invoice, invoice_id)
        payment = None if payment_id is None else await session.get_one(Payment, payment_id)
        told = {"invoiceNumber": billed.number, "total": billed.total, "currency": billed.currency}
        return answer({**told, "paymentLink": payment and payment.payment_link}, status)


async def _state(caller: WidgetCaller) -> dict[str, Any]:
    async with transaction() as session:
        return told_state(await install_state(session, caller.install_id))


def _door(door: Door) -> Callable[[Request], Awaitable[Response]]:
    async def opened(request: Request) -> Response:
        token = request.headers.get("x-auth-token", "")
        if not 1 <= len(token) <= LONGEST_TOKEN_CHARS:
            raise Unauthenticated("send the widget's one-time token in X-Auth-Token")
        # Used up before anything is done, so that whatever fails later, the token is not good again.
        async with transaction() as session:
            caller = await amocrm.widget_principal(session, token)
        _rates.take(caller.install_id, get_settings().widget_requests_per_minute)
        return await door(request, caller)

    async def with_cors(request: Request) -> Response:
        response = await rest(opened)(request)
        origin = request.headers.get("origin", "")
        if is_account_origin(origin):
            response.headers.update(_cors(origin))
        return response

    return with_cors


def _cors(origin: str) -> dict[str, str]:
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Expose-Headers": TOLD_HEADERS,
        "Vary": "Origin",
    }


def _routes(path: str, door: Door, method: str) -> list[BaseRoute]:
    return [Route(path, _door(door), methods=[method]), Route(path, preflight, methods=["OPTIONS"])]


widget_routes: list[BaseRoute] = [
    *_routes(f"{PATH}/install", show, "GET"),
    *_routes(f"{PATH}/activate", activate, "POST"),
    *_routes(f"{PATH}/plans", plans, "GET"),
    *_routes(f"{PATH}/orders", order, "POST"),
    *_routes(f"{PATH}/packages", packages, "GET"),
    *_routes(f"{PATH}/coins", buy_coins, "POST"),
    *_routes(f"{PATH}/payments", pay, "POST"),
]
