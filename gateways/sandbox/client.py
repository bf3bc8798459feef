"""A gateway that lives in this process: its pay page writes signed notifications like a real one's."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

import orjson

from core.crypto import keyed_hash, same
from domain.billing import PaymentStatus
from gateways.interface import ForgedNotification, GatewayState, MalformedNotification, OpenRequest

PAY_PATH = "/sandbox/pay"
_PURPOSE = "sandbox-notification"
_SIGNED = ("orderId", "paymentId", "status", "amount", "currency")


class SandboxGateway:
    """Payments that only the pay page moves.

    Parameters:
        base_url: our public address, where the pay page is.
    """

    name = "sandbox"
    accepted = "OK"

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url

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

    async def state(self, gateway_payment_id: str) -> GatewayState:
        """Nothing new: this gateway tells all that it knows in notifications."""
        return GatewayState(status=None, gateway_status="NEW", gateway_payment_id=gateway_payment_id)

    async def find(self, order_id: str) -> GatewayState | None:
        """Nothing: opening cannot go unanswered here."""
        return None

    async def cancel(self, gateway_payment_id: str, amount: Decimal, key: str) -> GatewayState:
        """Give the money back at once."""
        return GatewayState(
            status=PaymentStatus.REFUNDED,
            gateway_status="REFUNDED",
            gateway_payment_id=gateway_payment_id,
            amount=amount,
            raw={"status": "REFUNDED"},
        )

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
            masked_card="220138******0013" if status == PaymentStatus.CONFIRMED else None,
            raw=values,
        )


def payment_id_of(order_id: str) -> str:
    """The sandbox gateway's id of a payment."""
    return f"SBX-{order_id}"


def notification(order_id: str, amount: Decimal, currency: str, status: PaymentStatus) -> str:
    """The signed notification that the pay page sends when a button is pressed."""
    values = {
        "orderId": order_id,
        "paymentId": payment_id_of(order_id),
        "status": status.value,
        "amount": str(amount),
        "currency": currency,
    }
    return orjson.dumps({**values, "signature": _signature(values)}).decode()


def _signature(values: Mapping[str, str]) -> str:
    return keyed_hash("\0".join(values[name] for name in _SIGNED), _PURPOSE)
