"""Doors for accounting systems: payments that they know of, and bank statements (INV-5, ACC-7)."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from core import clock
from core.database import transaction
from core.errors import Unauthenticated, UserError
from core.principal import Principal
from domain import fields as checks
from domain.inn import check_inn
from domain.moments import moment
from gateways.client_bank.parser import MalformedStatement
from models import Invoice, OutsidePayment
from policies.scopes import require
from services.billing import outside, statements
from web.auth import principal_of_scope
from web.body import read_body
from web.rest import Fields, Malformed, answer, failure, json_object, query_of, rest, told_error, yes

PAYMENTS = "/api/external/payments"
STATEMENTS = "/api/external/bank-statements"
STATEMENT_LIMIT_BYTES = 50_000_000
MOST_AT_ONCE = 500
_PAYMENT = frozenset(
    {"externalId", "amount", "currency", "paidAt", "invoiceNumber", "payerInn", "payerName", "purpose"}
)


async def tell(request: Request) -> Response:
    """Money that came: one sum, or up to 500 under `payments`, each its own transaction and result."""
    actor = await _actor(request)
    body = await json_object(request)
    if "payments" not in body:
        payment, is_new = await _tell(actor, Fields(body, _PAYMENT))
        return answer(payment, 201 if is_new else 200)
    results: list[dict[str, Any]] = []
    for fields in Fields(body, frozenset({"payments"})).objects("payments", _PAYMENT, most=MOST_AT_ONCE):
        try:
            results.append((await _tell(actor, fields))[0])
        except UserError as error:
            results.append({"error": told_error(error)})
    return answer({"results": results})


async def show(request: Request) -> Response:
    """What became of money that was told."""
    actor = await _actor(request)
    external_id = request.path_params["external_id"]
    async with transaction() as session:
        payment = await outside.find(session, actor, external_id.replace("\0", ""))
        return answer(_told(payment, await _number(session, payment)))


async def import_statement(request: Request) -> Response:
    """A bank statement as the body; `?dryRun=true` only says what would come of it."""
    actor = await _actor(request)
    # Asked again with the file; who may not import need not send it.
    require(actor, "outside_payment:write", f"POST {STATEMENTS}")
    query = query_of(request, frozenset({"dryRun", "fileName"}))
    dry_run, name = yes(query, "dryRun"), query.get("fileName", "statement.txt")
    content = await read_body(request, STATEMENT_LIMIT_BYTES)
    try:
        async with transaction() as session:
            report = await statements.import_statement(session, actor, content=content, file_name=name, dry_run=dry_run)
    except MalformedStatement as error:
        return failure(error, problems=[asdict(problem) for problem in error.problems])
    told = {
        "bankStatementId": report.statement_id and str(report.statement_id),
        "documents": report.documents,
        "incoming": report.incoming,
        "incomingTotal": report.incoming_total,
        "bankTotal": report.told_total,
        "repeated": report.repeated,
        "expected": dict(sorted(report.expected.items())),
    }
    return answer(told, 200 if dry_run else 202)


async def _actor(request: Request) -> Principal:
    """A program's principal. Cookies do not count: another site's page could send them along."""
    if "authorization" not in request.headers:
        raise Unauthenticated("send an API token as `Authorization: Bearer …`")
    return await principal_of_scope(request.scope)


async def _tell(actor: Principal, fields: Fields) -> tuple[dict[str, Any], bool]:
    amount = fields.decimal("amount")
    assert amount is not None
    checked = checks.amount(amount, "amount")
    if not checked:
        raise checks.InvalidAmount("amount must be more than nothing", field=("amount",))
    inn = fields.optional_text("payerInn", most_chars=12)
    told = outside.Told(
        external_id=fields.text("externalId", most_chars=outside.LONGEST_ID),
        amount=checked,
        currency=checks.currency(fields.text("currency", most_chars=3, default="RUB"), "currency"),
        paid_at=_moment(fields.optional_text("paidAt", most_chars=40)),
        invoice_number=fields.optional_text("invoiceNumber", most_chars=outside.LONGEST_NUMBER),
        payer_inn=None if inn is None else check_inn(inn, ("payerInn",)),
        payer_name=fields.optional_text("payerName", most_chars=outside.LONGEST_NAME),
        purpose=fields.optional_text("purpose", most_chars=outside.LONGEST_PURPOSE) or "",
    )
    async with transaction() as session:
        payment, is_new = await outside.tell(session, actor, told)
        return _told(payment, await _number(session, payment)), is_new


def _moment(text: str | None) -> datetime:
    """A moment, or a day in the legal entity's time zone; now where nothing is said."""
    if text is None:
        return clock.now()
    try:
        return moment(text, "paidAt", clock.zone())
    except checks.InvalidValue as error:
        raise Malformed(error.message, field=("paidAt",)) from None


async def _number(session: Any, payment: OutsidePayment) -> str | None:
    if payment.invoice_id is None:
        return None
    invoice: Invoice = await session.get_one(Invoice, payment.invoice_id)
    return invoice.number


def _told(payment: OutsidePayment, number: str | None) -> dict[str, Any]:
    return {
        "externalId": payment.external_id,
        "status": payment.status,
        "reason": payment.reason,
        "invoiceNumber": number,
        "amount": payment.amount,
        "currency": payment.currency,
    }


external_routes: list[BaseRoute] = [
    Route(PAYMENTS, rest(tell), methods=["POST"]),
    Route(f"{PAYMENTS}/{{external_id:path}}", rest(show), methods=["GET"]),
    Route(STATEMENTS, rest(import_statement), methods=["POST"]),
]
