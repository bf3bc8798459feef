"""What every payment gateway can do, in our words (GW-3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from core.errors import KontoraError
from domain.billing import PaymentStatus
from domain.receipts import ReceiptMethod


class GatewayRefused(KontoraError):
    """The gateway answered no; asking the same again cannot help.

    Parameters:
        error_code: the gateway's own code.
    """

    code = "GATEWAY_REFUSED"

    def __init__(self, message: str, error_code: str) -> None:
        super().__init__(message)
        self.error_code = error_code


class UnknownPayment(GatewayRefused):
    """The gateway has no such payment, as far as it may say."""

    code = "GATEWAY_UNKNOWN_PAYMENT"


class GatewayUnanswered(KontoraError):
    """No answer came, so what the gateway did is unknown; ask before sending again."""

    code = "GATEWAY_UNANSWERED"


class ForgedNotification(KontoraError):
    """A notification whose signature is not the gateway's."""

    code = "FORGED_NOTIFICATION"


class MalformedNotification(KontoraError):
    """A notification that is not in the gateway's form."""

    code = "MALFORMED_NOTIFICATION"


class GatewayUnreachable(GatewayUnanswered):
    """The gateway could not be reached, so it was told nothing; sending again is safe."""

    code = "GATEWAY_UNREACHABLE"


@dataclass(frozen=True)
class ReceiptLine:
    """One line of the receipt (54-FZ); amounts in major units."""

    name: str
    quantity: Decimal
    unit_price: Decimal
    amount: Decimal


@dataclass(frozen=True)
class Receipt:
    """A receipt (54-FZ): its lines sum to the money that moves.

    Parameters:
        method: what it calls the settlement (tag 1214).
        email, phone: where it goes; at least one of them.
    """

    lines: tuple[ReceiptLine, ...]
    method: ReceiptMethod
    email: str | None = None
    phone: str | None = None


@dataclass(frozen=True)
class OpenRequest:
    """A payment to be opened at the gateway.

    Parameters:
        order_id: our unique id of the payment, at most 36 characters.
        expires_at: after this moment the link no longer works.
        recurrent: whether the card is to be kept for renewals, under ``customer_key``.
        receipt: what the customer's receipt says (54-FZ); None where nobody is known who could get it.
    """

    order_id: str
    amount: Decimal
    currency: str
    description: str
    customer_key: str
    recurrent: bool
    notification_url: str
    return_url: str
    expires_at: datetime
    receipt: Receipt | None = None


@dataclass(frozen=True)
class RegisteredReceipt:
    """What the cash register behind a gateway tells of a receipt.

    Parameters:
        closing: whether it is a closing receipt, not that of the payment itself.
        document: number of the fiscal document; None where the register refused.
        url: where the customer can look at it.
        error: why the register refused it; None where it did not.
    """

    closing: bool
    document: str | None
    url: str | None
    error: str | None


@dataclass(frozen=True)
class GatewayState:
    """What the gateway says of a payment, in an answer or a notification.

    Parameters:
        status: our state; None where the gateway's is unknown to us or changes nothing.
        gateway_status: the gateway's own word.
        amount: of the payment, or, of one that was given back in part, what was given back; None where not told.
        rebill_id: key of the stored card, for later charges; secret.
        refunding: whether it is giving money back at this moment.
        repeatable: whether a refund that is asked for again under its key is known to give nothing back twice.
        receipt: where a cash register tells of a receipt; such a message moves no payment.
        raw: the whole answer without personal data.
    """

    status: PaymentStatus | None
    gateway_status: str
    order_id: str | None = None
    gateway_payment_id: str | None = None
    amount: Decimal | None = None
    payment_link: str | None = None
    rebill_id: str | None = None
    masked_card: str | None = None
    rrn: str | None = None
    authorization_code: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    refunding: bool = False
    repeatable: bool = False
    receipt: RegisteredReceipt | None = None
    raw: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of_refusal(cls, refused: GatewayRefused) -> GatewayState:
        """Of a payment that the gateway would not take."""
        return cls(
            status=PaymentStatus.REJECTED,
            gateway_status="REFUSED",
            error_code=refused.error_code,
            error_message=refused.message,
        )


class Gateway(Protocol):
    """A payment gateway. Calls raise GatewayRefused and GatewayUnanswered; none is made inside a transaction.

    ``account`` names the merchant account behind it: only the account that stored a card may charge it.
    ``hard_declines`` are the gateway's error codes after which a stored card will never work again. With ``two_stage``
    money is held until it is confirmed.
    """

    name: str
    account: str
    accepted: str
    hard_declines: frozenset[str]
    two_stage: bool

    async def ping(self) -> None:
        """Make sure that the gateway is there; GatewayUnanswered where it is not."""

    async def open(self, request: OpenRequest) -> GatewayState:
        """Open a payment and get the link of its page."""

    async def charge(self, gateway_payment_id: str, rebill_id: str) -> GatewayState:
        """Take an opened payment from a stored card."""

    async def state(self, gateway_payment_id: str) -> GatewayState:
        """Ask for the state of a payment."""

    async def find(self, order_id: str) -> GatewayState | None:
        """Look for a payment by our id; None if the gateway never got it."""

    async def cancel(
        self, gateway_payment_id: str, amount: Decimal, key: str, receipt: Receipt | None = None
    ) -> GatewayState:
        """Give money back; ``key`` makes a repeat harmless where the payment's state is ``repeatable``.

        Parameters:
            receipt: of what is given back, for a part of the payment; the whole needs none.
        """

    async def refund_refusal(self, gateway_payment_id: str) -> GatewayRefused | None:
        """Why the last refund that the gateway had taken on came to nothing; None where it knows of none."""

    async def confirm(self, gateway_payment_id: str, amount: Decimal) -> GatewayState:
        """Take money that is held."""

    async def close_receipt(self, gateway_payment_id: str, receipt: Receipt) -> None:
        """Have the closing receipt of a prepayment made; no repeat is recognised, so none may be sent blindly.

        Raises:
            GatewayUnreachable: nothing was told, so that it may be sent again.
        """

    async def close(self, gateway_payment_id: str, key: str) -> GatewayState:
        """See to it that an unpaid payment takes no money any more; gives its state where it is not unpaid."""

    def read_notification(self, raw: str, headers: Mapping[str, str]) -> GatewayState:
        """Check the signature of a notification and read it.

        Raises:
            ForgedNotification: the signature is wrong.
            MalformedNotification: it is not in the gateway's form.
        """
