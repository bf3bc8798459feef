"""What a person does with a closing receipt that no gateway made: sends it again, or says that it was made (54-FZ)."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from core import clock
from core.errors import Conflict
from core.principal import Principal
from domain import fields
from domain.receipts import RECORDABLE, ClosingReceiptStatus
from models import ClosingReceipt
from policies.scopes import require
from services import audit
from services.billing.closing_receipts import SEND
from services.loading import load
from services.outbox import enqueue

LONGEST_DOCUMENT = 64


class ReceiptNotFailed(Conflict):
    """Only a closing receipt that failed is sent again."""

    code = "CLOSING_RECEIPT_NOT_FAILED"


class ReceiptNotByHand(Conflict):
    """Only a closing receipt that waits for a person is recorded by one."""

    code = "CLOSING_RECEIPT_NOT_BY_HAND"


async def retry_closing_receipt(session: AsyncSession, actor: Principal, *, closing_receipt_id: int) -> ClosingReceipt:
    """Send a closing receipt that failed once more; for a person who has seen that there is none.

    Raises:
        NotFound: there is none in the actor's scope.
        ReceiptNotFailed: it did not fail.
    """
    require(actor, "payment:reconcile", "Mutation.closingReceiptSend")
    receipt = await load(session, actor, ClosingReceipt, closing_receipt_id, field="id", lock=True)
    if receipt.status != ClosingReceiptStatus.FAILED:
        raise ReceiptNotFailed(f"the closing receipt is {receipt.status}", field=fields.path("id"))
    before = {"status": receipt.status, "error_code": receipt.error_code}
    receipt.status = ClosingReceiptStatus.QUEUED
    receipt.error_code = receipt.error_message = None
    message = {"closingReceiptId": receipt.id}
    await enqueue(session, SEND, message, ordering_key=f"{SEND}:{receipt.id}", partner_id=receipt.partner_id)
    after = {"status": receipt.status}
    await audit.record(session, actor, "closing_receipt.retry", receipt, before=before, after=after)
    return receipt


async def record_closing_receipt(
    session: AsyncSession, actor: Principal, *, closing_receipt_id: int, fiscal_document: str
) -> ClosingReceipt:
    """Say that a closing receipt was made at the cash register; nothing is sent.

    Parameters:
        fiscal_document: the number that the cash register printed on it.

    Raises:
        NotFound: there is none in the actor's scope.
        ReceiptNotByHand: it neither waits to be made by hand nor failed.
        InvalidValue: the number is not fit.
    """
    require(actor, "payment:reconcile", "Mutation.closingReceiptRecord")
    document = fields.line(fiscal_document, "fiscalDocument", most_chars=LONGEST_DOCUMENT)
    receipt = await load(session, actor, ClosingReceipt, closing_receipt_id, field="id", lock=True)
    if receipt.status not in RECORDABLE:
        raise ReceiptNotByHand(f"the closing receipt is {receipt.status}", field=fields.path("id"))
    before = {"status": receipt.status, "error_code": receipt.error_code}
    receipt.status, receipt.registered_at = ClosingReceiptStatus.REGISTERED, clock.now()
    receipt.sent_at = receipt.sent_at or receipt.registered_at
    receipt.fiscal_document, receipt.recorded_by_user_id = document, actor.user_id
    receipt.error_code = receipt.error_message = None
    after = {"status": receipt.status, "fiscal_document": document, "amount": receipt.amount}
    await audit.record(session, actor, "closing_receipt.record", receipt, before=before, after=after)
    return receipt
