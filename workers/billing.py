"""Actors of the money path."""

from __future__ import annotations

from datetime import date, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from core.database import transaction
from core.logging import get_logger
from core.settings import get_settings
from gateways.interface import GatewayUnanswered
from services import billing
from services.billing import reconciliation
from services.billing.attention import ATTENTION
from services.billing.charging import CHARGE
from services.billing.closing import CLOSE, CONFIRM
from services.billing.closing_receipts import SEND as CLOSE_RECEIPT
from services.billing.payments import REFRESH, InFlight
from services.billing.reconciliation import RECONCILE
from services.billing.refund_sending import SEND
from services.billing.statements import MATCH
from services.billing.statements import match_statement as match_statement_chunk
from services.outbox import PermanentFailure
from workers.chunks import chunk_by_chunk
from workers.outbox import Message, outbox_handler, stepwise_handler

REPAIRS_A_RUN = 200

log = get_logger("workers.billing")


@stepwise_handler("payment.open", max_attempts=15)
async def open_payment(message: Message) -> None:
    """Get a payment its link at the gateway."""
    await billing.open_payment(message.payload["paymentId"])


@stepwise_handler(CLOSE, max_attempts=15)
async def close_payment(message: Message) -> None:
    """See to it that a link takes no money any more."""
    await billing.close_payment(message.payload["paymentId"])


@stepwise_handler(CONFIRM, max_attempts=15)
async def confirm_payment(message: Message) -> None:
    """Take money that is held, or release it."""
    await billing.confirm_payment(message.payload["paymentId"])


@outbox_handler("payment.notification", max_attempts=20)
async def apply_notification(session: AsyncSession, message: Message) -> None:
    """Apply a stored notification."""
    await billing.apply_notification(session, message.payload["notificationId"])


@stepwise_handler(REFRESH, max_attempts=3)
async def refresh_payment(message: Message) -> None:
    """Ask the gateway for a payment's state; what it does not answer now is asked again by the next run."""
    payment_id = message.payload["paymentId"]
    try:
        await billing.repair_payment(payment_id)
    except (GatewayUnanswered, InFlight) as error:
        log.warning("payment not asked", payment_id=payment_id, reason=error.message)


@outbox_handler("payments.repair_unknown", max_attempts=3)
async def repair_unknown(session: AsyncSession, _message: Message) -> None:
    """Ask for each payment whose state has been open for long, one message each."""
    await billing.ask_for_unsettled(session, REPAIRS_A_RUN)


@stepwise_handler(SEND, max_attempts=15)
async def send_refund(message: Message) -> None:
    """Tell the gateway to give money back; the same key makes a repeat harmless."""
    await billing.send_refund(message.payload["refundId"])


@outbox_handler("refunds.ask", max_attempts=3)
async def ask_for_refunds(session: AsyncSession, _message: Message) -> None:
    """Ask again for each refund whose end is not known."""
    await billing.ask_for_open_refunds(session, REPAIRS_A_RUN)


@stepwise_handler(CLOSE_RECEIPT, max_attempts=15)
async def send_closing_receipt(message: Message) -> None:
    """Have the closing receipt of a prepayment made."""
    await billing.send_closing_receipt(message.payload["closingReceiptId"])


@stepwise_handler("closing_receipts.send", queue="default", max_attempts=3, lease=timedelta(minutes=30))
async def plan_closing_receipts(_message: Message) -> None:
    """Send the closing receipts that are due on their way; those that nobody told of wait for a person."""
    await chunk_by_chunk(billing.plan_closing_receipts)
    async with transaction() as session:
        await billing.give_up_unanswered_receipts(session, REPAIRS_A_RUN)


@stepwise_handler(MATCH, queue="default", max_attempts=10, lease=timedelta(minutes=10))
async def match_statement(message: Message) -> None:
    """Match the sums of a bank statement, a transaction a chunk."""
    await chunk_by_chunk(lambda session: match_statement_chunk(session, message.payload["bankStatementId"]))


@stepwise_handler(RECONCILE, max_attempts=5, lease=timedelta(minutes=30))
async def reconcile_day(message: Message) -> None:
    """Compare a day's payments with the gateway's; run again, it counts anew (INV-6)."""
    await reconciliation.reconcile(date.fromisoformat(message.payload["day"]), message.payload["gateway"])


@stepwise_handler("payments.reconcile", max_attempts=5, lease=timedelta(minutes=30))
async def reconcile_yesterday(_message: Message) -> None:
    """Compare yesterday's payments with the gateway's (INV-6)."""
    await reconciliation.reconcile(reconciliation.yesterday(), get_settings().gateway)


@stepwise_handler("billing.cancel_lapsed", queue="default", max_attempts=3)
async def cancel_lapsed(_message: Message) -> None:
    """Cancel orders of changes that nobody paid in time, a transaction a chunk (SUB-5)."""
    await chunk_by_chunk(billing.cancel_lapsed)


@stepwise_handler(CHARGE, max_attempts=3)
async def charge_invoice(message: Message) -> None:
    """Charge the stored card for an invoice; a charge in doubt is asked about by the next run of repairs."""
    try:
        await billing.charge_invoice(message.payload["invoiceId"])
    except (GatewayUnanswered, InFlight) as error:
        log.warning("charge in doubt", invoice_id=message.payload["invoiceId"], reason=error.message)


@stepwise_handler("renewals.issue", queue="default", max_attempts=3, lease=timedelta(minutes=30))
async def issue_renewals(_message: Message) -> None:
    """Issue the invoices of the periods that end soon, a transaction a chunk."""
    await chunk_by_chunk(billing.issue_due_renewals)


@stepwise_handler("renewals.charge", queue="default", max_attempts=3, lease=timedelta(minutes=30))
async def plan_charges(_message: Message) -> None:
    """Send the charges that are due on their way."""
    await chunk_by_chunk(billing.plan_due_charges)


@stepwise_handler("subscriptions.notify", queue="default", max_attempts=3, lease=timedelta(minutes=30))
async def notify_ending(_message: Message) -> None:
    """Announce the ends that come near."""
    await chunk_by_chunk(billing.notify_ending)


@stepwise_handler("subscriptions.lapse", queue="default", max_attempts=3, lease=timedelta(minutes=30))
async def lapse_subscriptions(_message: Message) -> None:
    """End what has run out."""
    await chunk_by_chunk(billing.lapse_due)


@outbox_handler(ATTENTION, max_attempts=1)
async def call_a_person(_session: AsyncSession, message: Message) -> None:
    """Money that no rule may touch waits as a dead letter until a person has dealt with it and discards it.

    Raises:
        PermanentFailure: always; says what happened.
    """
    raise PermanentFailure(message.payload["reason"])
