"""Pay pages: the sandbox gateway's own, and the one that customers come back to (GW-3)."""

from __future__ import annotations

from html import escape

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from core.database import transaction
from core.settings import get_settings
from domain.billing import PaymentStatus
from gateways.sandbox.client import EMPTY_CARD, GOOD_CARD, LOST_CARD, PAY_PATH, notification
from services import billing
from services.billing.lookup import PaymentCard, find_payment
from web.body import read_form
from web.pages import SEE_OTHER, page

RELOAD_SECONDS = 2
PAYABLE = frozenset({PaymentStatus.PENDING, PaymentStatus.REJECTED, PaymentStatus.EXPIRED})
# What each button tells, and the card that is stored for renewals.
BUTTONS = {
    "pay": (PaymentStatus.CONFIRMED, GOOD_CARD),
    "pay-empty": (PaymentStatus.CONFIRMED, EMPTY_CARD),
    "pay-lost": (PaymentStatus.CONFIRMED, LOST_CARD),
    "decline": (PaymentStatus.REJECTED, None),
}

_PAY = """
<p class="amount">{amount} {currency}</p>
<p class="quiet">This is the sandbox gateway: no money moves.</p>
<form method="post">
<button type="submit" name="action" value="pay" class="primary">Pay</button>
<button type="submit" name="action" value="pay-empty">Pay by a card that is empty at the renewal</button>
<button type="submit" name="action" value="pay-lost">Pay by a card that is lost by the renewal</button>
<button type="submit" name="action" value="decline">Decline</button>
<button type="submit" name="action" value="later">Pay later</button>
</form>
"""
_STATES = {
    PaymentStatus.CONFIRMED: "The payment has arrived. Thank you.",
    PaymentStatus.REJECTED: "The payment was declined. The same link takes another try.",
    PaymentStatus.REFUNDED: "The payment was given back.",
    PaymentStatus.PARTIALLY_REFUNDED: "A part of the payment was given back.",
    PaymentStatus.REVERSED: "The payment was given back.",
    PaymentStatus.CANCELED: "This link was closed: the bill was withdrawn, replaced or paid another way.",
    PaymentStatus.EXPIRED: "The link has expired. Ask for a new one.",
}
_WAITING = "The payment has not arrived yet. This page looks again by itself."


async def show(request: Request) -> Response:
    """The sandbox gateway's pay page."""
    card = await _sandbox_card(request)
    if card is None:
        return page("No such payment", "<p>The link is wrong, or not one of the sandbox gateway.</p>", 404)
    if card.status not in PAYABLE:
        return RedirectResponse(_return_path(card.order_id), SEE_OTHER)
    # Thousands apart by thin spaces that do not break.
    amount = f"{card.amount:,}".replace(",", "\u202f")
    body = _PAY.format(amount=amount, currency=escape(card.currency))
    return page(f"Invoice {card.invoice_number}", body)


async def press(request: Request) -> Response:
    """A button of the pay page: the gateway notifies us, in the same way as any other."""
    card = await _sandbox_card(request)
    if card is None:
        return page("No such payment", "<p>The link is wrong, or not one of the sandbox gateway.</p>", 404)
    action = (await read_form(request)).get("action", "")
    if action == "later":
        return page("Later, then", "<p>The link stays valid until it expires.</p>")
    pressed = BUTTONS.get(action)
    if pressed is None:
        return page("Not understood", "<p>There is no such button.</p>", 400)
    status, rebill_id = pressed
    raw = notification(card.order_id, card.amount, card.currency, status, rebill_id)
    async with transaction() as session:
        await billing.receive_notification(session, card.gateway, raw, dict(request.headers))
    return RedirectResponse(_return_path(card.order_id), SEE_OTHER)


async def returned(request: Request) -> Response:
    """Where a customer comes back to: what became of the payment."""
    card = await _card(request)
    if card is None:
        return page("No such payment", "<p>The link is wrong.</p>", 404)
    text = _STATES.get(card.status, _WAITING)
    response = page(f"Invoice {card.invoice_number}", f"<p>{escape(text)}</p>")
    if text is _WAITING:
        response.headers["Refresh"] = str(RELOAD_SECONDS)
    return response


async def _card(request: Request) -> PaymentCard | None:
    order_id = request.path_params["order_id"]
    if "\0" in order_id:
        return None
    async with transaction() as session:
        return await find_payment(session, order_id)


async def _sandbox_card(request: Request) -> PaymentCard | None:
    if get_settings().mode != "sandbox":
        return None
    card = await _card(request)
    return card if card is not None and card.gateway == "sandbox" else None


def _return_path(order_id: str) -> str:
    return f"/pay/return/{order_id}"


pay_routes: list[BaseRoute] = [
    Route(f"{PAY_PATH}/{{order_id}}", show, methods=["GET"]),
    Route(f"{PAY_PATH}/{{order_id}}", press, methods=["POST"]),
    Route("/pay/return/{order_id}", returned, methods=["GET"]),
]
