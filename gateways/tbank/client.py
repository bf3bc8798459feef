"""Calls T-Bank (API v2, developer.tbank.ru/eacq): payments, refunds, closing receipts; reads notifications."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urljoin

import httpx
import orjson

from core import http
from core.crypto import same
from core.settings import get_settings
from domain.billing import PaymentStatus
from domain.money import from_minor_units, minor_units
from domain.receipts import PREPAID, ReceiptMethod
from gateways.interface import (
    ForgedNotification,
    GatewayRefused,
    GatewayState,
    GatewayUnanswered,
    GatewayUnreachable,
    MalformedNotification,
    OpenRequest,
    Receipt,
    ReceiptLine,
    RegisteredReceipt,
    UnknownPayment,
)
from gateways.tbank.states import REFUNDING, status_of
from gateways.tbank.token import token

NO_ERROR = "0"
UNKNOWN_CODES = frozenset({"255", "335"})
RETRYABLE_CODE = "9999"
# A wrong, lost, stolen, closed, expired or restricted card, and a terminal or card that takes no recurrent payments
# (API v2, error codes of the bank's answers).
HARD_DECLINES = frozenset(
    {"10", "104", "1014", "1015", "1033", "1039", "1041", "1043", "1053", "1054", "1057", "1058", "1078"}
)
LONGEST_DESCRIPTION = 140
PING_SECONDS = 5.0
# In all, however slowly the bank answers: nobody else takes up a payment while two calls about it follow each other.
LONGEST_CALL = timedelta(seconds=15)
LONGEST_ITEM_NAME = 128
# A quantity has five digits at most before its point, and three behind it.
MOST_QUANTITY = 100_000
CLOSING_RECEIPT = "../cashbox/SendClosingReceipt"
RECEIPT = "RECEIPT"
# Where a payment came from (`Params` of GetState); a refund by the SBP does not know its ExternalRequestId again.
SOURCE = "Source"
SBP = "qrsbp"
# A prepayment has no price to add the tax to: the tax is calculated from the whole (tag 1199).
CALCULATED = {"vat5": "vat105", "vat7": "vat107", "vat10": "vat110", "vat20": "vat120", "vat22": "vat122"}
PRIVATE_KEYS = frozenset({"Token", "RebillId", "ExpDate", "CardId", "Data", "DATA", "Receipt"})


class TBankGateway:
    """One terminal of T-Bank.

    Parameters:
        url: base address, ending in `/v2/`.
        terminal_key: the terminal.
        password: its password, the secret of all signatures.
        two_stage: whether money is held until it is confirmed.
    """

    name = "tbank"
    accepted = "OK"
    hard_declines = HARD_DECLINES

    def __init__(self, url: str, terminal_key: str, password: str, *, two_stage: bool = False) -> None:
        self._url = url if url.endswith("/") else f"{url}/"
        self._terminal_key = terminal_key
        self.account = f"{self.name}:{terminal_key}"
        self._password = password
        self.two_stage = two_stage

    async def ping(self) -> None:
        """Any answer of the server counts; nothing is asked of it."""
        try:
            async with http.client(timeout_seconds=PING_SECONDS) as client:
                answer = await client.get(self._url)
        except httpx.HTTPError as error:
            raise GatewayUnanswered(f"T-Bank does not answer: {type(error).__name__}") from error
        if answer.is_server_error:
            raise GatewayUnanswered(f"T-Bank answers {answer.status_code}")

    async def open(self, request: OpenRequest) -> GatewayState:
        """`Init`, with the receipt where it is known who gets it."""
        if request.currency != "RUB":
            raise GatewayRefused(f"T-Bank takes RUB, not {request.currency}", "CURRENCY")
        parameters: dict[str, Any] = {
            "Amount": minor_units(request.amount),
            "OrderId": request.order_id,
            "Description": request.description[:LONGEST_DESCRIPTION],
            "PayType": "T" if self.two_stage else "O",
            "NotificationURL": request.notification_url,
            "SuccessURL": request.return_url,
            "FailURL": request.return_url,
            "RedirectDueDate": request.expires_at.isoformat(timespec="seconds"),
        }
        if request.recurrent:
            parameters |= {"Recurrent": "Y", "CustomerKey": request.customer_key}
        if request.receipt is not None:
            parameters["Receipt"] = _receipt(request.receipt)
        return _state(await self._call("Init", parameters))

    async def state(self, gateway_payment_id: str) -> GatewayState:
        """`GetState`."""
        return _asked(await self._call("GetState", {"PaymentId": gateway_payment_id}))

    async def find(self, order_id: str) -> GatewayState | None:
        """`CheckOrder`: the newest payment of the order."""
        try:
            answer = await self._call("CheckOrder", {"OrderId": order_id})
        except UnknownPayment:
            return None
        payments = answer.get("Payments") or []
        if not payments:
            return None
        newest = max(payments, key=lambda payment: int(payment.get("PaymentId", 0)))
        return _asked({**newest, "OrderId": order_id})

    async def cancel(
        self, gateway_payment_id: str, amount: Decimal, key: str, receipt: Receipt | None = None
    ) -> GatewayState:
        """`Cancel`: in full or in part; but for the SBP a ``key`` gives back once. A part has a receipt of its own."""
        parameters: dict[str, Any] = {"PaymentId": gateway_payment_id, "Amount": minor_units(amount)}
        parameters["ExternalRequestId"] = key
        if receipt is not None:
            parameters["Receipt"] = _receipt(receipt)
        return _state(await self._call("Cancel", parameters))

    async def refund_refusal(self, gateway_payment_id: str) -> GatewayRefused | None:
        """`GetQrState`: the SBP's refusal of the last refund."""
        answer = await self._call("GetQrState", {"PaymentId": gateway_payment_id})
        code = str(answer.get("QrCancelCode") or "")
        return GatewayRefused(str(answer.get("QrCancelMessage") or "") or "the SBP refused", code) if code else None

    async def confirm(self, gateway_payment_id: str, amount: Decimal) -> GatewayState:
        """`Confirm`: the whole amount that is held."""
        return _state(await self._call("Confirm", {"PaymentId": gateway_payment_id, "Amount": minor_units(amount)}))

    async def close(self, gateway_payment_id: str, key: str) -> GatewayState:
        """`Cancel` of a payment that waits; one that does not is left alone."""
        state = await self.state(gateway_payment_id)
        if state.status != PaymentStatus.PENDING:
            return state
        parameters = {"PaymentId": gateway_payment_id, "ExternalRequestId": key}
        return _state(await self._call("Cancel", parameters))

    async def close_receipt(self, gateway_payment_id: str, receipt: Receipt) -> None:
        """`SendClosingReceipt`, which lives at the bank's cash registers and not among the payments."""
        await self._call(CLOSING_RECEIPT, {"PaymentId": gateway_payment_id, "Receipt": _receipt(receipt)})

    async def charge(self, gateway_payment_id: str, rebill_id: str) -> GatewayState:
        """`Charge`: a fresh payment by the stored card."""
        return _state(await self._call("Charge", {"PaymentId": gateway_payment_id, "RebillId": rebill_id}))

    def read_notification(self, raw: str, headers: Mapping[str, str]) -> GatewayState:
        """Check terminal and token of a notification and read it.

        Raises:
            ForgedNotification: another terminal, or a wrong token.
            MalformedNotification: not a JSON object, or without the fields of a payment.
        """
        try:
            body = orjson.loads(raw)
        except orjson.JSONDecodeError:
            raise MalformedNotification("the notification is not JSON") from None
        if not isinstance(body, dict):
            raise MalformedNotification("the notification is not a JSON object")
        told = body.get("Token")
        if not isinstance(told, str) or not same(told, token(body, self._password)):
            raise ForgedNotification("the notification's token is wrong")
        if body.get("TerminalKey") != self._terminal_key:
            raise ForgedNotification("the notification is for another terminal")
        if not isinstance(body.get("OrderId"), str) or "Status" not in body or "PaymentId" not in body:
            raise MalformedNotification("the notification is not about a payment")
        return _state(body)

    async def _call(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        body = {"TerminalKey": self._terminal_key, **parameters}
        body["Token"] = token(body, self._password)
        try:
            async with asyncio.timeout(LONGEST_CALL.total_seconds()), http.client() as client:
                response = await client.post(urljoin(self._url, method), json=body)
            answer = orjson.loads(response.content)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise GatewayUnreachable(f"T-Bank cannot be reached for {method}: {type(error).__name__}") from error
        except (httpx.HTTPError, TimeoutError, orjson.JSONDecodeError) as error:
            raise GatewayUnanswered(f"T-Bank did not answer {method}: {type(error).__name__}") from error
        if not isinstance(answer, dict) or response.is_server_error:
            raise GatewayUnanswered(f"T-Bank answered {method} with status {response.status_code}")
        code = str(answer.get("ErrorCode", ""))
        if code == RETRYABLE_CODE:
            raise GatewayUnanswered(f"T-Bank had an internal error in {method}")
        if not answer.get("Success") and "Status" not in answer:
            refusal = UnknownPayment if code in UNKNOWN_CODES else GatewayRefused
            raise refusal(_message(answer) or f"{method} was refused", code)
        if not answer.get("Success") and method in ("Init", "Confirm", "Cancel"):
            raise GatewayRefused(_message(answer) or f"{method} was refused", code)
        return answer


def _state(answer: Mapping[str, Any]) -> GatewayState:
    gateway_status = str(answer.get("Status", ""))
    code = str(answer.get("ErrorCode", NO_ERROR))
    amount = answer.get("Amount")
    if status_of(gateway_status) == PaymentStatus.PARTIALLY_REFUNDED and "NewAmount" in answer:
        amount = int(answer["OriginalAmount"]) - int(answer["NewAmount"])
    return GatewayState(
        status=status_of(gateway_status),
        gateway_status=gateway_status,
        order_id=_optional(answer.get("OrderId")),
        gateway_payment_id=_optional(answer.get("PaymentId")),
        amount=from_minor_units(int(amount)) if amount is not None else None,
        payment_link=_optional(answer.get("PaymentURL")),
        rebill_id=_optional(answer.get("RebillId")),
        masked_card=_optional(answer.get("Pan")),
        rrn=_optional(answer.get("RRN")),
        error_code=None if code == NO_ERROR else code,
        error_message=None if code == NO_ERROR else _message(answer),
        refunding=gateway_status in REFUNDING,
        receipt=_registered(answer) if gateway_status == RECEIPT else None,
        raw={name: value for name, value in answer.items() if name not in PRIVATE_KEYS},
    )


def _asked(answer: Mapping[str, Any]) -> GatewayState:
    """The answer to a question: its amount is the payment's, and says nothing of how much of it was given back."""
    state = _state(answer)
    sources = [param.get("Value") for param in answer.get("Params") or () if param.get("Key") == SOURCE]
    told = None if state.status == PaymentStatus.PARTIALLY_REFUNDED else state.amount
    return replace(state, amount=told, repeatable=bool(sources) and SBP not in sources)


def _registered(answer: Mapping[str, Any]) -> RegisteredReceipt:
    """What the cash register tells; a receipt none of whose items is a prepayment closes one."""
    told = answer.get("Receipt")
    items = told.get("Items") if isinstance(told, dict) else None
    methods = {str(item.get("PaymentMethod", "full_payment")) for item in items or () if isinstance(item, dict)}
    refused = str(answer.get("ErrorCode", NO_ERROR)) != NO_ERROR
    return RegisteredReceipt(
        closing=methods == {ReceiptMethod.FULL_PAYMENT.lower()} and answer.get("Type") != "IncomeReturn",
        document=None if refused else _optional(answer.get("FiscalDocumentNumber")),
        url=None if refused else _optional(answer.get("Url")),
        error=(str(answer.get("ErrorMessage") or "") or _message(answer) or "refused") if refused else None,
    )


def _receipt(receipt: Receipt) -> dict[str, Any]:
    """The 54-FZ receipt, FFD 1.05; its items sum to the amount."""
    to = {"Phone": receipt.phone or ""} if receipt.email is None else {"Email": receipt.email}
    items = [_item(line, receipt.method) for line in receipt.lines]
    return {**to, "Taxation": get_settings().tbank_taxation, "Items": items}


def _item(line: ReceiptLine, method: ReceiptMethod) -> dict[str, Any]:
    """One item: its amount is quantity times price to the kopeck, or it is told as one of its amount."""
    vat = get_settings().tbank_vat
    quantity, price = line.quantity, line.unit_price
    if quantity * price != line.amount or quantity >= MOST_QUANTITY:
        quantity, price = Decimal(1), line.amount
    return {
        "Name": line.name[:LONGEST_ITEM_NAME],
        "Price": minor_units(price),
        "Quantity": int(quantity) if quantity == int(quantity) else float(quantity),
        "Amount": minor_units(line.amount),
        "Tax": CALCULATED.get(vat, vat) if method in PREPAID else vat,
        "PaymentMethod": method.lower(),
        "PaymentObject": "service",
    }


def _message(answer: Mapping[str, Any]) -> str:
    parts = (str(answer.get(name) or "") for name in ("Message", "Details"))
    return " ".join(part for part in parts if part)


def _optional(value: Any) -> str | None:
    return None if value is None else str(value)
