"""Doors for product back ends: charge coins, hold them, ask balances and how installs stand (WAL-4, ACC-7)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from core.database import transaction
from ledger.charge import Charge, Charged, Outcome
from ledger.post import InsufficientCoins, InvalidCoins, check_amount
from models import WalletHold
from services import wallets
from services.install_state import install_state_for_product
from services.wallets.holds import DEFAULT_LIFE
from services.wallets.usage import MOST_AT_ONCE, REFERENCE, refusal_of
from web.install_state import told_state
from web.project import product_of
from web.rest import Fields, Malformed, answer, failure, json_object, path_key, rest

PATH = "/api/v1/usage"
LONGEST_KEY = 200
LONGEST_DESCRIPTION = 500
_CHARGE = frozenset({"installId", "amount", "description", "record"})
_LISTED = frozenset({"installId", "amount", "description", "idempotencyKey"})
_HOLD = frozenset({"installId", "amount", "description", "expiresInSeconds"})


async def charge(request: Request) -> Response:
    """Take coins at once; what cannot be taken is refused with 402 and, unless told otherwise, kept for a person."""
    actor = await product_of(request)
    fields = Fields(await json_object(request), _CHARGE)
    asked = _charge(fields, _key(request))
    record = fields.flag("record", default=True)
    try:
        charged = await wallets.charge(actor, asked)
    except InsufficientCoins as refused:
        recorded = False
        if record:
            (recorded,) = await wallets.record_charges(actor, [asked])
        return failure(refused, recorded=recorded)
    return answer(_told(charged), 201 if charged.outcome == Outcome.MOVED else 200)


async def charge_many(request: Request) -> Response:
    """Up to 1,000 charges in one transaction, each applied or refused for itself, in the order given.

    Those that find too few coins are kept as single ones are.
    """
    actor = await product_of(request)
    body = Fields(await json_object(request), frozenset({"charges", "record"}))
    record = body.flag("record", default=True)
    asked = [
        _charge(fields, fields.text("idempotencyKey", most_chars=LONGEST_KEY))
        for fields in body.objects("charges", _LISTED, most=MOST_AT_ONCE)
    ]
    charged = await wallets.charge_many(actor, asked)
    missing = [place for place, one in enumerate(charged) if one.outcome == Outcome.INSUFFICIENT] if record else []
    kept = await wallets.record_charges(actor, [asked[place] for place in missing]) if missing else []
    recorded = dict(zip(missing, kept, strict=True))
    return answer(
        {
            "results": [
                _result(one, wanted, recorded=recorded.get(place, False))
                for place, (one, wanted) in enumerate(zip(charged, asked, strict=True))
            ]
        }
    )


async def balance(request: Request) -> Response:
    """What the wallet of an install holds."""
    actor = await product_of(request)
    held = await wallets.balance_of(actor, path_key(request, "install_id", "Install"))
    return answer(
        {
            "walletId": str(held.wallet_id),
            "balance": held.balance,
            "held": held.held,
            "earned": held.earned,
            "bought": held.bought,
            "spent": held.spent,
            "low": held.low,
        }
    )


async def install(request: Request) -> Response:
    """How an install stands: whether it may be used now, until when, its subscription, coins and waiting bill."""
    actor = await product_of(request)
    async with transaction() as session:
        return answer(
            told_state(await install_state_for_product(session, actor, path_key(request, "install_id", "Install")))
        )


async def hold(request: Request) -> Response:
    """Set coins aside until they are captured, released, or their time is over."""
    actor = await product_of(request)
    fields = Fields(await json_object(request), _HOLD)
    asked = _charge(fields, _key(request))
    seconds = fields.whole("expiresInSeconds", default=int(DEFAULT_LIFE.total_seconds()))
    async with transaction() as session:
        made, is_new = await wallets.hold(
            session,
            actor,
            install_id=asked.install_id,
            amount=asked.amount,
            key=asked.reference.removeprefix(REFERENCE),
            description=asked.description,
            life=timedelta(seconds=max(0, min(seconds, 10**9))),
        )
        told = _hold(made)
    return answer(told, 201 if is_new else 200)


async def show_hold(request: Request) -> Response:
    """A hold as it is."""
    actor = await product_of(request)
    async with transaction() as session:
        return answer(_hold(await wallets.find_hold(session, actor, path_key(request, "hold_id", "WalletHold"))))


async def capture(request: Request) -> Response:
    """Spend a hold, or a part of it and give the rest back."""
    actor = await product_of(request)
    amount = Fields(await json_object(request), frozenset({"amount"})).decimal("amount", optional=True)
    async with transaction() as session:
        held = await wallets.capture(session, actor, hold_id=path_key(request, "hold_id", "WalletHold"), amount=amount)
        return answer(_hold(held))


async def release(request: Request) -> Response:
    """Give a hold back."""
    actor = await product_of(request)
    async with transaction() as session:
        return answer(_hold(await wallets.release(session, actor, hold_id=path_key(request, "hold_id", "WalletHold"))))


def _key(request: Request) -> str:
    key = request.headers.get("idempotency-key", "")
    if not 1 <= len(key) <= LONGEST_KEY or not key.isprintable():
        raise Malformed(f"send a header Idempotency-Key of 1 to {LONGEST_KEY} characters", field=("Idempotency-Key",))
    return key


def _charge(fields: Fields, key: str) -> Charge:
    amount = fields.decimal("amount")
    assert amount is not None
    if not amount > 0:
        raise InvalidCoins("amount must be more than nothing", field=("amount",))
    check_amount(amount)
    return Charge(
        install_id=fields.key("installId"),
        amount=amount,
        reference=f"{REFERENCE}{key}",
        description=fields.text("description", most_chars=LONGEST_DESCRIPTION),
    )


def _told(charged: Charged) -> dict[str, Any]:
    return {
        "transactionId": str(charged.transaction_id),
        "balance": charged.balance,
        "repeated": charged.outcome == Outcome.REPEATED,
    }


def _result(charged: Charged, asked: Charge, *, recorded: bool) -> dict[str, Any]:
    refused = refusal_of(charged, asked.amount)
    if refused is not None:
        return {"error": {"code": refused.code, "message": refused.message, "recorded": recorded}}
    return _told(charged)


def _hold(held: WalletHold) -> dict[str, Any]:
    return {
        "holdId": str(held.id),
        "status": held.status,
        "amount": held.amount,
        "capturedAmount": held.captured_amount,
        "expiresAt": held.expires_at,
    }


usage_routes: list[BaseRoute] = [
    Route(f"{PATH}/charges", rest(charge), methods=["POST"]),
    Route(f"{PATH}/charges/batch", rest(charge_many), methods=["POST"]),
    Route(f"{PATH}/installs/{{install_id:int}}", rest(install), methods=["GET"]),
    Route(f"{PATH}/installs/{{install_id:int}}/balance", rest(balance), methods=["GET"]),
    Route(f"{PATH}/holds", rest(hold), methods=["POST"]),
    Route(f"{PATH}/holds/{{hold_id:int}}", rest(show_hold), methods=["GET"]),
    Route(f"{PATH}/holds/{{hold_id:int}}/capture", rest(capture), methods=["POST"]),
    Route(f"{PATH}/holds/{{hold_id:int}}/release", rest(release), methods=["POST"]),
]
