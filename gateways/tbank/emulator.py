"""A faithful local T-Bank: checks tokens, keeps payments, signs notifications, and misbehaves on demand.

Source: the bank's OpenAPI document 1.80 and developer.tbank.ru/eacq. Business errors come with HTTP 200.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateways.tbank.token import token

FIRST_PAYMENT_ID = 3_093_639_567
PAN = "220138******0013"
EXPIRY = "1230"
SBP = "qrsbp"


@dataclass
class EmulatedPayment:
    """A payment as the bank keeps it; amounts in kopecks."""

    payment_id: str
    order_id: str
    amount: int
    two_stage: bool
    notification_url: str | None
    recurrent: bool
    source: str = "cards"
    status: str = "NEW"
    left: int = 0
    going_back: int = 0
    refused_because: str | None = None
    rebill_id: int | None = None
    cancels: dict[str, dict[str, Any]] = field(default_factory=dict)
    receipts: list[dict[str, Any]] = field(default_factory=list)
    closing_receipts: list[dict[str, Any]] = field(default_factory=list)


class _Refused(Exception):
    """A business error of the bank."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class TBankEmulator:
    """One terminal.

    Parameters:
        send: posts a notification (address, body) and gives the answer's text; only `OK` ends its repeats.
    """

    def __init__(
        self,
        terminal_key: str = "TinkoffBankTest",
        password: str = "TinkoffBankTest",  # noqa: S107 - the documentation's public terminal
        *,
        base_url: str = "https://tbank.example",
        send: Callable[[str, str], Awaitable[str]] | None = None,
    ) -> None:
        self.terminal_key = terminal_key
        self.password = password
        self.base_url = base_url
        self.send = send
        self.payments: dict[str, EmulatedPayment] = {}
        self.calls: list[str] = []
        self.lost_answers = 0
        self.lost_calls = 0
        self.internal_errors = 0
        self._ids = itertools.count(FIRST_PAYMENT_ID)
        self._rebills = itertools.count(101_709)
        self._documents = itertools.count(4_501)
        self._methods: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "Init": self._init,
            "GetState": self._get_state,
            "CheckOrder": self._check_order,
            "Confirm": self._confirm,
            "Cancel": self._cancel,
            "Charge": self._charge,
            "GetQrState": self._get_qr_state,
            "SendClosingReceipt": self._send_closing_receipt,
        }
        doors = ("/v2/{method}", "/cashbox/{method}")
        self.app = Starlette(routes=[Route(door, self._serve, methods=["POST"]) for door in doors])

    def lose_answers(self, count: int = 1) -> None:
        """Do the next ``count`` calls, but let their answers be lost."""
        self.lost_answers = count

    def lose_calls(self, count: int = 1) -> None:
        """Never get the next ``count`` calls."""
        self.lost_calls = count

    def notification(self, payment_id: str, status: str | None = None) -> str:
        """The signed notification of a payment's state, or of another one for tests of disorder."""
        payment = self.payments[payment_id]
        told = status or payment.status
        body: dict[str, Any] = {
            "TerminalKey": self.terminal_key,
            "OrderId": payment.order_id,
            "Success": told not in ("REJECTED", "DEADLINE_EXPIRED"),
            "Status": told,
            "PaymentId": int(payment_id),
            "ErrorCode": "1051" if told == "REJECTED" else "0",
            "Amount": payment.amount - payment.left if told == "PARTIAL_REFUNDED" else payment.amount,
            "CardId": 322_264,
            "Pan": PAN,
            "ExpDate": EXPIRY,
        }
        if payment.recurrent and told in ("AUTHORIZED", "CONFIRMED"):
            payment.rebill_id = payment.rebill_id or next(self._rebills)
            body["RebillId"] = payment.rebill_id
        body["Token"] = token(body, self.password)
        return orjson.dumps(body).decode()

    async def pay(self, payment_id: str, *, source: str = "cards") -> list[str]:
        """The customer pays: AUTHORIZED and CONFIRMED are told at the same time, in any order.

        Parameters:
            source: "qrsbp" for the SBP, by which money goes back later and no repeat of a refund is recognised.
        """
        payment = self.payments[payment_id]
        payment.source = source
        payment.status = "AUTHORIZED" if payment.two_stage else "CONFIRMED"
        payment.left = payment.amount
        told = ["AUTHORIZED"] if payment.two_stage else ["CONFIRMED", "AUTHORIZED"]
        return await self._notify(payment, told)

    async def decline(self, payment_id: str) -> list[str]:
        """The bank declines the card."""
        payment = self.payments[payment_id]
        payment.status = "REJECTED"
        return await self._notify(payment, ["REJECTED"])

    async def expire(self, payment_id: str) -> list[str]:
        """The link's time passes."""
        payment = self.payments[payment_id]
        payment.status = "DEADLINE_EXPIRED"
        return await self._notify(payment, ["DEADLINE_EXPIRED"])

    async def end_refund(self, payment_id: str, *, refused: str | None = None) -> list[str]:
        """The SBP has given back what was on its way, or refuses to, and the bank tells of what was given back.

        Parameters:
            refused: the SBP's code of the refusal.
        """
        payment = self.payments[payment_id]
        payment.refused_because = refused
        if refused is None:
            payment.left -= payment.going_back
        payment.going_back = 0
        if not payment.left:
            payment.status = "REFUNDED"
        else:
            payment.status = "PARTIAL_REFUNDED" if payment.left < payment.amount else "CONFIRMED"
        return [] if refused is not None else await self._notify(payment, [payment.status])

    async def register(self, payment_id: str, receipt: dict[str, Any], *, error: str | None = None) -> list[str]:
        """The cash register has printed a receipt of a payment, or refused to."""
        payment = self.payments[payment_id]
        body: dict[str, Any] = {
            "TerminalKey": self.terminal_key,
            "OrderId": payment.order_id,
            "Success": error is None,
            "Status": "RECEIPT",
            "PaymentId": int(payment_id),
            "ErrorCode": "0" if error is None else "311",
            "Amount": payment.amount,
            "FiscalDocumentNumber": next(self._documents),
            "Type": "Income",
            "Url": f"{self.base_url}/receipts/{payment_id}",
            "Receipt": receipt,
        }
        if error is not None:
            body["ErrorMessage"] = error
        return await self._send(payment, [orjson.dumps({**body, "Token": token(body, self.password)}).decode()])

    async def _notify(self, payment: EmulatedPayment, statuses: list[str]) -> list[str]:
        return await self._send(payment, [self.notification(payment.payment_id, status) for status in statuses])

    async def _send(self, payment: EmulatedPayment, bodies: list[str]) -> list[str]:
        if self.send is not None and payment.notification_url is not None:
            answers = await asyncio.gather(*(self.send(payment.notification_url, body) for body in bodies))
            assert all(answer == "OK" for answer in answers), f"the bank wants OK, not {answers}"
        return bodies

    async def _serve(self, request: Request) -> Response:
        method = request.path_params["method"]
        if self.lost_calls:
            self.lost_calls -= 1
            return Response(status_code=504)
        self.calls.append(method)
        try:
            body = orjson.loads(await request.body())
            answer = self._answer(method, body)
        except _Refused as refused:
            answer = {"Success": False, "ErrorCode": refused.code, "Message": refused.message, "Details": ""}
        if self.lost_answers:
            self.lost_answers -= 1
            return Response(status_code=504)
        return JSONResponse(answer)

    def _answer(self, method: str, body: dict[str, Any]) -> dict[str, Any]:
        if method not in self._methods:
            raise _Refused("404", "Метод не найден")
        if body.get("TerminalKey") != self.terminal_key:
            raise _Refused("205", "Указанный терминал не найден")
        if body.get("Token") != token(body, self.password):
            raise _Refused("204", "Неверный токен")
        if self.internal_errors:
            self.internal_errors -= 1
            raise _Refused("9999", "Внутренняя ошибка системы")
        return {"Success": True, "ErrorCode": "0", "TerminalKey": self.terminal_key, **self._methods[method](body)}

    def _init(self, body: dict[str, Any]) -> dict[str, Any]:
        order_id, amount = body.get("OrderId"), body.get("Amount")
        if not isinstance(order_id, str) or not 1 <= len(order_id) <= 36:
            raise _Refused("212", "Поле OrderId заполнено неверно")
        if not isinstance(amount, int) or amount <= 0:
            raise _Refused("251", "Неверная сумма")
        if any(payment.order_id == order_id for payment in self.payments.values()):
            raise _Refused("20", "Повторный идентификатор заказа")
        receipts = _checked_receipt(body, amount)
        if body.get("Recurrent") == "Y" and not body.get("CustomerKey"):
            raise _Refused("211", "Поле CustomerKey обязательно")
        payment = EmulatedPayment(
            payment_id=str(next(self._ids)),
            order_id=order_id,
            amount=amount,
            two_stage=body.get("PayType") == "T",
            notification_url=body.get("NotificationURL"),
            recurrent=body.get("Recurrent") == "Y",
            receipts=receipts,
        )
        self.payments[payment.payment_id] = payment
        return {**_told(payment), "PaymentURL": f"{self.base_url}/new/{payment.payment_id}"}

    def _get_state(self, body: dict[str, Any]) -> dict[str, Any]:
        payment = self._payment(body)
        params = [{"Key": "Route", "Value": "ACQ"}, {"Key": "Source", "Value": payment.source}]
        return {**_told(payment), "Message": "OK", "Params": params}

    def _get_qr_state(self, body: dict[str, Any]) -> dict[str, Any]:
        payment = self._payment(body)
        if payment.source != SBP:
            raise _Refused("3", "Платеж не через СБП")
        refused = payment.refused_because
        told = {} if refused is None else {"QrCancelCode": refused, "QrCancelMessage": "Возврат отклонен банком"}
        return {**_told(payment), "Message": "OK", **told}

    def _check_order(self, body: dict[str, Any]) -> dict[str, Any]:
        order_id = body.get("OrderId")
        found = [payment for payment in self.payments.values() if payment.order_id == order_id]
        if not found:
            raise _Refused("335", f"OrderId {order_id} не найден для TerminalKey {self.terminal_key}")
        payments = [
            {
                "PaymentId": payment.payment_id,
                "Amount": payment.amount,
                "Status": payment.status,
                "RRN": "12345678",
                "Success": "true",
                "ErrorCode": 0,
                "Message": "None",
            }
            for payment in found
        ]
        return {"OrderId": order_id, "Message": "OK", "Details": "None", "Payments": payments}

    def _confirm(self, body: dict[str, Any]) -> dict[str, Any]:
        payment = self._payment(body)
        if payment.status != "AUTHORIZED":
            raise _Refused("8", "Неверный статус транзакции")
        payment.status = "CONFIRMED"
        payment.left = body.get("Amount", payment.amount)
        return {**_told(payment), "Message": "OK", "Details": "None"}

    def _cancel(self, body: dict[str, Any]) -> dict[str, Any]:
        payment = self._payment(body)
        key = body.get("ExternalRequestId")
        if key in payment.cancels and payment.source != SBP:
            return payment.cancels[key]
        original = payment.left or payment.amount
        amount = body.get("Amount", original)
        if payment.status == "NEW":
            payment.status = "CANCELED"
        elif payment.status in ("AUTHORIZED", "CONFIRMED", "PARTIAL_REFUNDED"):
            if not 0 < amount <= payment.left:
                raise _Refused("251", "Неверная сумма")
            payment.receipts += _checked_receipt(body, amount)
            if payment.source == SBP:
                payment.status, payment.going_back = "ASYNC_REFUNDING", amount
                return {**_told(payment), "OriginalAmount": original, "NewAmount": original - amount, "Message": "OK"}
            payment.left -= amount
            whole, part = ("REVERSED", "PARTIAL_REVERSED") if payment.status == "AUTHORIZED" else _REFUNDS
            payment.status = part if payment.left else whole
        else:
            raise _Refused("4", "Не удалось изменить статус платежа")
        answer = {**_told(payment), "OriginalAmount": original, "NewAmount": payment.left, "Message": "OK"}
        if key is not None:
            payment.cancels[key] = {"Success": True, "ErrorCode": "0", **answer, "ExternalRequestId": key}
        return answer

    def _charge(self, body: dict[str, Any]) -> dict[str, Any]:
        payment = self._payment(body)
        if payment.recurrent or not body.get("RebillId"):
            raise _Refused("10", "Метод Charge заблокирован для данного терминала")
        if payment.status != "NEW":
            raise _Refused("8", "Неверный статус транзакции")
        payment.status = "AUTHORIZED" if payment.two_stage else "CONFIRMED"
        payment.left = payment.amount
        return _told(payment)

    def _send_closing_receipt(self, body: dict[str, Any]) -> dict[str, Any]:
        payment = self._payment(body)
        if payment.status != "CONFIRMED":
            raise _Refused("8", "Неверный статус транзакции")
        first = payment.receipts[0]["Items"] if payment.receipts else []
        if not any(item.get("PaymentMethod") in _PREPAID for item in first):
            raise _Refused("323", "Чек платежа не является чеком предоплаты")
        payment.closing_receipts += _checked_receipt(body, payment.amount)
        return {"Message": "OK"}

    def _payment(self, body: dict[str, Any]) -> EmulatedPayment:
        payment = self.payments.get(str(body.get("PaymentId")))
        if payment is None:
            raise _Refused("255", "Платеж не найден")
        return payment


def _checked_receipt(body: dict[str, Any], amount: int) -> list[dict[str, Any]]:
    receipt = body.get("Receipt")
    if receipt is None:
        return []
    if not (receipt.get("Email") or receipt.get("Phone")) or not receipt.get("Taxation"):
        raise _Refused("329", "Неверный чек")
    for item in receipt["Items"]:
        if item["Amount"] != round(item["Price"] * item["Quantity"]) or item["Quantity"] >= 100_000:
            raise _Refused("323", "Сумма позиции не равна цене на количество")
    if sum(item["Amount"] for item in receipt["Items"]) != amount:
        raise _Refused("334", "Сумма чека не равна сумме платежа")
    return [receipt]


_PREPAID = ("full_prepayment", "prepayment", "advance")
_REFUNDS = ("REFUNDED", "PARTIAL_REFUNDED")


def _told(payment: EmulatedPayment) -> dict[str, Any]:
    return {
        "Status": payment.status,
        "PaymentId": payment.payment_id,
        "OrderId": payment.order_id,
        "Amount": payment.amount,
    }
