"""A gateway that lives in this process: its pay page writes signed notifications like a real one's."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from hashlib import sha256

import orjson

from core.crypto import keyed_hash, same
from domain.billing import PaymentStatus
from gateways.interface import (
    ForgedNotification,
    GatewayRefused,
    GatewayState,
    MalformedNotification,
    OpenRequest,
    Receipt,
)

PAY_PATH = "/sandbox/pay"
PAN = "220138******0013"
AUTHORIZATION_CODE = "A1B2C3"
RRN_DIGITS = 12
_PURPOSE = "sandbox-notification"
# What the pay page's cards answer to later charges, by the key that they are stored under.
GOOD_CARD = "sandbox-card-good"
EMPTY_CARD = "sandbox-card-empty"
LOST_CARD = "sandbox-card-lost"
_DECLINES = {EMPTY_CARD: ("NO_FUNDS", "not enough money on the card"), LOST_CARD: ("LOST_CARD", "the card is lost")}
_SIGNED = ("orderId", "paymentId", "status", "amount", "currency", "rebillId")


class SandboxGateway:
    """Payments that only the pay page moves.

    Parameters:
        base_url: our public address, where the pay page is.
    """

    name = "sandbox"
    account = "sandbox"
    accepted = "OK"
    hard_declines = frozenset({"LOST_CARD"})
    two_stage = False

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url

    async def ping(self) -> None:
        """This process is always there."""

    async def open(self, request: OpenRequest) -> GatewayState:
        """Give the link of the pay page; the order id cannot be guessed."""
        return GatewayState(
            status=PaymentStatus.PENDING,
            gateway_status="NEW",
            order_id=request.order_id,
            gateway_payment_id=payment_id_of(request.order_id),
            amount=request.amount,
            payment_link=f"{self._base_url}{PAY_PATH}/{request.order_id}",
            raw={"status": "NEW", "orderId": request.order_id},
        )

    async def charge(self, gateway_payment_id: str, rebill_id: str) -> GatewayState:
        """What the stored card of the pay page answers."""
        declined = _DECLINES.get(rebill_id)
        if declined is not None:
            raise GatewayRefused(declined[1], declined[0])
        return GatewayState(
            status=PaymentStatus.CONFIRMED,
            gateway_status="CONFIRMED",
            gateway_payment_id=gateway_payment_id,
            masked_card=PAN,
            rrn=rrn_of(gateway_payment_id),
            authorization_code=AUTHORIZATION_CODE,
            raw={"status": "CONFIRMED"},
        )

    async def state(self, gateway_payment_id: str) -> GatewayState:
        """Nothing new: this gateway tells all that it knows in notifications."""
        return GatewayState(status=None, gateway_status="NEW", gateway_payment_id=gateway_payment_id, repeatable=True)

    async def find(self, order_id: str) -> GatewayState | None:
        """Nothing: opening cannot go unanswered here."""
        return None

    async def cancel(
        self, gateway_payment_id: str, amount: Decimal, key: str, receipt: Receipt | None = None
    ) -> GatewayState:
        """Give the money back at once."""
        return GatewayState(
            status=PaymentStatus.REFUNDED,
            gateway_status="REFUNDED",
            gateway_payment_id=gateway_payment_id,
            amount=amount,
            raw={"status": "REFUNDED"},
        )

    async def refund_refusal(self, gateway_payment_id: str) -> GatewayRefused | None:
        """None: money is given back at once."""
        return None

    async def confirm(self, gateway_payment_id: str, amount: Decimal) -> GatewayState:
        """Nothing: no money is ever held here."""
        return await self.state(gateway_payment_id)

    async def close(self, gateway_payment_id: str, key: str) -> GatewayState:
        """The pay page asks us for the state, so nothing is left to be told."""
        return GatewayState(
            status=PaymentStatus.CANCELED,
            gateway_status="CANCELED",
            gateway_payment_id=gateway_payment_id,
            raw={"status": "CANCELED"},
        )

    async def close_receipt(self, gateway_payment_id: str, receipt: Receipt) -> None:
        """Taken; there is no cash register behind it."""

    def read_notification(self, raw: str, headers: Mapping[str, str]) -> GatewayState:
        """Check the signature of what :func:`notification` wrote and read it.

        Raises:
            ForgedNotification: the signature is wrong.
            MalformedNotification: it is not in our form.
        """
        try:
            body = orjson.loads(raw)
            values = {name: body[name] for name in (*_SIGNED, "signature")}
        except (orjson.JSONDecodeError, KeyError, TypeError):
            raise MalformedNotification("the notification is not in the sandbox gateway's form") from None
        if not all(isinstance(value, str) for value in values.values()):
            raise MalformedNotification("the values of a notification are strings")
        if not same(values.pop("signature"), _signature(values)):
            raise ForgedNotification("the notification's signature is wrong")
        try:
            status, amount = PaymentStatus(values["status"]), Decimal(values["amount"])
        except (ValueError, InvalidOperation):
            raise MalformedNotification("the notification's status or amount is unknown") from None
        return GatewayState(
            status=status,
            gateway_status=values["status"],
            order_id=values["orderId"],
            gateway_payment_id=values["paymentId"],
            amount=amount,
            rebill_id=values["rebillId"] or None,
            masked_card=PAN if status == PaymentStatus.CONFIRMED else None,
            rrn=rrn_of(values["paymentId"]) if status == PaymentStatus.CONFIRMED else None,
            authorization_code=AUTHORIZATION_CODE if status == PaymentStatus.CONFIRMED else None,
            raw={name: value for name, value in values.items() if name != "rebillId"},
        )


def payment_id_of(order_id: str) -> str:
    """The sandbox gateway's id of a payment."""
    return f"SBX-{order_id}"


def rrn_of(gateway_payment_id: str) -> str:
    """The retrieval reference number of a payment: digits, the same each time."""
    return str(int.from_bytes(sha256(gateway_payment_id.encode()).digest()))[:RRN_DIGITS]


def notification(
    order_id: str, amount: Decimal, currency: str, status: PaymentStatus, rebill_id: str | None = None
) -> str:
    """The signed notification that the pay page sends when a button is pressed.

    Parameters:
        rebill_id: the key of the card that paid, where it is stored for later charges.
    """
    values = {
        "orderId": order_id,
        "paymentId": payment_id_of(order_id),
        "status": status.value,
        "amount": str(amount),
        "currency": currency,
        "rebillId": rebill_id or "",
    }
    return orjson.dumps({**values, "signature": _signature(values)}).decode()


def _signature(values: Mapping[str, str]) -> str:
    return keyed_hash("\0".join(values[name] for name in _SIGNED), _PURPOSE)
