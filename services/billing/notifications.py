"""Gateway notifications: stored raw and answered at once, applied by a worker under the payment's lock (INV-3)."""

from __future__ import annotations

from collections.abc import Mapping

import orjson
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock, crypto
from domain.billing import NotificationStatus, PaymentStatus
from gateways.interface import GatewayState
from gateways.registry import gateway
from models import GatewayNotification, Payment
from services.billing.attention import call_a_person, call_about_stray
from services.billing.closing_receipts import receipt_told
from services.billing.payments import WHOLE_AMOUNT, advance
from services.outbox import enqueue

APPLY = "payment.notification"
KEPT_HEADERS = frozenset({"content-type", "user-agent"})
# With the key of a stored card and a terminal's password anybody could charge it; a receipt names its customer.
SECRETS = frozenset({"rebillid", "cardid", "expdate", "token", "signature", "accounttoken", "data", "receipt"})
MASKED = "***"
_CONTEXT = "gateway_notifications.raw"


async def receive_notification(session: AsyncSession, gateway_name: str, raw: str, headers: Mapping[str, str]) -> int:
    """Check the signature, keep the notification as it came, encrypted, and leave the rest to a worker; gives its id.

    Raises:
        ForgedNotification, MalformedNotification: nothing is kept.
        NotFound: there is no such gateway.
    """
    told = gateway(gateway_name).read_notification(raw, headers)
    kept = {name.lower(): value for name, value in headers.items() if name.lower() in KEPT_HEADERS}
    notification = GatewayNotification(
        gateway=gateway_name, raw=_readable(raw), raw_encrypted=crypto.encrypt(raw, _CONTEXT), headers=kept
    )
    session.add(notification)
    await session.flush()
    await enqueue(
        session,
        APPLY,
        {"notificationId": notification.id},
        ordering_key=f"payment:{gateway_name}:{told.order_id}",
    )
    return notification.id


async def apply_notification(session: AsyncSession, notification_id: int) -> None:
    """Move the payment that a stored notification tells of; repeats and late ones are marked IGNORED."""
    notification = await session.get_one(GatewayNotification, notification_id, with_for_update=True)
    if notification.status != NotificationStatus.RECEIVED:
        return
    kept = notification.raw_encrypted
    raw = notification.raw if kept is None else crypto.decrypt(kept, _CONTEXT)
    state = gateway(notification.gateway).read_notification(raw, notification.headers)
    wanted = select(Payment).where(Payment.gateway == notification.gateway, Payment.order_id == state.order_id)
    payment: Payment | None = await session.scalar(wanted)
    notification.applied_at = clock.now()
    if payment is None:
        _close(notification, NotificationStatus.REJECTED, "there is no payment with this order id")
        if state.status == PaymentStatus.CONFIRMED:
            await call_about_stray(session, notification.gateway, state)
        return
    mismatch = _mismatch(payment, state)
    if mismatch is not None:
        notification.payment_id = payment.id
        _close(notification, NotificationStatus.REJECTED, mismatch)
        await call_a_person(session, payment, f"notification {notification.id} was rejected: {mismatch}")
        return
    if state.receipt is not None:
        stays = await receipt_told(session, payment, state.receipt)
        notification.payment_id = payment.id
        _close(notification, NotificationStatus.APPLIED if stays is None else NotificationStatus.IGNORED, stays)
        return
    stays = await advance(session, payment.id, state, source=f"notification:{notification.id}")
    # Only now: the foreign key's own lock on the payment must not come before the locks of `advance`.
    notification.payment_id = payment.id
    _close(notification, NotificationStatus.APPLIED if stays is None else NotificationStatus.IGNORED, stays)


def _readable(raw: str) -> str:
    """The notification for people, without secrets."""
    body = orjson.loads(raw)
    return orjson.dumps(
        {name: MASKED if name.lower() in SECRETS and value else value for name, value in body.items()}
    ).decode()


def _mismatch(payment: Payment, state: GatewayState) -> str | None:
    """Why the notification cannot be about this payment, if so."""
    known = payment.gateway_payment_id
    if known is not None and state.gateway_payment_id != known:
        return f"the payment's id at the gateway is {known}, not {state.gateway_payment_id}"
    if state.status in WHOLE_AMOUNT and state.amount != payment.amount:
        return f"the amount is {state.amount} instead of {payment.amount}"
    return None


def _close(notification: GatewayNotification, status: NotificationStatus, reason: str | None) -> None:
    notification.status = status
    notification.reason = reason
