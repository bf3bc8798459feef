"""Hands written letters to the mail server, and forgets what they said (NOT-1)."""

from __future__ import annotations

from datetime import timedelta
from email.message import EmailMessage

import orjson
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from core import clock, crypto
from core.database import transaction
from core.settings import get_settings
from domain.mail import MailStatus
from gateways.mail.letter import Attachment, MailRefused, compose
from gateways.mail.registry import mail_transport
from models import InvoiceDocument, Mail
from services.outbox import PermanentFailure

DELIVER = "mail.deliver"
CONTENT_KEPT = timedelta(days=30)
FORGOTTEN_AT_ONCE = 1_000


async def deliver(mail_id: int) -> None:
    """Make one attempt; a letter that was sent, or whose content was forgotten, is left alone.

    Raises:
        MailRefused: it was not taken; trying again may help.
        PermanentFailure: it was not, and will not be.
    """
    async with transaction() as session:
        mail = await session.get_one(Mail, mail_id)
        if mail.content_encrypted is None:
            return
        letter = await _letter(session, mail, mail.content_encrypted)
    try:
        await mail_transport().deliver(letter)
    except MailRefused as refused:
        if refused.for_good:
            raise PermanentFailure(refused.message) from None
        raise
    async with transaction() as session:
        sent = {"status": MailStatus.SENT, "sent_at": clock.now(), "content_encrypted": None, "last_error": None}
        await session.execute(update(Mail).where(Mail.id == mail_id).values(sent))


async def give_up(session: AsyncSession, mail_id: int, error: str) -> None:
    """Mark a letter whose attempts are over; a replay of its dead letter may still send it."""
    unsent = (Mail.id == mail_id, Mail.status == MailStatus.PENDING)
    await session.execute(update(Mail).where(*unsent).values(status=MailStatus.FAILED, last_error=error))


async def forget_content(session: AsyncSession) -> int:
    """Forget what a chunk of old letters that were never sent said; gives their number."""
    old = (
        select(Mail.id)
        .where(Mail.content_encrypted.is_not(None), Mail.created_at <= clock.now() - CONTENT_KEPT)
        .limit(FORGOTTEN_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    gone = await session.scalars(
        update(Mail)
        .where(Mail.id.in_(old.scalar_subquery()))
        .values(content_encrypted=None, status=MailStatus.FAILED)
        .returning(Mail.id)
    )
    return len(gone.all())


def sealed_as(message_id: str) -> str:
    """What a letter's content is bound to."""
    return f"mails.content:{message_id}"


async def _letter(session: AsyncSession, mail: Mail, content: str) -> EmailMessage:
    told = orjson.loads(crypto.decrypt(content, sealed_as(mail.message_id)))
    documents = await session.scalars(
        select(InvoiceDocument).where(InvoiceDocument.id.in_(mail.invoice_document_ids)).order_by(InvoiceDocument.id)
    )
    return compose(
        message_id=mail.message_id,
        sender=get_settings().mail_from,
        recipient=mail.recipient,
        attachments=[Attachment(f"{found.number}.pdf", "application/pdf", found.content) for found in documents],
        **told,
    )
